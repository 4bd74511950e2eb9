//! One mail's timeline, in sentences.

use std::time::Duration;

use domain::delivery::{AttemptOutcome, Stage};
use domain::mail::MailState;
use domain::queue::{AttemptRecord, MailRecord, MailStory};

use crate::jobs::{Holds, uncertain};
use crate::phrases::{TimeFormat, duration, kind, ordinal, times};

/// That an attempt leaves the number of those that the mail has left as it is.
const FREE: &str = "This does not use up an attempt.";

/// What every mail's sentences depend on.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// How times are formatted.
    pub format: TimeFormat,
    /// What keeps mails from being sent.
    pub holds: &'a Holds,
}

/// What became of a mail.
pub fn describe(story: &MailStory, context: Context<'_>) -> Vec<String> {
    let MailStory { mail, tries } = story;
    let mut sentences = vec![format!(
        "{} was requested at {} (request {}, mail {}).",
        kind(mail.kind.as_str()),
        context.format.time(mail.created),
        mail.request_id,
        mail.id
    )];
    let mut counted = 0;
    for group in tries.chunk_by(alike) {
        sentences.push(attempts(group, counted, mail, context.format));
        if group[0].outcome.known().is_none_or(AttemptOutcome::counts) {
            counted += group.len();
        }
    }
    sentences.extend(status(mail, tries, context));
    if mail.uncertain_attempts > 0 {
        sentences.push(may_have_arrived(mail, tries, context.format));
    }
    sentences
}

/// Whether two attempts in a row share a sentence.
fn alike(one: &AttemptRecord, next: &AttemptRecord) -> bool {
    let how = |one: &AttemptRecord| (one.outcome.clone(), one.relay.clone(), one.stage.clone());
    how(one) == how(next) && (one.code, &one.text) == (next.code, &next.text)
}

/// The result of some attempts in a row, after so many that counted.
fn attempts(
    group: &[AttemptRecord],
    counted: usize,
    mail: &MailRecord,
    format: TimeFormat,
) -> String {
    let one = &group[group.len() - 1];
    let relay = match one.relay.as_str() {
        "" => "The relay".to_owned(),
        relay => format!("The relay {relay}"),
    };
    let (often, when) = (times(group.len()), moments(group, format));
    let (stage, reply) = (&one.stage, reply(one));
    match one.outcome.known() {
        Some(AttemptOutcome::RecipientLater) => {
            format!("{relay} said \"try again later\" {often}, {when}: `{reply}`.")
        }
        Some(AttemptOutcome::RecipientRefused) => {
            let what = if *stage == Stage::Rcpt {
                "address"
            } else {
                "mail"
            };
            format!("{relay} permanently refused the {what} {when}: `{reply}`.")
        }
        Some(AttemptOutcome::RelayTrouble) => {
            let failed = if failed_at_recipient(one) {
                "failed at this recipient"
            } else {
                "failed"
            };
            format!("{relay} {failed} {often}, {when}, at the stage `{stage}`: `{reply}`. {FREE}")
        }
        Some(AttemptOutcome::PutOff) => format!(
            "{relay} did not answer in time {often}, {when}, at the stage `{stage}`, and other mails needed the \
             connection: the mail was postponed. {FREE}"
        ),
        Some(AttemptOutcome::RelayRefusesUs) => format!(
            "{relay} refused this server {often}, {when}, at the stage `{stage}`: `{reply}`. \
             An operator must fix that. {FREE}"
        ),
        Some(AttemptOutcome::Delivered) => {
            let at = one.started + Duration::from_millis(one.duration_ms);
            let which = match counted {
                0 => String::new(),
                earlier => format!("on the {} attempt ", ordinal(earlier + 1)),
            };
            format!(
                "{relay} accepted it {which}at {}, {} after the request: `{reply}`.",
                format.time(at),
                duration(at.duration_since(mail.created))
            )
        }
        Some(AttemptOutcome::Uncertain) => format!(
            "The attempt {when} ended without a clear answer after the end of the message: `{reply}`."
        ),
        Some(AttemptOutcome::WorkerDied) => {
            format!("A worker crashed {when} while sending it, before the end of the message.")
        }
        _ => format!("An attempt {when} ended as {}: `{reply}`.", one.outcome),
    }
}

/// Whether the relay hung or broke off at the recipient: the next attempt is made on the slow lane.
fn failed_at_recipient(one: &AttemptRecord) -> bool {
    match one.outcome.known() {
        Some(AttemptOutcome::PutOff) => true,
        Some(AttemptOutcome::RelayTrouble) => {
            matches!(one.stage.known(), Some(Stage::Rcpt | Stage::Data))
        }
        _ => false,
    }
}

