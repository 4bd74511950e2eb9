//! Whether mails are sent: which are due and not claimed, what is paused, and which wait for a key that no worker has.

use domain::operator::Pause;
use domain::processes::{ProcessKind, RunningProcess};
use domain::relay::{self, PostedRelayStatus, RelayState};
use domain::store::StoreError;
use jiff::Timestamp;
use runtime::database::Database;

use super::finding::Level;
use super::report::Report;
use crate::error::with_causes;
use crate::jobs::{paused, paused_by, resume_command};
use crate::phrases::span;

/// How long a mail may be due while a worker is running, in seconds.
const LATE: i64 = 60;

/// Half of a code's usual life, in seconds.
const TOO_LATE: i64 = 300;

/// How old a pause may be before it counts as forgotten, in seconds.
const FORGOTTEN: i64 = 24 * 60 * 60;

/// Checks what waits, and returns the status of relays as workers report it.
pub async fn check(
    database: &Database,
    present: &[RunningProcess],
    report: &mut Report<'_>,
) -> Vec<PostedRelayStatus> {
    match waiting(database, present, report).await {
        Ok(posted) => posted,
        Err(error) => {
            let message = format!("the queue can't be read: {}", with_causes(&error));
            report.problem("queue", message, "");
            Vec::new()
        }
    }
}

async fn waiting(
    database: &Database,
    present: &[RunningProcess],
    report: &mut Report<'_>,
) -> Result<Vec<PostedRelayStatus>, StoreError> {
    let now = Timestamp::now();
    let pauses = database.store.reader().await?.pauses().await?;
    let depth = database.store.reader().await?.queue_depth(now).await?;
    let states = depth.states.iter().filter(|(_, mails)| *mails > 0);
    let states: Vec<String> = states
        .map(|(state, mails)| format!("{mails} {}", state.as_str()))
        .collect();
    let pending = if states.is_empty() {
        "no mail is pending".to_owned()
    } else {
        format!("pending: {}", states.join(", "))
    };
    let age = depth
        .due_since
        .map_or(0, |since| now.as_second() - since.as_second());
    let worker = present
        .iter()
        .any(|one| one.process.kind == ProcessKind::Worker);
    pauses_in_force(&pauses, age, now, report);
    if pauses.iter().any(|pause| pause.kind.is_none()) {
        report.skipped(
            "due",
            format!("{pending}; none is due while the queue is paused"),
        );
    } else {
        due(&pending, age, worker, report);
    }
    let posted = database.store.reader().await?.posted_relays().await?;
    held(&posted, report);
    keys(database, present, now, report).await?;
    Ok(posted)
}

/// A pause is intended, but one that is old or delays mails may have been forgotten.
fn pauses_in_force(pauses: &[Pause], age: i64, now: Timestamp, report: &mut Report<'_>) {
    for pause in pauses {
        let delays = pause.kind.is_none() && age > TOO_LATE;
        let forgotten = now.as_second() - pause.since.as_second() > FORGOTTEN;
        let level = if delays || forgotten {
            Level::Problem
        } else {
            Level::Warning
        };
        report.finding(
            level,
            "paused",
            format!(
                "{} has been paused since {}",
                paused(pause),
                paused_by(pause)
            ),
            format!("to resume: {}", resume_command(pause)),
        );
    }
}

fn due(pending: &str, age: i64, worker: bool, report: &mut Report<'_>) {
    let ago = span(age);
    let message = format!("{pending}; the oldest has been due for {ago}");
    match (age, worker) {
        (..=0, _) => report.ok("due", pending),
        (_, false) => report.problem(
            "due",
            message,
            "no worker is running: start smart-notes-worker",
        ),
        (..=LATE, true) => report.ok("due", message),
        (..=TOO_LATE, true) => report.warning(
            "due",
            message,
            "see `smart-notes jobs list`: a relay may be failing, or the worker is overloaded",
        ),
        (_, true) => report.problem(
            "due",
            message,
            "see `smart-notes jobs list` and the relays below: no worker claims it",
        ),
    }
}

/// The relays to which workers send nothing.
fn held(posted: &[PostedRelayStatus], report: &mut Report<'_>) {
    let open = posted
        .iter()
        .filter(|one| one.status.state != RelayState::Closed);
    for one in open {
        let why = one.status.reason.as_deref().unwrap_or("no reason recorded");
        let message = format!(
            "{} sends nothing to {}: {why}",
            one.worker, one.status.relay
        );
        let fix = "fix what the reason names; sending resumes by itself once the relay accepts a mail, or after a restart if settings were changed";
        if relay::held_by(posted).is_some() {
            report.problem("held", message, fix);
        } else {
            report.warning("held", message, fix);
        }
    }
}

async fn keys(
    database: &Database,
    present: &[RunningProcess],
    now: Timestamp,
    report: &mut Report<'_>,
) -> Result<(), StoreError> {
    let workers = present
        .iter()
        .filter(|one| one.process.kind == ProcessKind::Worker);
    let held: Vec<_> = workers.flat_map(|one| &one.process.keys).collect();
    for need in database.store.reader().await?.keys_needed(now).await? {
        if held.is_empty() || held.contains(&&need.key) {
            continue;
        }
        let ago = span(now.as_second() - need.oldest.as_second());
        report.problem(
            "keys",
            match need.mails {
                1 => format!(
                    "1 mail waits for the key {}, which no worker has, for {ago}",
                    need.key
                ),
                n => format!(
                    "{n} mails wait for the key {}, which no worker has, the oldest for {ago}",
                    need.key
                ),
            },
            "add the key to SECRET_KEY_FALLBACKS of the worker, and restart it",
        );
    }
    Ok(())
}
