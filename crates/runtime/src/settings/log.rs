//! `[log]`: what is logged, and in which shape. Read by [`crate::telemetry`].

use serde::{Deserialize, Serialize};

use super::check::Checks;
use crate::telemetry;

/// What is logged, and in which shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Log {
    /// A level, or directives like `info,smart_notes_worker=debug`; checked at start.
    pub level: String,
    /// The shape of a line.
    pub format: LogFormat,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl Log {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        if let Err(error) = telemetry::check_level(&self.level) {
            checks.refuse("log.level", error.to_string());
        }
    }
}
