//! The kinds of mail, each with what its templates may use, and a sample of it.
//!
//! The samples are what previews and snapshot tests show.

use std::fmt;

use domain::mail::{MailKind, Priority};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::smtp::Secrets;

/// A mail's kind and what it is filled with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One of the kinds that carry a code.
    Code(MailKind, Code),
    /// One of the kinds that carry none, nor any text from outside.
    Notice(MailKind),
}

impl Content {
    /// The kind's name: the folder of its templates, and the word in timelines.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Code(kind, _) | Self::Notice(kind) => kind.as_str(),
        }
    }

    /// Its codes, which give access to the account.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        match self {
            Self::Code(_, code) => {
                let codes = std::iter::once(&code.code).chain(&code.long_code);
                Secrets::of_codes(codes.map(String::as_str))
            }
            Self::Notice(_) => Secrets::default(),
        }
    }

    /// One of each kind.
    #[must_use]
    pub fn samples() -> Vec<Self> {
        MailKind::ALL
            .into_iter()
            .map(|kind| match kind.priority() {
                Priority::Code => Self::Code(kind, Code::sample()),
                Priority::Notice => Self::Notice(kind),
            })
            .collect()
    }
}

impl Serialize for Content {
    /// As the context of its templates, without a wrapper that names the kind.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Code(_, context) => context.serialize(serializer),
            Self::Notice(_) => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

/// Fills the templates of every kind that carries a code.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Code {
    /// The six digits, as they are to be typed in.
    pub code: String,
    /// The code of twelve letters and digits, where the six digits count only for clients that keep the challenge.
    pub long_code: Option<String>,
    /// The username with all but its beginning hidden, such as `ab•••`: a name can look like a
    /// link, and a stranger may have chosen it.
    #[serde(serialize_with = "one_line")]
    pub username_masked: String,
    /// How long the code lives, in minutes from the request.
    pub minutes_valid: u32,
}

impl Code {
    /// An example.
    #[must_use]
    pub fn sample() -> Self {
        Self {
            code: String::from("123456"),
            long_code: None,
            username_masked: String::from("ab•••"),
            minutes_valid: 10,
        }
    }
}

impl fmt::Debug for Code {
    /// Without the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("username_masked", &self.username_masked)
            .field("minutes_valid", &self.minutes_valid)
            .finish_non_exhaustive()
    }
}

/// Text from outside stays within its line, so that it can never pass for a line of ours.
fn one_line<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.contains(breaks) {
        serializer.serialize_str(&text.replace(breaks, " "))
    } else {
        serializer.serialize_str(text)
    }
}
