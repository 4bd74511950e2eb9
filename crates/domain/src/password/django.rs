//! Hashes of the service that this one replaces: Django's `pbkdf2_sha256$iterations$salt$base64`.
//!
//! They are only checked, never created: a login replaces one by a hash of [`super::hash`]. Hashes
//! of Django's other algorithms match nothing, so their owners set a new password by mail.

use argon2::password_hash::Output;
use pbkdf2::pbkdf2_hmac_array;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{Password, PasswordHash};
use crate::random;

/// The prefix of every such hash.
pub const PREFIX: &str = "pbkdf2_sha256$";

/// The iterations of Django 5.2, with which the replaced service ran.
pub const USUAL_ITERATIONS: u32 = 1_000_000;

/// A hash of more iterations matches nothing: it would hold a thread for seconds. Django adds
/// a fifth to its count each release, so this lasts for years.
const MOST_ITERATIONS: u32 = 5_000_000;

const LENGTH: usize = 32;

/// A stored hash, taken apart.
pub(super) struct Pbkdf2<'a> {
    iterations: u32,
    salt: &'a str,
    output: Output,
}

impl<'a> Pbkdf2<'a> {
    /// Takes a hash apart, or says `None` if it is of another form or too costly.
    pub(super) fn parse(stored: &'a str) -> Option<Self> {
        let mut parts = stored.strip_prefix(PREFIX)?.split('$');
        let (iterations, salt, output) = (parts.next()?, parts.next()?, parts.next()?);
        let iterations = iterations.parse().ok()?;
        // 32 bytes end in one `=`, which PHC's base64 has not; the alphabets are the same.
        let output = Output::b64_decode(output.strip_suffix('=')?).ok()?;
        let whole = parts.next().is_none() && !salt.is_empty() && output.len() == LENGTH;
        let payable = (1..=MOST_ITERATIONS).contains(&iterations);
        (whole && payable).then_some(Self {
            iterations,
            salt,
            output,
        })
    }

    /// Whether the password is the one that was hashed.
    pub(super) fn verify(&self, password: &Password) -> bool {
        let made = pbkdf2_hmac_array::<Sha256, LENGTH>(
            password.bytes(),
            self.salt.as_bytes(),
            self.iterations,
        );
        made.ct_eq(self.output.as_bytes()).into()
    }
}

/// The iterations of such a hash, if it is one that is checked.
#[must_use]
pub fn iterations(hash: &PasswordHash) -> Option<u32> {
    Pbkdf2::parse(hash.as_str()).map(|parsed| parsed.iterations)
}

/// A hash that no password matches, which takes as long to check as one of that many iterations.
///
/// # Panics
///
/// Never: 32 bytes have a base64 form.
#[must_use]
pub fn of_nobody(iterations: u32) -> PasswordHash {
    let output = Output::new(&random::bytes::<LENGTH>()).expect("32 bytes are a valid output");
    let salt = hex::encode(random::bytes::<11>());
    PasswordHash::from(format!("{PREFIX}{iterations}${salt}${output}="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::{HashCost, Hasher};

    /// Made by Django 5.2: `PBKDF2PasswordHasher().encode("correct horse", "seasalt", 1000)`.
    const STORED: &str = "pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=";

    fn verify(password: &str, stored: &str) -> bool {
        let hash = PasswordHash::from(stored.to_owned());
        Hasher::new(HashCost::FLOOR)
            .unwrap()
            .verify(&Password::new(password), &hash)
    }

    /// OWASP ASVS 5.0 11.4.2.
    #[test]
    fn a_hash_of_django_matches_its_password_alone() {
        assert!(verify("correct horse", STORED));
        assert!(!verify("correct horse ", STORED));
        assert!(!verify("", STORED));
    }

    #[test]
    fn what_is_not_quite_such_a_hash_matches_nothing() {
        let output = STORED.rsplit('$').next().unwrap();
        for stored in [
            STORED.replace("pbkdf2_sha256", "pbkdf2_sha1"),
            STORED.replace("$1000$", "$1001$"),
            STORED.replace("$1000$", "$0$"),
            STORED.replace("$1000$", "$-1$"),
            STORED.replace("$1000$", "$5000001$"),
            STORED.replace("$1000$", "$99999999999$"),
            STORED.replace("seasalt", ""),
            STORED.replace("seasalt", "pepper"),
            STORED.replace(output, ""),
            STORED.replace(output, "AAAA"),
            STORED.replace('=', ""),
            format!("{STORED}$"),
            "!".to_owned(),
            "bcrypt_sha256$$2b$12$abc".to_owned(),
            "md5$salt$098f6bcd4621d373cade4e832627b4f6".to_owned(),
        ] {
            assert!(!verify("correct horse", &stored), "{stored}");
        }
    }

    #[test]
    fn a_dummy_has_the_form_and_cost_of_a_real_one() {
        let dummy = of_nobody(USUAL_ITERATIONS);

        assert_eq!(iterations(&dummy), Some(USUAL_ITERATIONS));
        assert_ne!(dummy, of_nobody(USUAL_ITERATIONS));
    }
}
