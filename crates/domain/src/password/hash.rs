//! Stored password hashes: their format, kinds and cost. [`super::hasher`] makes and checks them.

use std::fmt;

use argon2::password_hash::{Output, PasswordHash as Phc, Salt, SaltString};
use argon2::{Algorithm, MIN_SALT_LEN, Params};

use super::django;
use crate::random;

/// A password's hash as it is stored: a PHC string such as `$argon2id$v=19$m=19456,t=2,p=1$…`, or
/// one that was imported ([`super::django`]).
///
/// A salt that begins with `NFC` says that the hash is of the password's NFC form; one without is of the text as it was
/// typed. The mark stays with the hash wherever it is stored, and is a salt like any other to every argon2.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A hash that no password matches, which takes as long to check as those of a kind; `None` if that kind is not
    /// checked at all.
    #[must_use]
    pub fn of_nobody(kind: &HashKind) -> Option<Self> {
        if let Some(iterations) = kind.0.strip_prefix(django::PREFIX) {
            let iterations = iterations.strip_suffix('$')?.parse().ok()?;
            return Some(django::of_nobody(iterations))
                .filter(|hash| hash.kind() == Some(kind.clone()));
        }
        let (cost, of_nfc) = match kind.0.strip_suffix(NFC_BASE64) {
            Some(cost) => (cost, true),
            None => (kind.0.as_str(), false),
        };
        let output = Output::new(&random::bytes::<HASH_LENGTH>()).ok()?;
        let hash = Self(format!("{cost}{}${output}", new_salt(of_nfc)));
        Some(hash).filter(|hash| hash.kind() == Some(kind.clone()))
    }

    /// The kind of this hash; `None` if it is none that is ever checked.
    #[must_use]
    pub fn kind(&self) -> Option<HashKind> {
        if let Some(iterations) = django::iterations(self) {
            return Some(HashKind(format!("{}{iterations}$", django::PREFIX)));
        }
        Argon2id::parse(&self.0)?;
        let (rest, _) = self.0.rsplit_once('$')?;
        let (cost, _) = rest.rsplit_once('$')?;
        let mark = if self.is_of_nfc() { NFC_BASE64 } else { "" };
        Some(HashKind(format!("{cost}${mark}")))
    }

    /// Whether it is of the password's NFC form, not of the text as typed.
    pub(super) fn is_of_nfc(&self) -> bool {
        Argon2id::parse(&self.0).is_some_and(|parsed| {
            parsed.salt.len() == NFC.len() + SALT_LENGTH && parsed.salt.starts_with(NFC)
        })
    }

    /// Whether a new hash should take its place when its password is next at hand: it is not
    /// argon2id, or of less than that cost (OWASP ASVS 5.0 11.4.2), or not of the NFC form.
    #[must_use]
    pub fn is_outdated(&self, cost: HashCost) -> bool {
        if !self.is_of_nfc() {
            return true;
        }
        let phc = Phc::new(&self.0).ok();
        let argon2id = phc.filter(|phc| phc.algorithm == Algorithm::Argon2id.ident());
        let params = argon2id.and_then(|phc| Params::try_from(&phc).ok());
        params.is_none_or(|has| {
            has.m_cost() < cost.memory_kib
                || has.t_cost() < cost.iterations
                || has.p_cost() < cost.parallelism
        })
    }
}

