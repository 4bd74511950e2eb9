//! Which processes run, and whether workers say that they live.

use domain::vitals::{Present, ProcessKind};
use jiff::Timestamp;
use runtime::database::Database;
use runtime::process_registration;
use runtime::settings::{Env, Settings};

use super::finding::{Level, span};
use super::report::Report;
use crate::error::with_causes;

/// Signs of presence that may fail until a process counts as gone.
const MISSED: u32 = 2;

/// Looks who is there; returns those who are.
pub async fn check(
    settings: &Settings,
    database: &Database,
    report: &mut Report<'_>,
) -> Vec<Present> {
    let now = Timestamp::now();
    let all = match database.vitals.processes().await {
        Ok(all) => all,
        Err(error) => {
            let message = format!("which processes run can't be read: {}", with_causes(&error));
            report.problem("processes", message, "");
            return Vec::new();
        }
    };
    let patience =
        i64::try_from((process_registration::INTERVAL * MISSED).as_secs()).unwrap_or(i64::MAX);
    let silent = |one: &Present| now.as_second().saturating_sub(one.seen.as_second());
    let (here, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| silent(one) <= patience);
    for kind in ProcessKind::ALL {
        of_kind(settings, kind, &here, report);
    }
    for one in &gone {
        let name = &one.process.id;
        let ago = span(silent(one).unsigned_abs());
        report.warning(
            "gone",
            format!(
                "{name} was last seen {ago} ago and did not take its leave: it was killed, or hangs"
            ),
            "its log may say why; the row is forgotten after a day",
        );
    }
    versions(&here, report);
    remarks(&here, report);
    heartbeats(settings, database, now, report).await;
    here
}

fn of_kind(settings: &Settings, kind: ProcessKind, here: &[Present], report: &mut Report<'_>) {
    let number = here.iter().filter(|one| one.process.kind == kind).count();
    let (what, service) = match kind {
        ProcessKind::Api => ("API", "smart-notes-api"),
        ProcessKind::Worker => ("worker", "smart-notes-worker"),
    };
    match number {
        0 => report.fault(
            when_nobody_runs(settings),
            kind.as_str(),
            format!("no {what} runs on this database"),
            format!("start it: systemctl start {service}, or `cargo run` in a checkout"),
        ),
        1 => report.ok(kind.as_str(), format!("1 {what} runs")),
        n => report.ok(kind.as_str(), format!("{n} {what}s run")),
    }
}

/// On somebody's laptop nothing needs to run.
fn when_nobody_runs(settings: &Settings) -> Level {
    match settings.env {
        Env::Production => Level::Problem,
        Env::Development => Level::Warning,
    }
}

fn versions(here: &[Present], report: &mut Report<'_>) {
    let ours = env!("CARGO_PKG_VERSION");
    for one in here.iter().filter(|one| one.process.version != ours) {
        let (name, version) = (&one.process.id, &one.process.version);
        report.warning(
            "version",
            format!("{name} is version {version}, this program is {ours}"),
            "after an upgrade, restart the worker, then the API",
        );
    }
}

/// What processes have seen.
fn remarks(here: &[Present], report: &mut Report<'_>) {
    for one in here {
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
    let beats = match database.queue.beats().await {
        Ok(beats) => beats,
        Err(error) => {
            let message = format!("heartbeats can't be read: {}", with_causes(&error));
            report.problem("heartbeat", message, "");
            return;
        }
    };
    let lease = i64::try_from(settings.worker.lease.as_secs()).unwrap_or(i64::MAX);
    let age = |seen: i64| now.as_second().saturating_sub(seen).max(0);
    let Some(latest) = beats.iter().map(|beat| age(beat.seen)).min() else {
        report.skipped("heartbeat", "no worker has said that it lives");
        return;
    };
    let ago = span(latest.unsigned_abs());
    if latest <= lease {
        report.ok(
            "heartbeat",
            format!("the last heartbeat of a worker was {ago} ago"),
        );
    } else {
        report.fault(
            when_nobody_runs(settings),
            "heartbeat",
            format!(
                "the last heartbeat of a worker was {ago} ago, longer than worker.lease_seconds"
            ),
            "restart the worker; its mails go to the next one that starts",
        );
    }
}
