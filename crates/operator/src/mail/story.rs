//! One mail's story, in sentences.

use domain::queue::{MailRecord, MailStory, TryRecord};

use super::words::{Told, kind, ordinal, times, took};
use crate::jobs::shown::{Holds, cut_off};

/// What bears on every mail alike.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// How times are told.
    pub told: Told,
    /// What keeps mails from being sent.
    pub holds: &'a Holds,
}

/// What became of a mail.
pub fn of(story: &MailStory, around: Around<'_>) -> Vec<String> {
    let MailStory { mail, tries } = story;
    let mut sentences = vec![format!(
        "{} was asked for at {} (request {}, mail {}).",
        kind(&mail.kind),
        around.told.time(mail.created),
        mail.request_id,
        mail.id
    )];
    let mut counted = 0;
    for group in tries.chunk_by(alike) {
        sentences.push(tried(group, counted, mail, around.told));
        if !matches!(
            group[0].outcome.as_str(),
            "relay_trouble" | "relay_refuses_us" | "put_off"
        ) {
            counted += group.len();
        }
    }
    sentences.extend(stands(mail, tries, around));
    if mail.cut_offs > 0 {
        sentences.push(maybe_there(mail, tries, around.told));
    }
    sentences
}

/// Whether two tries in a row are told as one.
fn alike(one: &TryRecord, next: &TryRecord) -> bool {
    let what = |one: &TryRecord| {
        (
            one.outcome.clone(),
            one.relay.clone(),
            one.stage.clone(),
            one.code,
            one.text.clone(),
        )
    };
    what(one) == what(next)
}

/// What some tries in a row came to, after so many that counted.
fn tried(group: &[TryRecord], counted: usize, mail: &MailRecord, told: Told) -> String {
    let one = &group[group.len() - 1];
    let relay = match one.relay.as_str() {
        "" => "The relay".to_owned(),
        relay => format!("The relay {relay}"),
    };
    let when = moments(group, told);
    let said = said(one);
    let often = times(group.len());
    match one.outcome.as_str() {
        "recipient_later" => format!("{relay} said \"try again later\" {often}, {when}: `{said}`."),
        "recipient_refused" if one.stage == "rcpt" => {
            format!("{relay} refused the address for good {when}: `{said}`.")
        }
        "recipient_refused" => format!("{relay} refused the mail for good {when}: `{said}`."),
        "relay_trouble" if failed_at_recipient(one) => format!(
            "{relay} failed at this recipient {often}, {when}, at the stage `{}`: `{said}`. That costs the mail no try.",
            one.stage
        ),
        "relay_trouble" => format!(
            "{relay} was out of order {often}, {when}, at the stage `{}`: `{said}`. That costs the mail no try.",
            one.stage
        ),
        "put_off" => format!(
            "{relay} did not answer in time {often}, {when}, at the stage `{}`, and other mails needed the connection: the mail was put off. That costs it no try.",
            one.stage
        ),
        "relay_refuses_us" => format!(
            "{relay} refused us {often}, {when}, at the stage `{}`: `{said}`. Somebody has to mend that; it costs the mail no try.",
            one.stage
        ),
        "delivered" => {
            let at = one.started + std::time::Duration::from_millis(one.duration_ms);
            let which = match counted {
                0 => String::new(),
                earlier => format!("on the {} try ", ordinal(earlier + 1)),
            };
            format!(
                "{relay} accepted it {which}at {}, {} after the request: `{said}`.",
                told.time(at),
                took(at.duration_since(mail.created))
            )
        }
        "cut_off" => format!(
            "It was cut off {when}, after the end of the message and before a clear answer: `{said}`."
        ),
        "worker_died" => {
            format!("A worker died {when} with the mail in hand, before the end of the message.")
        }
        other => format!("A try {when} ended as {other}: `{said}`."),
    }
}

/// Whether the relay hung or broke off at the recipient: the next attempt is made on the slow lane.
fn failed_at_recipient(one: &TryRecord) -> bool {
    match one.outcome.as_str() {
        "put_off" => true,
        "relay_trouble" => matches!(one.stage.as_str(), "rcpt" | "data"),
        _ => false,
    }
}

/// What the relay, or the trouble, said.
fn said(one: &TryRecord) -> String {
    match one.code {
        Some(code) => format!("{code} {}", one.text),
        None => one.text.clone(),
    }
}

