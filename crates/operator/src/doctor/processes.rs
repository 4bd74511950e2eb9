//! Which processes are running, and whether workers send heartbeats.

use domain::processes::{ProcessKind, RunningProcess};
use jiff::Timestamp;
use runtime::database::Database;
use runtime::process_registration;
use runtime::settings::{Env, Settings};

use super::finding::Level;
use super::report::Report;
use crate::error::with_causes;
use crate::jobs::lease_seconds;
use crate::phrases::span;

/// How many announcements a process may miss before it counts as gone.
const MISSED: u32 = 2;

/// Checks which processes are running, and returns them.
pub async fn check(
    settings: &Settings,
    database: &Database,
    report: &mut Report<'_>,
) -> Vec<RunningProcess> {
    let now = Timestamp::now();
    let all = match database.store.read(|reader| reader.processes()).await {
        Ok(all) => all,
        Err(error) => {
            let message = format!(
                "the running processes can't be read: {}",
                with_causes(&error)
            );
            report.problem("processes", message, "");
            return Vec::new();
        }
    };
    let timeout =
        i64::try_from((process_registration::INTERVAL * MISSED).as_secs()).unwrap_or(i64::MAX);
    let silent = |one: &RunningProcess| now.as_second().saturating_sub(one.seen.as_second());
    let (running, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| silent(one) <= timeout);
    for kind in ProcessKind::ALL {
        let gone = gone.iter().filter(|one| one.process.kind == kind);
        let gone = gone.map(|one| {
            format!(
                "{} was last seen {} ago without a clean shutdown: killed or hung",
                one.process.id,
                span(silent(one))
            )
        });
        of_kind(settings, kind, &running, gone.collect(), report);
    }
    versions(&running, report);
    remarks(&running, report);
    if running
        .iter()
        .any(|one| one.process.kind == ProcessKind::Worker)
    {
        heartbeats(settings, database, now, report).await;
    }
    running
}

/// One finding for a kind of which none is running, whatever became of those that were.
fn of_kind(
    settings: &Settings,
    kind: ProcessKind,
    running: &[RunningProcess],
    gone: Vec<String>,
    report: &mut Report<'_>,
) {
    let number = running
        .iter()
        .filter(|one| one.process.kind == kind)
        .count();
    let (what, service) = match kind {
        ProcessKind::Api => ("API", "smart-notes-api"),
        ProcessKind::Worker => ("worker", "smart-notes-worker"),
    };
    let start = format!("start it: systemctl start {service}, or `cargo run` in a checkout");
    let message = format!("no {what} is running on this database");
    match number {
        0 if gone.is_empty() => report.finding(severity(settings), kind.as_str(), message, start),
        0 => report.finding(
            severity(settings),
            kind.as_str(),
            format!("{message}; {}", gone.join("; ")),
            format!("{start}; its log may show why it ended"),
        ),
        1 => report.ok(kind.as_str(), format!("1 {what} running")),
        n => report.ok(kind.as_str(), format!("{n} {what}s running")),
    }
    if number > 0 {
        for message in gone {
            let fix = "its log may show why it ended; its row expires after a day";
            report.warning("gone", message, fix);
        }
    }
}

/// How bad it is that nothing runs: on a developer's machine nothing has to.
fn severity(settings: &Settings) -> Level {
    match settings.env {
        Env::Production => Level::Problem,
        Env::Development => Level::Warning,
    }
}

fn versions(running: &[RunningProcess], report: &mut Report<'_>) {
    let ours = env!("CARGO_PKG_VERSION");
    for one in running.iter().filter(|one| one.process.version != ours) {
        let (name, version) = (&one.process.id, &one.process.version);
        report.warning(
            "version",
            format!("{name} is version {version}, this program is {ours}"),
            "after an upgrade, restart the worker, then the API",
        );
    }
}

/// What processes report to their operator.
fn remarks(running: &[RunningProcess], report: &mut Report<'_>) {
    for one in running {
        if let Some(remark) = &one.process.remark {
            let name = &one.process.id;
            report.warning("remark", format!("{name}: {remark}"), "");
        }
    }
}

async fn heartbeats(
    settings: &Settings,
    database: &Database,
    now: Timestamp,
    report: &mut Report<'_>,
) {
    let beats = match database.store.read(|reader| reader.heartbeats()).await {
        Ok(beats) => beats,
        Err(error) => {
            let message = format!("heartbeats can't be read: {}", with_causes(&error));
            report.problem("heartbeat", message, "");
            return;
        }
    };
    let age = |seen: i64| now.as_second().saturating_sub(seen).max(0);
    let Some(latest) = beats.iter().map(|beat| age(beat.seen)).min() else {
        report.skipped("heartbeat", "no worker has sent a heartbeat yet");
        return;
    };
    let ago = span(latest);
    if latest <= lease_seconds(settings) {
        report.ok(
            "heartbeat",
            format!("the last worker heartbeat was {ago} ago"),
        );
    } else {
        report.finding(
            severity(settings),
            "heartbeat",
            format!("the last worker heartbeat was {ago} ago, longer than worker.lease_seconds"),
            "restart the worker; the next one that starts takes over its mails",
        );
    }
}
