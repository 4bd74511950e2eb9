//! Passwords: what is accepted, and the hashes that are kept instead of them.
//!
//! Hashing costs about 14 ms of a core by design; callers run [`Hasher`] on a bounded
//! pool of threads (`runtime::hashing`), never on an async thread.

use std::fmt;

use argon2::password_hash::{Ident, Output, ParamsString, PasswordHash as Phc, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::random;

/// A password as typed: never trimmed, never cut, never shown.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

/// How long a password may be, in code points (NIST SP 800-63B-4, section 3.1.1.2; OWASP ASVS 5.0 6.2.1, 6.2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthRule {
    /// The shortest password accepted.
    pub min: usize,
    /// The longest password accepted; hashing cost does not depend on it.
    pub max: usize,
}

impl Default for LengthRule {
    fn default() -> Self {
        Self { min: 8, max: 256 }
    }
}

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer code points than the rule asks for.
    #[error("This password is too short. It must contain at least {0} characters.")]
    TooShort(usize),
    /// More code points than the rule allows.
    #[error("Ensure this field has no more than {0} characters.")]
    TooLong(usize),
}

impl Password {
    /// Takes any text, to check it against a hash.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// Takes a text that is to become somebody's password.
    pub fn choose(text: &str, rule: LengthRule) -> Result<Self, PasswordError> {
        let length = text.chars().count();
        if length < rule.min {
            return Err(PasswordError::TooShort(rule.min));
        }
        if length > rule.max {
            return Err(PasswordError::TooLong(rule.max));
        }
        Ok(Self::new(text))
    }

    fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

/// A password's hash as it is stored: a PHC string such as `$argon2id$v=19$m=19456,t=2,p=1$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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
        let Ok(phc) = Phc::new(hash.as_str()) else {
            return false;
        };
        let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
            return false;
        };
        let Ok(params) = Params::try_from(&phc) else {
            return false;
        };
        if phc.algorithm != Algorithm::Argon2id.ident() {
            return false;
        }
        let mut raw = [0; Salt::MAX_LENGTH];
        let Ok(salt) = salt.decode_b64(&mut raw) else {
            return false;
        };
        let salt = salt.to_vec();
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

    #[test]
    fn length_counts_code_points_and_nothing_is_trimmed() {
        let rule = LengthRule::default();

        assert_eq!(
            Password::choose("1234567", rule).unwrap_err(),
            PasswordError::TooShort(8)
        );
        assert!(Password::choose("пароль12", rule).is_ok());
        assert!(Password::choose("        ", rule).is_ok());
        assert!(Password::choose(&"é".repeat(256), rule).is_ok());
        assert_eq!(
            Password::choose(&"é".repeat(257), rule).unwrap_err(),
            PasswordError::TooLong(256)
        );
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
