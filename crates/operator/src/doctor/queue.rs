//! Whether mails flow: what is due and not taken, and what waits for a key that nobody has.

use domain::operator::Pause;
use domain::relay::{self, PostedStanding, RelayState};
use domain::store::StoreError;
use domain::vitals::{Present, ProcessKind};
use jiff::Timestamp;
use runtime::database::Database;

use super::finding::span;
use super::report::Report;
use crate::error::with_causes;
use crate::jobs::shown::{pause_sentence, resume_command};

/// Seconds for which a mail may be due while a worker lives: below, it is worth no word.
const LATE: i64 = 60;

/// Half of a code's usual life.
const TOO_LATE: i64 = 300;

/// Looks at what waits; returns what workers think of their relays.
pub async fn check(
    database: &Database,
    present: &[Present],
    report: &mut Report<'_>,
) -> Vec<PostedStanding> {
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
    present: &[Present],
    report: &mut Report<'_>,
) -> Result<Vec<PostedStanding>, StoreError> {
    let now = Timestamp::now();
    let pauses = database.store.view().await?.pauses().await?;
    let depth = database.vitals.depth(now).await?;
    let states = depth.states.iter().filter(|(_, mails)| *mails > 0);
    let states: Vec<String> = states
        .map(|(state, mails)| format!("{mails} {}", state.as_str()))
        .collect();
    let shown = if states.is_empty() {
        "no mail is under way".to_owned()
    } else {
        format!("under way: {}", states.join(", "))
    };
    let age = depth
        .due_since
        .map_or(0, |since| now.as_second() - since.as_second());
    let worker = present
        .iter()
        .any(|one| one.process.kind == ProcessKind::Worker);
    paused(&pauses, age, report);
    if pauses.iter().any(|pause| pause.kind.is_none()) {
        report.skipped(
            "due",
            format!("{shown}; while the queue is paused nothing is due"),
        );
    } else {
        due(&shown, age, worker, report);
    }
    let posted = database.queue.relays().await?;
    held(&posted, report);
    keys(database, present, now, report).await?;
    Ok(posted)
}

/// Pauses are an operator's will, but one that keeps mails back may have been forgotten.
fn paused(pauses: &[Pause], age: i64, report: &mut Report<'_>) {
    for pause in pauses {
        let message = pause_sentence(pause, "is");
        let mend = format!("to end that: {}", resume_command(pause));
        if pause.kind.is_none() && age > TOO_LATE {
            report.problem("paused", message, mend);
        } else {
            report.warning("paused", message, mend);
        }
    }
}

fn due(shown: &str, age: i64, worker: bool, report: &mut Report<'_>) {
    let ago = span(age.max(0).unsigned_abs());
    let message = format!("{shown}; the oldest has been due for {ago}");
    match (age, worker) {
        (..=0, _) => report.ok("due", shown),
        (_, false) => report.problem("due", message, "no worker takes it: start smart-notes-worker"),
        (..=LATE, true) => report.ok("due", message),
        (..=TOO_LATE, true) => report.warning(
            "due",
            message,
            "see `smart-notes jobs list`: a relay may be out of order, or the worker has too much to do",
        ),
        (_, true) => report.problem(
            "due",
            message,
            "see `smart-notes jobs list` and the relays below: no worker gets to it",
        ),
    }
}

/// What workers think of their relays.
fn held(posted: &[PostedStanding], report: &mut Report<'_>) {
    let open = posted
        .iter()
        .filter(|one| one.standing.state != RelayState::Closed);
    for one in open {
        let why = one
            .standing
            .reason
            .as_deref()
            .unwrap_or("it is out of order");
        let message = format!(
            "{} sends nothing to {}: {why}",
            one.worker, one.standing.relay
        );
        let mend = "the reason says who must act; mails flow by themselves once it takes one, or after a restart if settings were changed";
        if relay::held_by(posted).is_some() {
            report.problem("held", message, mend);
        } else {
            report.warning("held", message, mend);
        }
    }
}

async fn keys(
    database: &Database,
    present: &[Present],
    now: Timestamp,
    report: &mut Report<'_>,
) -> Result<(), StoreError> {
    let workers = present
        .iter()
        .filter(|one| one.process.kind == ProcessKind::Worker);
    let held: Vec<_> = workers.flat_map(|one| &one.process.keys).collect();
    for need in database.vitals.keys_needed(now).await? {
        if held.is_empty() || held.contains(&&need.key) {
            continue;
        }
        let ago = span(
            (now.as_second() - need.oldest.as_second())
                .max(0)
                .unsigned_abs(),
        );
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
            "put that key into SECRET_KEY_FALLBACKS of the worker, and restart it",
        );
    }
    Ok(())
}
