//! Former names of settings keys, still read so that an upgrade keeps its settings.
//!
//! Separate from the layers because a former name is reported as a warning, an unknown one as a
//! problem. Called for each layer before its unknown keys are removed.

use figment::value::{Dict, Value};

/// A key that was renamed within its section.
#[derive(Clone, Copy)]
pub(super) struct Renamed {
    section: &'static str,
    former: &'static str,
    name: &'static str,
}

const RENAMED: [Renamed; 1] = [Renamed {
    section: "limits",
    former: "live_attempts_per_address",
    name: "pending_registrations_per_address",
}];

impl Renamed {
    /// The full former key.
    pub fn former(&self) -> String {
        format!("{}.{}", self.section, self.former)
    }

    /// The full present key.
    pub fn key(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

/// Moves values under former names to the present ones, and returns the former names found. A value
/// under the present name wins.
pub(super) fn rename(values: &mut Dict) -> Vec<Renamed> {
    let mut found = Vec::new();
    for renamed in RENAMED {
        if let Some(Value::Dict(_, section)) = values.get_mut(renamed.section)
            && let Some(value) = section.remove(renamed.former)
        {
            section.entry(renamed.name.to_owned()).or_insert(value);
            found.push(renamed);
        }
    }
    found
}
