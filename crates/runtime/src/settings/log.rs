//! `[log]`: the level and format of log lines. Read by [`crate::telemetry`].

use serde::{Deserialize, Serialize};

use super::check::Checks;
use crate::telemetry;

/// The level and format of log lines.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Log {
    /// A level, or directives like `info,smart_notes_worker=debug`; checked at start.
    pub level: String,
    /// The format of log lines.
    pub format: LogFormat,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line, for machines.
    Json,
}

impl Log {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        if let Err(error) = telemetry::check_level(&self.level) {
            checks.refuse("log.level", error.to_string());
        }
    }
}