/// When some tries were.
fn moments(group: &[TryRecord], told: Told) -> String {
    let time = |one: &TryRecord| told.time(one.started);
    match group {
        [one] => format!("at {}", time(one)),
        [one, other] => format!("at {} and {}", time(one), time(other)),
        [first, .., last] => format!("from {} to {}", time(first), time(last)),
        [] => String::new(),
    }
}

/// How the mail stands now.
fn stands(mail: &MailRecord, tries: &[TryRecord], around: Around<'_>) -> Vec<String> {
    let told = around.told;
    let reason = mail.reason.as_deref().unwrap_or("no reason is on record");
    let ended = mail
        .finished
        .map_or_else(String::new, |at| format!(" at {}", told.time(at)));
    let last = tries.last().map(|one| one.outcome.as_str());
    let sentence = match mail.state.as_str() {
        "queued" | "waiting" => return waits(mail, tries, around),
        "sending" if !around.holds.worker_alive => {
            "A worker was sending it and is no longer alive: the next worker that starts releases it.".to_owned()
        }
        "sending" => "A worker has it in hand now.".to_owned(),
        "delivered" => {
            "Whether it reached the inbox can't be seen from here: bounces that come later are not shown."
                .to_owned()
        }
        "undeliverable" if last == Some("recipient_refused") => {
            "That ended it: it is undeliverable.".to_owned()
        }
        "undeliverable" => format!("It ended as undeliverable{ended}: {reason}."),
        "expired" => {
            let undelivered = match mail.cut_offs {
                0 => " without having been delivered",
                _ => "",
            };
            let next = match mail.deadline {
                Some(_) => " A new code has to be asked for.",
                None => "",
            };
            format!("It expired{ended}{undelivered}: {reason}.{next}")
        }
        "not_needed" => {
            let again = if mail.cut_offs > 0 { " again" } else { "" };
            format!("It was not needed any more{ended}, so it was not sent{again}: {reason}.")
        }
        "cancelled" => format!("It was cancelled{ended}: {reason}."),
        "poison" => {
            format!("It was set aside{ended}: {reason}. That is a fault of the worker: please report it.")
        }
        other => format!("It is {other}: {reason}."),
    };
    vec![sentence]
}

/// Why a mail is not sent yet, and when it will be.
fn waits(mail: &MailRecord, tries: &[TryRecord], around: Around<'_>) -> Vec<String> {
    let told = around.told;
    let mut sentences = Vec::new();
    if let Some(held) = around.holds.why(mail) {
        sentences.push(format!("It waits, since {held}"));
    } else {
        let due = mail.again_at.filter(|at| told.is_ahead(*at));
        let reason = mail.reason.as_deref().unwrap_or_default();
        if reason.starts_with("waits ") {
            sentences.push(format!("It {reason}."));
        } else if due.is_none() && tries.last().is_some_and(failed_at_recipient) {
            sentences.push(
                "It waits for a place on the slow lane, which keeps mails like it apart from others."
                    .to_owned(),
            );
        } else if due.is_none() {
            sentences
                .push("It may go at once, and waits for a worker that has a hand free.".to_owned());
        }
        sentences.extend(due.map(|at| format!("The next try is due at {}.", told.time(at))));
    }
    if let Some(deadline) = mail.deadline {
        sentences.push(if told.is_ahead(deadline) {
            format!("Its code lives until {}.", told.time(deadline))
        } else {
            format!(
                "Its code died at {}: it will not be sent, but end as expired.",
                told.time(deadline)
            )
        });
    }
    sentences
}

/// That the relay may have taken it in a try of which no answer was read.
fn maybe_there(mail: &MailRecord, tries: &[TryRecord], told: Told) -> String {
    let cut_off: Vec<String> = cut_off(tries)
        .map(|(number, one)| format!("the {} try, at {}", ordinal(number), told.time(one.started)))
        .collect();
    let which = if cut_off.is_empty() {
        "a try".to_owned()
    } else {
        cut_off.join(" and in ")
    };
    let once_more = match mail.state.as_str() {
        "delivered" => " once more",
        _ => "",
    };
    let digits = match mail.deadline {
        Some(_) => ", with the same digits",
        None => "",
    };
    format!(
        "In {which}, the relay may have accepted it without our hearing of it: it may be there{once_more}{digits}."
    )
}

#[cfg(test)]
mod tests;
