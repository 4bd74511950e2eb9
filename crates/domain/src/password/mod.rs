//! Passwords: what is accepted, and the hashes that are kept instead of them.
//!
//! [`rules`] says what may become a password, [`hash`] makes and checks hashes, and [`django`]
//! reads those of the service that this one replaces.

pub mod django;
pub mod hash;
pub mod rules;

use secrecy::{ExposeSecret, SecretString};

pub use hash::{HashCost, Hasher, InvalidCost, PasswordHash};
pub use rules::{Attribute, LengthRule, PasswordError};

/// A password as typed: never trimmed, never cut, never shown.
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
        let found = rules::faults(text, rule, account);
        if found.is_empty() {
            Ok(Self::new(text))
        } else {
            Err(found)
        }
    }

    /// What of its account the password is too close to, each with what the account has there.
    #[must_use]
    pub fn too_similar(&self, account: &[(Attribute, &str)]) -> Vec<PasswordError> {
        rules::similarities(self.text(), account)
    }

    fn text(&self) -> &str {
        self.0.expose_secret()
    }

    fn bytes(&self) -> &[u8] {
        self.text().as_bytes()
    }
}
