//! What one check found.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Not checked; the message says why.
    Skipped,
    /// It works, and an operator should look at it.
    Warning,
    /// It must be fixed.
    Problem,
}

impl Level {
    /// The sign that is shown before the message.
    #[must_use]
    pub fn mark(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Skipped => '–',
            Self::Warning => '!',
            Self::Problem => '✗',
        }
    }
}

/// What one check found. Holds no secret.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What it is about, such as `database`.
    pub group: &'static str,
    /// The name of the check, stable between versions.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found, in a sentence.
    pub message: String,
    /// How to fix it, where there is something to fix.
    pub fix: Option<String>,
}
