//! Where a value came from, in the words an operator would use to find it.
//!
//! Apart from the reading because errors and `smart-notes config` both show it.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// The place a setting's value was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded `config/default.toml`, or the machine itself (host name, cores).
    Default,
    /// A file: that of `--config`, or that of `secret_key_file`.
    File(PathBuf),
    /// A variable in the `.env` file.
    Dotenv {
        /// The file that was read.
        file: PathBuf,
        /// The variable's name; two names where two variables make one value.
        variable: String,
    },
    /// An environment variable; two names where two variables make one value.
    Environment(String),
    /// A command-line flag.
    Flag,
    /// A file that this crate made, in development only.
    Generated(PathBuf),
}

impl Source {
    /// Which of two places wins: the higher one.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File(_) | Self::Generated(_) => 1,
            Self::Dotenv { .. } => 2,
            Self::Environment(_) => 3,
            Self::Flag => 4,
        }
    }

    /// Whether the value was given as a variable, so that keys are best named as variables.
    pub(super) fn is_variable(&self) -> bool {
        matches!(self, Self::Dotenv { .. } | Self::Environment(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Dotenv { file, variable } => write!(f, "{variable} in {}", file.display()),
            Self::Environment(name) if name.contains(' ') => {
                write!(f, "environment variables {name}")
            }
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("command-line flag"),
            Self::Generated(path) => {
                write!(f, "{} (generated for development)", path.display())
            }
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
