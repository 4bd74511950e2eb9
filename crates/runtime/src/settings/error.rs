//! What is wrong with the settings: all of it at once, each with its place and its mend.
//!
//! Apart from the checks because `main` and the command line tool print these.

use std::fmt;

use super::source::Source;

/// Why a process can't start: every problem that was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// At least one; in the order in which they were found.
    pub problems: Vec<Problem>,
}

/// One setting that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, like `http.listen`, or the variable's or file's own name where there is no key.
    pub key: String,
    /// Where the value came from; `None` if it came from nowhere, which is the problem.
    pub source: Option<Source>,
    /// What is wrong and how to mend it. Never holds a secret.
    pub message: String,
}

/// What a process that serves needs and was not told. A problem for it, a remark for a command
/// that only looks at things ([`LoadOptions::keyless`](super::LoadOptions::keyless)).
#[derive(Clone, Debug)]
pub(super) struct Missing {
    pub key: &'static str,
    pub source: Option<Source>,
    /// Why that can't be, and how to mend it.
    pub why: String,
}

impl From<Missing> for Problem {
    fn from(missing: Missing) -> Self {
        Self {
            key: missing.key.to_owned(),
            source: missing.source,
            message: format!("is not set, and {}", missing.why),
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("a setting can't be used:")?,
            n => write!(f, "{n} settings can't be used:")?,
        }
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if let Some(source) = &self.source {
            write!(f, " ({source})")?;
        }
        write!(f, ": {}", self.message)
    }
}
