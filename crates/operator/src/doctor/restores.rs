//! Whether devices have shown that the database was restored from a backup without `after-restore`.

use jiff::{SignedDuration, Timestamp};
use runtime::database::Database;

use super::report::Report;

/// How long it is told: who has not synced since then starts over.
const TOLD: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Says of how many users, and when last.
pub async fn check(database: &Database, report: &mut Report<'_>) {
    let shown = database.vitals.restore_shown(Timestamp::now() - TOLD).await;
    let Ok(Some(shown)) = shown else {
        return;
    };
    report.warning(
        "restored",
        format!(
            "devices have numbers that this database never gave, as if it had been restored from a backup (users: {}; \
             the last is {}, at {:.0})",
            shown.users, shown.last.0, shown.at
        ),
        "if it was restored, run `smart-notes after-restore`; if not, the app of these users names versions that it \
         was not told",
    );
}
