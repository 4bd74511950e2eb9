//! Random secrets for clients, and the hashes that are stored instead of them.
//!
//! Both come from the system's random source and are too long to guess, so a plain SHA-256 without
//! salt is sufficient (OWASP ASVS 5.0 11.4.1).

use sha2::{Digest, Sha256};

use crate::random;

/// A session's token: 160 random bits as 40 hex digits, the shape clients know from before.
#[derive(Clone)]
pub struct SessionToken(String);

/// The challenge token, which a client gets in addition to the mailed code: 128 random bits as 32
/// hex digits.
#[derive(Clone)]
pub struct ChallengeToken(String);

/// SHA-256 of a secret that only its client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a secret as a client presents it, in whatever shape.
    #[must_use]
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented.as_bytes()).into())
    }

    /// The hash as it is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

macro_rules! secret {
    ($name:ident, $bytes:literal) => {
        impl $name {
            /// A new secret.
            #[must_use]
            pub fn generate() -> Self {
                Self(hex::encode(random::bytes::<$bytes>()))
            }

            /// The secret itself, for the answer to the client that may have it.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// What is stored of it.
            #[must_use]
            pub fn hash(&self) -> SecretHash {
                SecretHash::of(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

secret!(SessionToken, 20);
secret!(ChallengeToken, 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_40_hex_digits_and_never_the_same() {
        let (a, b) = (SessionToken::generate(), SessionToken::generate());

        assert!(a.expose().len() == 40 && a.expose().bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(a.expose(), b.expose());
        assert_ne!(a.hash(), b.hash());
    }

    /// OWASP ASVS 5.0 6.5.3, 11.5.1: from the system's random source, so this is drawn anew in each run. The χ² of 16
    /// digits is above 99 once in 10¹³ runs.
    #[test]
    fn ten_thousand_tokens_are_all_different_and_their_digits_are_spread_evenly() {
        let mut tokens = std::collections::HashSet::new();
        let mut seen = [0_u32; 16];
        for _ in 0..10_000 {
            let token = SessionToken::generate();
            for digit in token.expose().chars() {
                seen[digit.to_digit(16).unwrap() as usize] += 1;
            }
            tokens.insert(token.expose().to_owned());
        }

        let expected = 10_000.0 * 40.0 / 16.0;
        let off = seen.iter().map(|&count| f64::from(count) - expected);
        let chi_squared: f64 = off.map(|off| off * off / expected).sum();
        assert_eq!(tokens.len(), 10_000);
        assert!(chi_squared < 99.0, "{seen:?}");
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        let token = SessionToken::generate();

        assert!(!format!("{token:?}").contains(token.expose()));
    }
}