impl From<String> for PasswordHash {
    /// A hash read back from a store.
    fn from(stored: String) -> Self {
        Self(stored)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// What the time of a check depends on: algorithm, cost, and whether the hash is of the NFC form. As it is stored: the
/// beginning of the hash up to its salt, and the salt's mark.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HashKind(String);

impl From<String> for HashKind {
    /// A kind read back from a store.
    fn from(stored: String) -> Self {
        Self(stored)
    }
}

/// The cost of a hash with argon2id (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
    /// The degree of parallelism.
    pub parallelism: u32,
}

impl HashCost {
    /// The least that is accepted: OWASP's Password Storage Cheat Sheet and ASVS 5.0 11.4.2.
    pub const FLOOR: Self = Self {
        memory_kib: 19_456,
        iterations: 2,
        parallelism: 1,
    };
}

const SALT_LENGTH: usize = 16;
pub(super) const HASH_LENGTH: usize = 32;

/// How the salt of a hash begins that is of the password's NFC form. Three bytes are four characters of base64.
const NFC: &[u8] = b"NFC";
const NFC_BASE64: &str = "TkZD";

/// A new salt with 128 random bits.
pub(super) fn new_salt(of_nfc: bool) -> SaltString {
    let random = random::bytes::<SALT_LENGTH>();
    let salt = if of_nfc {
        SaltString::encode_b64(&[NFC, &random].concat())
    } else {
        SaltString::encode_b64(&random)
    };
    salt.expect("16 to 19 bytes are a valid salt")
}

/// A stored hash of ours, taken apart.
pub(super) struct Argon2id {
    pub(super) params: Params,
    pub(super) salt: Vec<u8>,
    pub(super) output: Output,
}

impl Argon2id {
    /// Takes a hash apart, or says `None` if it is of another form or too costly.
    pub(super) fn parse(stored: &str) -> Option<Self> {
        let phc = Phc::new(stored).ok()?;
        let params = Params::try_from(&phc).ok()?;
        if phc.algorithm != Algorithm::Argon2id.ident() || !is_affordable(&params) {
            return None;
        }
        let mut raw = [0; Salt::MAX_LENGTH];
        let salt = phc.salt?.decode_b64(&mut raw).ok()?.to_vec();
        (salt.len() >= MIN_SALT_LEN).then_some(Self {
            params,
            salt,
            output: phc.hash?,
        })
    }
}

/// Hashes may come from elsewhere: one that would cost a gigabyte or minutes is no hash of ours.
fn is_affordable(params: &Params) -> bool {
    params.m_cost() <= 1024 * 1024 && params.t_cost() <= 100 && params.p_cost() <= 64
}

#[cfg(test)]
mod tests {
    use super::super::{Hasher, Password};
    use super::*;

    fn hasher() -> Hasher {
        Hasher::new(HashCost::FLOOR).unwrap()
    }

    #[test]
    fn a_dummy_is_of_its_kind_and_matches_nothing() {
        let mut hasher = hasher();
        let password = Password::new("correct horse");
        let current = hasher.hash(&password);
        let old = hasher.hash_as_typed(&password);
        let imported = django::of_nobody(1_000);

        for hash in [&current, &old, &imported] {
            let dummy = PasswordHash::of_nobody(&hash.kind().unwrap()).unwrap();

            assert_eq!(dummy.kind(), hash.kind());
            assert_eq!(
                dummy.is_outdated(HashCost::FLOOR),
                hash.is_outdated(HashCost::FLOOR)
            );
            assert!(!hasher.verify(&password, &dummy));
        }
        assert_ne!(current.kind(), old.kind());
        for unknown in [
            "",
            "!",
            "$argon2i$v=19$m=8,t=1,p=1$",
            "pbkdf2_sha256$9999999999$",
            "md5$",
        ] {
            let kind = HashKind::from(unknown.to_owned());
            assert_eq!(PasswordHash::of_nobody(&kind), None, "{unknown}");
        }
    }

    /// OWASP ASVS 5.0 11.4.2.
    #[test]
    fn a_hash_of_less_cost_or_of_another_kind_is_outdated() {
        let stored = |text: &str| PasswordHash::from(text.to_owned());
        let more = HashCost {
            memory_kib: 65_536,
            ..HashCost::FLOOR
        };
        let current = hasher().hash(&Password::new("correct horse"));

        assert!(!current.is_outdated(HashCost::FLOOR));
        assert!(current.is_outdated(more));
        for old in [
            "",
            "$argon2id$v=19$m=19456,t=1,p=1$c29tZXNhbHQ$YWJjZGVmZ2hpamtsbW5vcA",
            "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$YWJjZGVmZ2hpamtsbW5vcA",
            super::super::django::of_nobody(1_000).as_str(),
        ] {
            assert!(stored(old).is_outdated(HashCost::FLOOR), "{old}");
        }
        let higher = current.as_str().replace("m=19456,t=2", "m=65536,t=3");
        assert!(!stored(&higher).is_outdated(HashCost::FLOOR));
    }

    #[test]
    fn debug_shows_neither_password_nor_hash() {
        let shown = format!(
            "{:?} {:?}",
            Password::new("hunter22"),
            PasswordHash::from("$argon2id$x".to_owned())
        );

        assert!(
            !shown.contains("hunter22") && !shown.contains("$x"),
            "{shown}"
        );
    }
}
