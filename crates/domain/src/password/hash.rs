//! Hashes that are kept instead of passwords: argon2id, made and checked.
//!
//! Hashing costs about 14 ms of a core by design; callers run [`Hasher`] on a bounded
//! pool of threads (`runtime::hashing`), never on an async thread.

use std::fmt;

use argon2::password_hash::{Ident, Output, ParamsString, PasswordHash as Phc, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, MIN_SALT_LEN, Params, Version};
use subtle::ConstantTimeEq;

use super::Password;
use super::django::{self, Pbkdf2};
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
    fn is_of_nfc(&self) -> bool {
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

/// How the salt of a hash begins that is of the password's NFC form. Three bytes are four characters of base64.
const NFC: &[u8] = b"NFC";
const NFC_BASE64: &str = "TkZD";

/// A new salt with 128 random bits.
fn new_salt(of_nfc: bool) -> SaltString {
    let random = random::bytes::<SALT_LENGTH>();
    let salt = if of_nfc {
        SaltString::encode_b64(&[NFC, &random].concat())
    } else {
        SaltString::encode_b64(&random)
    };
    salt.expect("16 to 19 bytes are a valid salt")
}

/// A stored hash of ours, taken apart.
struct Argon2id {
    params: Params,
    salt: Vec<u8>,
    output: Output,
}

impl Argon2id {
    /// Takes a hash apart, or says `None` if it is of another form or too costly.
    fn parse(stored: &str) -> Option<Self> {
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
        PasswordHash(encode(&params, salt.as_salt(), &output))
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

    impl Hasher {
        /// A hash as they were made before they were of the NFC form.
        fn hash_as_typed(&mut self, password: &Password) -> PasswordHash {
            let salt = new_salt(false);
            let mut raw = [0; Salt::MAX_LENGTH];
            let params = self.params.clone();
            let output = self.run(
                &params,
                password,
                salt.as_salt().decode_b64(&mut raw).unwrap(),
            );
            PasswordHash(encode(&params, salt.as_salt(), &output))
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
