//! Passwords: their rules, and the hashes that are stored instead of them.
//!
//! [`rules`] decides which passwords are accepted, [`hash`] defines the stored hashes, [`hasher`]
//! creates and checks them, and [`django`] checks the hashes of the service that this one replaces.

pub mod django;
pub mod hash;
pub mod hasher;
pub mod rules;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

pub use hash::{HashCost, HashKind, PasswordHash};
pub use hasher::{Hasher, InvalidCost};
pub use rules::{Attribute, LengthRule, PasswordError};

/// A password as typed: never trimmed, never cut, never shown.
///
/// Keyboards and systems differ in how they write one character (`ü` as one code point or as `u` and a mark), so that
/// new hashes are of the NFC form (NIST SP 800-63B-4, section 3.1.1.2; RFC 8265, section 4.2: `OpaqueString`). NFKC would
/// make one of passwords that people tell apart.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// Takes any text, to check it against a hash.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// Takes a text that is to become somebody's password, or tells all that speaks against it.
    /// `account`: what is known of them by now; the rest is for [`Password::too_similar`] to compare.
    pub fn choose(
        text: &str,
        rule: LengthRule,
        account: &[(Attribute, &str)],
    ) -> Result<Self, Vec<PasswordError>> {
        let password = Self::new(text);
        let found = rules::faults(password.normal().text(), rule, account);
        if found.is_empty() {
            Ok(password)
        } else {
            Err(found)
        }
    }

    /// What of its account the password is too close to, each with what the account has there.
    #[must_use]
    pub fn too_similar(&self, account: &[(Attribute, &str)]) -> Vec<PasswordError> {
        rules::similarities(self.text(), account)
    }

    /// Whether two are the same after normalisation.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.normal().text() == other.normal().text()
    }

    /// The form that is hashed.
    fn normal(&self) -> Self {
        Self(SecretString::from(self.text().nfc().collect::<String>()))
    }

    /// What a hash of the text as typed may have been made of: how many depends on this text alone.
    fn spellings(&self) -> Vec<Self> {
        let decomposed = Self(SecretString::from(self.text().nfd().collect::<String>()));
        let mut spellings = vec![self.clone()];
        for other in [self.normal(), decomposed] {
            if spellings.iter().all(|one| one.text() != other.text()) {
                spellings.push(other);
            }
        }
        spellings
    }

    fn text(&self) -> &str {
        self.0.expose_secret()
    }

    fn bytes(&self) -> &[u8] {
        self.text().as_bytes()
    }
}
