//! Identifiers. Each is its own type, so that one can't be passed for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A user's number, as clients of the API see it in `user_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The error for a text that is not an identifier.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an identifier: 26 characters of Crockford's base 32 are expected")]
pub struct InvalidId(String);

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(ulid::Ulid);

        impl $name {
            /// A new identifier: the current millisecond and 80 random bits.
            #[must_use]
            pub fn generate() -> Self {
                Self(ulid::Ulid::generate())
            }

            /// The identifier as a ULID.
            #[must_use]
            pub fn ulid(self) -> ulid::Ulid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse().map(Self).map_err(|_| InvalidId(text.to_owned()))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
    };
}

ulid_id!(
    /// One attempt to register: a username, an address and a password that wait for a code.
    RegistrationId
);
ulid_id!(
    /// One challenge: a code that was, or will be, mailed.
    ChallengeId
);
ulid_id!(
    /// One mail. The queue's job has the same id, and it is the local part of the Message-ID.
    MailId
);
ulid_id!(
    /// One session: a token that was issued by a login.
    SessionId
);
