//! `[notes]`: how many notes a user may hold. Read by the API, and by the command line where it shows a plan.

use serde::{Deserialize, Serialize};

use super::check::Checks;

/// What holds for notes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notes {
    /// Notes outside of the trash that the free plan allows.
    pub free_limit: u32,
    /// The same for premium; 0: any number.
    pub premium_limit: u32,
}

impl Notes {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        checks.range("notes.free_limit", self.free_limit, 0..=1_000_000_000);
        checks.range("notes.premium_limit", self.premium_limit, 0..=1_000_000_000);
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
