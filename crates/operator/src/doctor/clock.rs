//! Whether this machine's clock can be right: codes expire by it, and certificates are checked by it.

use std::path::Path;
use std::time::SystemTime;

use domain::clock;
use jiff::Timestamp;
use runtime::database::Database;
use runtime::settings::{DatabaseUrl, Settings};

use super::files;
use super::report::Report;
use crate::phrases::span;

/// Seconds by which a stored time may be ahead of the clock: times are rounded.
const SLACK: i64 = 5;

const FIX: &str =
    "enable NTP (`timedatectl set-ntp true`), and check whether the clock was set by hand";

/// Compares the clock with times that were stored earlier.
pub async fn check(settings: &Settings, database: Option<&Database>, report: &mut Report<'_>) {
    let now = Timestamp::now();
    let DatabaseUrl::Sqlite { path } = &settings.database.url;
    if !clock::is_possible(now) {
        report.problem(
            "sane",
            format!("the clock shows {now:.0}, which is impossible"),
            FIX,
        );
        return;
    }
    let mut seen = vec![("the database's files were last changed", written(path))];
    if let Some(database) = database {
        seen.push(("the last worker heartbeat was", beats(database).await));
        let newest = database
            .store
            .read(|reader| reader.newest_mail())
            .await
            .ok()
            .flatten();
        seen.push(("the newest mail was requested", newest));
        dated_ahead(database, now, report).await;
    }
    let mut behind = false;
    for (what, at) in seen {
        let ahead = at.map_or(0, |at| at.as_second() - now.as_second());
        if ahead > SLACK {
            behind = true;
            let by = span(ahead);
            report.problem(
                "behind",
                format!(
                    "{what} {by} in the future by this clock: the clock was set back, or was wrong before"
                ),
                FIX,
            );
        }
    }
    if !behind {
        report.ok("sane", format!("{now:.0}, later than every stored time"));
    }
}

/// Rows that were written while the clock was ahead.
async fn dated_ahead(database: &Database, now: Timestamp, report: &mut Report<'_>) {
    let found = database
        .store
        .read(|reader| reader.dated_ahead(now))
        .await
        .unwrap_or_default();
    if found.is_empty() {
        return;
    }
    let kinds: Vec<String> = found
        .iter()
        .map(|(kind, rows)| format!("{kind} ({rows})"))
        .collect();
    report.warning(
        "ahead",
        format!("rows dated in the future: {}", kinds.join(", ")),
        "if the clock is right now, it was ahead when they were written: limits ignore these rows, and a running \
         worker deletes or re-dates them within a minute",
    );
}

/// When the database's files were last changed.
fn written(path: &Path) -> Option<Timestamp> {
    let changed = |file: &std::path::PathBuf| file.metadata().ok()?.modified().ok();
    let latest: SystemTime = files::of_database(path).iter().filter_map(changed).max()?;
    Timestamp::try_from(latest).ok()
}

async fn beats(database: &Database) -> Option<Timestamp> {
    let beats = database
        .store
        .read(|reader| reader.heartbeats())
        .await
        .ok()?;
    let latest = beats.iter().map(|beat| beat.seen).max()?;
    Timestamp::from_second(latest).ok()
}
