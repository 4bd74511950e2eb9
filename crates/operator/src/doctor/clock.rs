//! Whether this machine's clock can be right: codes live and die by it, and certificates are checked by it.

use std::path::Path;
use std::time::SystemTime;

use domain::clock;
use jiff::Timestamp;
use runtime::database::Database;
use runtime::settings::{DatabaseUrl, Settings};

use super::files;
use super::finding::span;
use super::report::Report;

/// Seconds by which what was written may seem to come from the future: times are rounded.
const SLACK: i64 = 5;

const MEND: &str =
    "let the clock be kept by NTP (`timedatectl set-ntp true`), and look whether somebody set it";

/// Compares the clock with what it has shown before.
pub async fn check(settings: &Settings, database: Option<&Database>, report: &mut Report<'_>) {
    let now = Timestamp::now();
    let DatabaseUrl::Sqlite { path } = &settings.database.url;
    if !clock::is_possible(now) {
        report.problem(
            "sane",
            format!("the clock shows {now:.0}, which can't be"),
            MEND,
        );
        return;
    }
    let mut seen = vec![("the database's files were changed", written(path))];
    if let Some(database) = database {
        seen.push(("a worker was last seen", beats(database).await));
        let newest = database.vitals.newest_mail().await.ok().flatten();
        seen.push(("the newest mail was asked for", newest));
        dated_ahead(database, now, report).await;
    }
    let mut behind = false;
    for (what, at) in seen {
        let ahead = at.map_or(0, |at| at.as_second() - now.as_second());
        if ahead > SLACK {
            behind = true;
            let by = span(ahead.unsigned_abs());
            report.problem(
                "behind",
                format!(
                    "{what} {by} from now, by this clock: it has been set back, or was wrong before"
                ),
                MEND,
            );
        }
    }
    if !behind {
        report.ok(
            "sane",
            format!("it shows {now:.0}, after everything that was written"),
        );
    }
}

/// What was written while the clock was ahead.
async fn dated_ahead(database: &Database, now: Timestamp, report: &mut Report<'_>) {
    let found = database.vitals.dated_ahead(now).await.unwrap_or_default();
    if found.is_empty() {
        return;
    }
    let kinds: Vec<String> = found
        .iter()
        .map(|(kind, rows)| format!("{kind} ({rows})"))
        .collect();
    report.warning(
        "ahead",
        format!("dated in the future: {}", kinds.join(", ")),
        "if the clock is right now, it was ahead when they were written: limits ignore them, and a running worker \
         removes them, or dates them anew, within a minute",
    );
}

/// When the database's files were last changed.
fn written(path: &Path) -> Option<Timestamp> {
    let changed = |file: &std::path::PathBuf| file.metadata().ok()?.modified().ok();
    let latest: SystemTime = files::of_database(path).iter().filter_map(changed).max()?;
    Timestamp::try_from(latest).ok()
}

async fn beats(database: &Database) -> Option<Timestamp> {
    let beats = database.queue.beats().await.ok()?;
    let latest = beats.iter().map(|beat| beat.seen).max()?;
    Timestamp::from_second(latest).ok()
}
