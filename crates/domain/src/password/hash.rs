//! Hashes that are kept instead of passwords: argon2id, made and checked.
//!
//! Hashing costs about 14 ms of a core by design; callers run [`Hasher`] on a bounded
//! pool of threads (`runtime::hashing`), never on an async thread.

use std::fmt;

use argon2::password_hash::{Ident, Output, ParamsString, PasswordHash as Phc, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, MIN_SALT_LEN, Params, Version};
use subtle::ConstantTimeEq;

use super::Password;
use super::django::Pbkdf2;
use crate::random;

/// A password's hash as it is stored: a PHC string such as `$argon2id$v=19$m=19456,t=2,p=1$…`, or
/// one that was imported ([`super::django`]).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a new hash should take its place when its password is next at hand: it is not
    /// argon2id, or of less than that cost (OWASP ASVS 5.0 11.4.2).
    #[must_use]
    pub fn is_outdated(&self, cost: HashCost) -> bool {
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

/// The cost of a hash with argon2id (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
    /// Lanes.
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

/// The cost can't be used with argon2id.
#[derive(Debug, thiserror::Error)]
#[error("these argon2 parameters do not go together: {0}")]
pub struct InvalidCost(String);

/// Makes and checks hashes. Keeps its block of memory, which saves 5 % a hash.
pub struct Hasher {
    params: Params,
    memory: Vec<Block>,
}

const SALT_LENGTH: usize = 16;
const HASH_LENGTH: usize = 32;

impl Hasher {
    /// A hasher of that cost. Old hashes of another cost are still checked with theirs.
    pub fn new(cost: HashCost) -> Result<Self, InvalidCost> {
        let params = Params::new(
            cost.memory_kib,
            cost.iterations,
            cost.parallelism,
            Some(HASH_LENGTH),
        )
        .map_err(|error| InvalidCost(error.to_string()))?;
        Ok(Self {
            memory: vec![Block::default(); params.block_count()],
            params,
        })
    }

    /// Hashes a password with a new salt of 128 bits.
    ///
    /// # Panics
    ///
    /// Never for parameters that [`Hasher::new`] took.
    pub fn hash(&mut self, password: &Password) -> PasswordHash {
        let salt = SaltString::encode_b64(&random::bytes::<SALT_LENGTH>())
            .expect("16 bytes are a valid salt");
        let mut raw = [0; SALT_LENGTH];
        let salt_bytes = salt
            .as_salt()
            .decode_b64(&mut raw)
            .expect("a salt just encoded decodes");
        let params = self.params.clone();
        let output = self.run(&params, password, salt_bytes);
        PasswordHash(encode(&params, salt.as_salt(), &output))
    }

    /// Whether the password is the one that was hashed. A hash of unknown form never matches.
    #[must_use]
    pub fn verify(&mut self, password: &Password, hash: &PasswordHash) -> bool {
        if let Some(imported) = Pbkdf2::parse(hash.as_str()) {
            return imported.verify(password);
        }
        let Ok(phc) = Phc::new(hash.as_str()) else {
            return false;
        };
        let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
            return false;
        };
        let Ok(params) = Params::try_from(&phc) else {
            return false;
        };
        if phc.algorithm != Algorithm::Argon2id.ident() || !is_affordable(&params) {
            return false;
        }
        let mut raw = [0; Salt::MAX_LENGTH];
        let Ok(salt) = salt.decode_b64(&mut raw) else {
            return false;
        };
        let salt = salt.to_vec();
        if salt.len() < MIN_SALT_LEN {
            return false;
        }
        let output = self.run(&params, password, &salt);
        output.as_bytes().ct_eq(expected.as_bytes()).into()
    }

    fn run(&mut self, params: &Params, password: &Password, salt: &[u8]) -> Output {
        self.memory.resize(
            params.block_count().max(self.memory.len()),
            Block::default(),
        );
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let length = params.output_len().unwrap_or(HASH_LENGTH);
        Output::init_with(length, |out| {
            argon2
                .hash_password_into_with_memory(password.bytes(), salt, out, &mut self.memory)
                .map_err(Into::into)
        })
        .expect("parameters were checked when they were read")
    }
}

fn encode(params: &Params, salt: Salt<'_>, output: &Output) -> String {
    let phc = Phc {
        algorithm: Ident::new_unwrap("argon2id"),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).expect("argon2 parameters have a text form"),
        salt: Some(salt),
        hash: Some(*output),
    };
    phc.to_string()
}

/// Hashes may come from elsewhere: one that would cost a gigabyte or minutes is no hash of ours.
fn is_affordable(params: &Params) -> bool {
    params.m_cost() <= 1024 * 1024 && params.t_cost() <= 100 && params.p_cost() <= 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> Hasher {
        Hasher::new(HashCost::FLOOR).unwrap()
    }

    #[test]
    fn a_hash_is_argon2id_at_the_recommended_cost() {
        let hash = hasher().hash(&Password::new("correct horse"));

        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[test]
    fn only_the_very_same_password_matches() {
        let mut hasher = hasher();
        let long = "x".repeat(72);
        let hash = hasher.hash(&Password::new(&format!("{long}a")));

        assert!(hasher.verify(&Password::new(&format!("{long}a")), &hash));
        assert!(!hasher.verify(&Password::new(&format!("{long}b")), &hash));
        assert!(!hasher.verify(&Password::new(&format!("{long}a ")), &hash));
    }

    #[test]
    fn a_hash_of_another_cost_is_checked_with_its_own() {
        let cost = HashCost {
            memory_kib: 32_768,
            iterations: 3,
            parallelism: 2,
        };
        let hash = Hasher::new(cost)
            .unwrap()
            .hash(&Password::new("correct horse"));

        assert!(hasher().verify(&Password::new("correct horse"), &hash));
    }

    #[test]
    fn what_is_no_hash_matches_nothing() {
        for stored in [
            "",
            "!",
            "plain",
            "$argon2id$",
            "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$YWJjZGVmZ2hpamtsbW5vcA",
        ] {
            assert!(
                !hasher().verify(
                    &Password::new("plain"),
                    &PasswordHash::from(stored.to_owned())
                ),
                "{stored}"
            );
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
        let higher = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHQ$YWJjZGVmZ2hpamtsbW5vcA";
        assert!(!stored(higher).is_outdated(HashCost::FLOOR));
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