/// The relay's reply, or the error.
fn reply(one: &AttemptRecord) -> String {
    match one.code {
        Some(code) => format!("{code} {}", one.text),
        None => one.text.clone(),
    }
}

/// When some attempts were made.
fn moments(group: &[AttemptRecord], format: TimeFormat) -> String {
    let time = |one: &AttemptRecord| format.time(one.started);
    match group {
        [one] => format!("at {}", time(one)),
        [one, other] => format!("at {} and {}", time(one), time(other)),
        [first, .., last] => format!("from {} to {}", time(first), time(last)),
        [] => String::new(),
    }
}

/// The mail's current status.
fn status(mail: &MailRecord, attempts: &[AttemptRecord], context: Context<'_>) -> Vec<String> {
    let reason = mail.reason.as_deref().unwrap_or("no reason recorded");
    let ended = mail
        .finished
        .map_or_else(String::new, |at| format!(" at {}", context.format.time(at)));
    let last = attempts.last().and_then(|one| one.outcome.known());
    let Some(state) = mail.state.known() else {
        return vec![format!("It is {}: {reason}.", mail.state)];
    };
    let sentence = match state {
        MailState::Queued | MailState::Waiting => return waits(mail, attempts, context),
        MailState::Sending if !context.holds.worker_alive => {
            "The worker that was sending it is no longer alive: the next worker that starts releases it.".to_owned()
        }
        MailState::Sending => "A worker is sending it now.".to_owned(),
        MailState::Delivered => {
            "Whether it reached the inbox can't be seen from here: later bounces are not shown.".to_owned()
        }
        MailState::Undeliverable if last == Some(AttemptOutcome::RecipientRefused) => "It is undeliverable.".to_owned(),
        MailState::Undeliverable => format!("It ended as undeliverable{ended}: {reason}."),
        MailState::Expired => {
            let undelivered = match mail.uncertain_attempts {
                0 => " undelivered",
                _ => "",
            };
            let next = match mail.deadline {
                Some(_) => " A new code must be requested.",
                None => "",
            };
            format!("It expired{undelivered}{ended}: {reason}.{next}")
        }
        MailState::NotNeeded => {
            let again = if mail.uncertain_attempts > 0 { " again" } else { "" };
            format!("It was no longer needed{ended} and was not sent{again}: {reason}.")
        }
        MailState::Cancelled => format!("It was cancelled{ended}: {reason}."),
        MailState::Poison => {
            format!("It was set aside{ended}: {reason}. That is a bug in the worker: please report it.")
        }
    };
    vec![sentence]
}

/// Why a mail is not sent yet, and when it will be.
fn waits(mail: &MailRecord, attempts: &[AttemptRecord], context: Context<'_>) -> Vec<String> {
    let format = context.format;
    let mut sentences = Vec::new();
    if let Some(held) = context.holds.why(mail) {
        sentences.push(format!("It waits: {held}"));
    } else {
        let due = mail.again_at.filter(|at| format.is_ahead(*at));
        let reason = mail.reason.as_deref().unwrap_or_default();
        if reason.starts_with("waits ") {
            sentences.push(format!("It {reason}."));
        } else if due.is_none() && attempts.last().is_some_and(failed_at_recipient) {
            sentences.push(
                "It waits for a slot in the slow lane, which keeps slow recipients from delaying other mails."
                    .to_owned(),
            );
        } else if due.is_none() {
            sentences
                .push("It can be sent now, and waits for a worker with a free slot.".to_owned());
        }
        sentences.extend(due.map(|at| format!("The next attempt is due at {}.", format.time(at))));
    }
    sentences.extend(mail.deadline.map(|deadline| {
        let time = format.time(deadline);
        if format.is_ahead(deadline) {
            format!("Its code is valid until {time}.")
        } else {
            format!("Its code expired at {time}: the mail will not be sent and ends as expired.")
        }
    }));
    sentences
}

/// That the relay may have accepted it in an attempt without a clear answer.
fn may_have_arrived(mail: &MailRecord, attempts: &[AttemptRecord], format: TimeFormat) -> String {
    let which: Vec<String> = uncertain(attempts)
        .map(|(number, one)| {
            let time = format.time(one.started);
            format!("the {} attempt, at {time}", ordinal(number))
        })
        .collect();
    let which = if which.is_empty() {
        "an attempt".to_owned()
    } else {
        which.join(" and in ")
    };
    let arrived = match mail.state.known() {
        Some(MailState::Delivered) => "a second copy may have arrived",
        _ => "it may have arrived",
    };
    let digits = match mail.deadline {
        Some(_) => ", with the same digits",
        None => "",
    };
    format!(
        "In {which}, the relay may have accepted it although no answer was read: {arrived}{digits}."
    )
}

#[cfg(test)]
mod tests;
