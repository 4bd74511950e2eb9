//! `[notes]`: how many notes a user may have, and for how long deleted ones are kept. Read by the
//! API, by the worker, which deletes expired notes, and by the command line tool when it shows a
//! plan.

use std::time::Duration;

use domain::plans::{NoteLimits, StorageLimits};
use serde::{Deserialize, Serialize};

use super::check::Checks;
use super::{Settings, serde_formats};

/// The limits and retention of notes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Notes {
    /// The number of notes outside the trash that the free plan allows.
    pub free_limit: u32,
    /// The same for premium; 0 means unlimited.
    pub premium_limit: u32,
    /// MiB of notes that the free plan allows, including those in the trash.
    pub free_storage_mib: u32,
    /// The same for premium; 0 means unlimited.
    pub premium_storage_mib: u32,
    /// `trash_days`: how long a note stays in the trash.
    #[serde(rename = "trash_days", with = "serde_formats::days")]
    pub trash: Duration,
    /// `tombstone_days`: how long the feed tells devices that a note was deleted. A device that was
    /// offline for longer must sync from the start.
    #[serde(rename = "tombstone_days", with = "serde_formats::days")]
    pub tombstones: Duration,
}

impl Settings {
    /// The number of notes and bytes that each plan allows. `limits.enabled = false` disables the
    /// limit of bytes.
    #[must_use]
    pub fn note_limits(&self) -> NoteLimits {
        let notes = &self.notes;
        let bytes = |mib: u32| (mib > 0 && self.limits.enabled).then(|| u64::from(mib) << 20);
        NoteLimits {
            free: notes.free_limit,
            premium: (notes.premium_limit > 0).then_some(notes.premium_limit),
            storage: StorageLimits {
                free: bytes(notes.free_storage_mib),
                premium: bytes(notes.premium_storage_mib),
            },
        }
    }
}

impl Notes {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        checks.range("notes.free_storage_mib", self.free_storage_mib, 1..=1 << 30);
        checks.range(
            "notes.premium_storage_mib",
            self.premium_storage_mib,
            0..=1 << 30,
        );
        checks.require(
            self.premium_storage_mib == 0 || self.premium_storage_mib >= self.free_storage_mib,
            "notes.premium_storage_mib",
            format!(
                "{} is less than notes.free_storage_mib ({}): premium would allow fewer bytes than the free plan. \
                 Raise it, or write 0 for any number",
                self.premium_storage_mib, self.free_storage_mib
            ),
        );
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
