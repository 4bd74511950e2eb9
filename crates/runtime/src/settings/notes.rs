//! `[notes]`: how many notes a user may hold, and what is kept of deleted ones. Read by the API, by the worker, which
//! sweeps, and by the command line where it shows a plan.

use std::time::Duration;

use domain::plans::NoteLimits;
use serde::{Deserialize, Serialize};

use super::check::Checks;
use super::units;

/// What holds for notes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notes {
    /// Notes outside of the trash that the free plan allows.
    pub free_limit: u32,
    /// The same for premium; 0: any number.
    pub premium_limit: u32,
    /// `trash_days`: how long a note stays in the trash.
    #[serde(rename = "trash_days", with = "units::days")]
    pub trash: Duration,
    /// `tombstone_days`: how long devices are told that a note was deleted; one that was away for longer starts over.
    #[serde(rename = "tombstone_days", with = "units::days")]
    pub tombstones: Duration,
}

impl Notes {
    /// How many notes each plan allows.
    #[must_use]
    pub fn limits(&self) -> NoteLimits {
        NoteLimits {
            free: self.free_limit,
            premium: (self.premium_limit > 0).then_some(self.premium_limit),
        }
    }

    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        checks.range("notes.free_limit", self.free_limit, 0..=1_000_000_000);
        checks.range("notes.premium_limit", self.premium_limit, 0..=1_000_000_000);
        for (key, kept) in [
            ("notes.trash_days", self.trash),
            ("notes.tombstone_days", self.tombstones),
        ] {
            checks.range(key, kept.as_secs() / 86_400, 1..=3650);
        }
        checks.require(
            self.premium_limit == 0 || self.premium_limit >= self.free_limit,
            "notes.premium_limit",
            format!(
                "{} is less than notes.free_limit ({}): premium would allow fewer notes than the free plan. \
                 Raise it, or write 0 for any number",
                self.premium_limit, self.free_limit
            ),
        );
    }
}
