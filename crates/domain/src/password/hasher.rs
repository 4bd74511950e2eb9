//! Creates and checks hashes with argon2id.
//!
//! Hashing costs about 14 ms of a core by design; callers run [`Hasher`] on a bounded
//! pool of threads (`runtime::hashing`), never on an async thread.

use argon2::password_hash::{Ident, Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;

use super::Password;
use super::django::Pbkdf2;
use super::hash::{Argon2id, HASH_LENGTH, HashCost, PasswordHash, new_salt};

/// The cost can't be used with argon2id.
#[derive(Debug, thiserror::Error)]
#[error("these argon2 parameters do not go together: {0}")]
pub struct InvalidCost(String);

/// Creates and checks hashes. It reuses its block of memory, which saves 5 % per hash.
pub struct Hasher {
    params: Params,
    memory: Vec<Block>,
}

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

    /// Hashes the NFC form of a password with a new salt of 128 random bits.
    ///
    /// # Panics
    ///
    /// Never for parameters that [`Hasher::new`] took.
    pub fn hash(&mut self, password: &Password) -> PasswordHash {
        let salt = new_salt(true);
        let mut raw = [0; Salt::MAX_LENGTH];
        let salt_bytes = salt
            .as_salt()
            .decode_b64(&mut raw)
            .expect("a salt just encoded decodes");
        let params = self.params.clone();
        let output = self.run(&params, &password.normal(), salt_bytes);
        PasswordHash::from(encode(&params, salt.as_salt(), &output))
    }

    /// Whether the password is the one that was hashed. A hash of unknown form never matches.
    ///
    /// One hash is computed. Only where the stored one is of a text as typed, and the password is written otherwise in
    /// another normal form, there are two or three: that many for every such hash, whosever it is.
    #[must_use]
    pub fn verify(&mut self, password: &Password, hash: &PasswordHash) -> bool {
        if hash.is_of_nfc() {
            return self.matches(&password.normal(), hash);
        }
        let spellings = password.spellings();
        spellings
            .iter()
            .any(|spelling| self.matches(spelling, hash))
    }

    fn matches(&mut self, password: &Password, hash: &PasswordHash) -> bool {
        if let Some(imported) = Pbkdf2::parse(hash.as_str()) {
            return imported.verify(password);
        }
        let Some(stored) = Argon2id::parse(hash.as_str()) else {
            return false;
        };
        let output = self.run(&stored.params, password, &stored.salt);
        output.as_bytes().ct_eq(stored.output.as_bytes()).into()
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

    impl Hasher {
        /// A hash as they were made before they were of the NFC form.
        pub(in super::super) fn hash_as_typed(&mut self, password: &Password) -> PasswordHash {
            let salt = new_salt(false);
            let mut raw = [0; Salt::MAX_LENGTH];
            let params = self.params.clone();
            let output = self.run(
                &params,
                password,
                salt.as_salt().decode_b64(&mut raw).unwrap(),
            );
            PasswordHash::from(encode(&params, salt.as_salt(), &output))
        }
    }

    #[test]
    fn a_hash_is_argon2id_at_the_recommended_cost() {
        let hash = hasher().hash(&Password::new("correct horse"));

        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    /// NIST SP 800-63B-4, section 3.1.1.2; RFC 8265, section 4.2.
    #[test]
    fn a_password_matches_in_every_canonical_form_and_no_other() {
        let mut hasher = hasher();
        let (composed, decomposed) = ("\u{fc}ber f\u{fc}nf", "u\u{308}ber fu\u{308}nf");

        for typed in [composed, decomposed] {
            let hash = hasher.hash(&Password::new(typed));

            assert!(hasher.verify(&Password::new(composed), &hash));
            assert!(hasher.verify(&Password::new(decomposed), &hash));
            assert!(!hasher.verify(&Password::new("uber funf"), &hash));
        }
        let wide = hasher.hash(&Password::new("\u{ff41}bcdefgh"));
        assert!(!hasher.verify(&Password::new("abcdefgh"), &wide));
    }

    /// The hash of the text as typed: `über fünf`, once in NFC and once in NFD.
    #[test]
    fn an_old_hash_matches_in_every_canonical_form_and_is_outdated() {
        let mut hasher = hasher();
        let (composed, decomposed) = ("\u{fc}ber f\u{fc}nf", "u\u{308}ber fu\u{308}nf");

        for typed in [composed, decomposed] {
            let old = hasher.hash_as_typed(&Password::new(typed));

            assert!(hasher.verify(&Password::new(composed), &old));
            assert!(hasher.verify(&Password::new(decomposed), &old));
            assert!(!hasher.verify(&Password::new("uber funf"), &old));
            assert!(old.is_outdated(HashCost::FLOOR));
        }
    }

    #[test]
    fn how_many_spellings_are_tried_depends_on_the_text_alone() {
        let count = |text: &str| Password::new(text).spellings().len();

        assert_eq!(count("correct horse"), 1);
        assert_eq!(count("\u{fc}ber"), 2);
        assert_eq!(count("u\u{308}ber"), 2);
        assert_eq!(count("u\u{308}b\u{e9}r"), 3);
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
}
