//! Bytes from the system's random source (OWASP ASVS 5.0 11.5.1), the only randomness used for secrets.

/// `N` unpredictable bytes.
///
/// # Panics
///
/// When the operating system has no random source: nothing secure can be done then.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system provides random bytes");
    bytes
}
