//! `[limits]`: rates and budgets against abuse. Read by the API.

use serde::{Deserialize, Serialize};

use super::check::Checks;

/// Rates and budgets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// False lifts every rate and budget, those of mail too; the tries per code and the
    /// hourly notice stay. Never false in production.
    pub enabled: bool,
    /// Attempts of one mail address (registrations, codes) that may be alive at once; one
    /// more is refused, none is evicted.
    pub live_attempts_per_address: u32,
}

impl Limits {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        let live = self.live_attempts_per_address;
        checks.range("limits.live_attempts_per_address", live, 1..=1000);
    }
}
