//! Whether devices indicate that the database was restored from a backup without `after-restore`.

use jiff::{SignedDuration, Timestamp};
use runtime::database::Database;

use super::report::Report;

/// For how long it is reported: devices that have not synced since then start over.
const REPORTED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Reports the number of users, and the latest one.
pub async fn check(database: &Database, report: &mut Report<'_>) {
    let shown = database
        .store
        .read(|reader| reader.restore_shown(Timestamp::now() - REPORTED))
        .await;
    let Ok(Some(shown)) = shown else {
        return;
    };
    report.warning(
        "restored",
        format!(
            "devices have change numbers that this database never issued, as after a restore from a backup (users: {}; \
             the latest is user {}, at {:.0})",
            shown.users, shown.last.0, shown.at
        ),
        "if it was restored, run `smart-notes after-restore`; otherwise the app of these users sends numbers that it \
         was never given",
    );
}
