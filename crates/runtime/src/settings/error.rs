//! The problems of the settings, each with its source and its fix.
//!
//! Separate from the checks because `main` and the command line tool print these.

use std::fmt;

use super::source::Source;

/// The reason why a process can't start: every problem that was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// The problems in the order of detection; at least one.
    pub problems: Vec<Problem>,
}

/// One invalid setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, like `http.listen`, or the name of the variable or file if there is no key.
    pub key: String,
    /// The source of the value; `None` if there is no value.
    pub source: Option<Source>,
    /// The problem and its fix. Never contains a secret.
    pub message: String,
}

/// A missing setting that a serving process needs. A problem for the API and the worker, a remark
/// for a command that only inspects
/// ([`LoadOptions::inspect_only`](super::LoadOptions::inspect_only)).
#[derive(Clone, Debug)]
pub(super) struct Missing {
    pub key: &'static str,
    pub source: Option<Source>,
    /// The reason why the setting is needed, and the fix.
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
