//! One-time codes that are stored nowhere.
//!
//! The code of a challenge is derived, by the worker when it mails it and by the API when
//! it checks it, from the secret key and from a random nonce in the challenge's row:
//!
//! ```text
//! u128 of HMAC-SHA-256( HKDF(secret key, "otp/v1"), version ‖ purpose ‖ subject ‖ generation ‖ nonce )  mod 10^6
//! ```
//!
//! each part preceded by its length. The key alone gives no code, nor does the database; a
//! re-send mails the same digits. Taking 128 bits modulo a million leaves a bias below
//! 2⁻¹⁰⁸ (RFC 4226, appendix A, discusses why the bias matters).

mod spelling;

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use self::spelling::{TypedCode, cleaned};
use crate::email::EmailKey;

/// The number of digits of a code.
pub const DIGITS: usize = 6;

const VERSION: &[u8] = b"1";
const MODULUS: u128 = 1_000_000;

/// The purpose of a code. A code is refused for every other purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To prove that the registered address is the registrant's.
    VerifyEmail,
    /// To set a new password without the old one.
    ResetPassword,
    /// To delete the account.
    DeleteAccount,
    /// To prove that the new address is the user's.
    ChangeEmail,
    /// To log in without a password, where that is switched on (NIST SP 800-63B-4 §3.1.3.1: not a second factor).
    LogIn,
}

impl Purpose {
    /// All purposes.
    pub const ALL: [Self; 5] = [
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::DeleteAccount,
        Self::ChangeEmail,
        Self::LogIn,
    ];

    /// The purpose as it is stored and as it enters the code's derivation: never change these.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::DeleteAccount => "delete_account",
            Self::ChangeEmail => "change_email",
            Self::LogIn => "log_in",
        }
    }
}

impl std::str::FromStr for Purpose {
    type Err = UnknownPurpose;

    fn from_str(text: &str) -> Result<Self, UnknownPurpose> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
            .ok_or_else(|| UnknownPurpose(text.to_owned()))
    }
}

/// A stored purpose that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no purpose of a code that this version knows")]
pub struct UnknownPurpose(String);

/// A secret key, named by its fingerprint so that rows can say which one they need.
pub struct SigningKey {
    id: KeyId,
    otp: SecretSlice<u8>,
    address: SecretSlice<u8>,
}

/// The first 64 bits of a hash of a key: names it without telling anything about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The fingerprint as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for KeyId {
    /// A fingerprint read back from a store.
    fn from(stored: String) -> Self {
        Self(stored)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SigningKey {
    fn new(secret: &SecretSlice<u8>) -> Self {
        let derive = |label: &[u8]| {
            let mut key = vec![0; 32];
            Hkdf::<Sha256>::new(None, secret.expose_secret())
                .expand(label, &mut key)
                .expect("32 bytes are a valid length for HKDF-SHA-256");
            key
        };
        let otp = derive(b"otp/v1");
        let fingerprint = Sha256::digest([b"key/v1".as_slice(), &otp].concat());
        Self {
            id: KeyId(hex::encode(&fingerprint[..8])),
            otp: otp.into(),
            address: derive(b"address/v1").into(),
        }
    }
}

/// The key that makes new codes and the older ones that still check theirs.
pub struct KeyRing {
    current: SigningKey,
    fallbacks: Vec<SigningKey>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "KeyRing(current {}, {} fallbacks)",
            self.current.id,
            self.fallbacks.len()
        )
    }
}

/// The facts a code is derived from, all of them kept in the challenge's row.
#[derive(Debug, Clone)]
pub struct CodeSeed {
    /// The key that makes the code.
    pub key: KeyId,
    /// What the code is for.
    pub purpose: Purpose,
    /// Whom it is for: the registration's or the user's id.
    pub subject: String,
    /// Counts the challenges of one subject, from 1.
    pub generation: i64,
    /// 128 random bits that never leave the database.
    pub nonce: [u8; 16],
    /// Which form the code has.
    pub form: CodeForm,
}

/// The form of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodeForm {
    /// A code of six digits.
    Short,
    /// Twelve letters and digits (60 bits), for an address at whose codes too many wrong guesses were made.
    Long,
}

/// The number of characters of a long code.
pub const LONG_LENGTH: usize = 12;

/// Crockford's base 32: no letter that is read as a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code. Neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// The digits, for the mail's text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this is what was typed. Takes the same time for every wrong code.
    #[must_use]
    pub fn matches(&self, typed: &TypedCode) -> bool {
        self.0.as_bytes().ct_eq(typed.as_bytes()).into()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

impl KeyRing {
    /// A ring of the key in use and of those it replaced.
    #[must_use]
    pub fn new(current: &SecretSlice<u8>, fallbacks: &[SecretSlice<u8>]) -> Self {
        Self {
            current: SigningKey::new(current),
            fallbacks: fallbacks.iter().map(SigningKey::new).collect(),
        }
    }

    /// The fingerprint of the key that new challenges get.
    #[must_use]
    pub fn current(&self) -> &KeyId {
        &self.current.id
    }

    /// The fingerprints of all keys in the ring.
    #[must_use]
    pub fn ids(&self) -> Vec<KeyId> {
        std::iter::once(&self.current)
            .chain(&self.fallbacks)
            .map(|key| key.id.clone())
            .collect()
    }

    /// What is kept in the place of the address of an account that is gone: the same for the same
    /// address, and of no use without the key.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn pseudonym(&self, email: &EmailKey) -> String {
        let key = self.current.address.expose_secret();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(email.as_str().as_bytes());
        format!("gone:{}", hex::encode(&mac.finalize().into_bytes()[..16]))
    }

    /// The code of a challenge, or `None` if its key is not in this ring.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes keys of any length.
    #[must_use]
    pub fn code(&self, seed: &CodeSeed) -> Option<Code> {
        let key = std::iter::once(&self.current)
            .chain(&self.fallbacks)
            .find(|key| key.id == seed.key)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.otp.expose_secret())
            .expect("HMAC takes a key of any length");
        let generation = seed.generation.to_be_bytes();
        for part in [
            VERSION,
            seed.purpose.as_str().as_bytes(),
            seed.subject.as_bytes(),
            &generation,
            &seed.nonce,
        ] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        if seed.form == CodeForm::Long {
            mac.update(b"long");
        }
        let tag = mac.finalize().into_bytes();
        let mut wide = [0; 16];
        wide.copy_from_slice(&tag[..16]);
        let number = u128::from_be_bytes(wide);
        Some(match seed.form {
            CodeForm::Short => Code(format!("{:0DIGITS$}", number % MODULUS)),
            CodeForm::Long => Code(
                (0..LONG_LENGTH)
                    .map(|place| char::from(ALPHABET[(number >> (5 * place)) as usize % 32]))
                    .collect(),
            ),
        })
    }
}

#[cfg(test)]
mod tests;
