//! The source of a value, described so that an operator can find it.
//!
//! Separate from loading because errors and `smart-notes config` both show it.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// The source of a setting's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded `config/default.toml`, or the machine itself (host name, cores).
    Default,
    /// A file: `--config` or `secret_key_file`.
    File(PathBuf),
    /// A variable in the `.env` file.
    Dotenv {
        /// The file that was read.
        file: PathBuf,
        /// The name of the variable, or both names if two variables make up one value.
        variable: String,
    },
    /// An environment variable, or two that make up one value.
    Environment(String),
    /// A command-line flag.
    Flag,
    /// A file that this crate generated, in development only.
    Generated(PathBuf),
}

impl Source {
    /// The precedence of a source: a higher one wins.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File(_) | Self::Generated(_) => 1,
            Self::Dotenv { .. } => 2,
            Self::Environment(_) => 3,
            Self::Flag => 4,
        }
    }

    /// Whether the value was given as a variable; then messages name keys as variables.
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
