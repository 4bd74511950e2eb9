//! From relay attempts to the outcome of a claim: a state, a reason and the time of the next attempt.

use std::time::Duration;

use domain::delivery::{AttemptOutcome, Outcome, Stage};
use domain::mail::{Lane, MAX_UNCERTAIN, MailState, next_try};
use domain::queue::Claimed;
use jiff::Timestamp;

use crate::jitter::jitter;
use crate::smtp::{End, RelayAttempt, classify, fails_at_recipient, refuses_the_address};

/// The pause after an attempt that failed before its recipient was named, give or take one second. While the relay is out
/// of order the mail is not claimed, however often it is due.
const TROUBLE_PAUSE: Duration = Duration::from_secs(2);

/// After a relay failed at this mail, or refused it because of us, and takes no mails for now: longer than
/// until the relay's next probe, so that another mail is the next that it is tried with.
const DOUBTFUL_PAUSE: Duration = Duration::from_secs(3);
const DOUBTFUL_REFUSAL_PAUSE: Duration = Duration::from_secs(16);

/// The same while the relay takes other mails: it is this one that is odd. It is tried less and less often.
const ODD_PART_OF_AGE: u32 = 12;
const LONGEST_ODD_PAUSE: Duration = Duration::from_mins(1);

/// The same for a mail without a deadline, which is tried for a day.
const LONGEST_ODD_PAUSE_OF_NOTICES: Duration = Duration::from_mins(30);

/// The outcome of these relay attempts, of which the last decides.
#[must_use]
pub fn of_attempts(
    mail: &Claimed,
    attempts: &[RelayAttempt],
    last: &RelayAttempt,
    now: Timestamp,
) -> Outcome {
    let reason = last.attempt.to_string();
    match classify(&last.attempt) {
        AttemptOutcome::Delivered => {
            Outcome::finished(mail.claim, MailState::Delivered, reason, now).counted()
        }
        AttemptOutcome::RecipientRefused => {
            Outcome::finished(mail.claim, MailState::Undeliverable, reason, now).counted()
        }
        AttemptOutcome::RecipientLater => on_schedule(mail, now, reason),
        AttemptOutcome::Uncertain if mail.uncertain_attempts + 1 >= MAX_UNCERTAIN => {
            Outcome::finished(mail.claim, MailState::Undeliverable, reason, now)
                .counted()
                .uncertain()
        }
        AttemptOutcome::Uncertain => {
            let cut = matches!(last.attempt.end, End::Cut(_));
            on_schedule(mail, now, reason).uncertain().on(lane(cut))
        }
        verdict @ (AttemptOutcome::RelayTrouble
        | AttemptOutcome::RelayRefusesUs
        | AttemptOutcome::PutOff) => {
            let refused = verdict == AttemptOutcome::RelayRefusesUs;
            // Each relay has its part in it.
            let reasons = attempts.iter().map(|one| one.attempt.to_string());
            let mut reason = reasons.collect::<Vec<_>>().join("; ");
            let slow = fails_at_recipient(&last.attempt);
            if slow {
                reason.push_str("; its next attempt is made on the slow lane");
            }
            let again_at = now + relay_pause(mail, last, refused, now);
            Outcome::waiting(mail.claim, reason, again_at, now).on(lane(slow))
        }
        // We stopped: nothing was learnt of the relay.
        _ => Outcome::waiting(mail.claim, reason, now + TROUBLE_PAUSE, now),
    }
}

/// Until when the address is suppressed for so long after the last relay said that it does not exist. Zero: the next mail
/// is sent like any other.
#[must_use]
pub fn suppression(last: &RelayAttempt, suppress: Duration, now: Timestamp) -> Option<Timestamp> {
    let refused = !suppress.is_zero() && refuses_the_address(&last.attempt);
    refused.then(|| now + suppress)
}

/// The next attempt on the schedule, or the end if none is worth it.
fn on_schedule(mail: &Claimed, now: Timestamp, reason: String) -> Outcome {
    let next = next_try(mail.created, mail.deadline, mail.tries + 1, now, jitter());
    let outcome = match (next, mail.deadline) {
        (Some(at), _) => Outcome::waiting(mail.claim, reason, at, now),
        (None, Some(_)) => Outcome::finished(
            mail.claim,
            MailState::Expired,
            format!("no time is left for another attempt: {reason}"),
            now,
        ),
        (None, None) => Outcome::finished(
            mail.claim,
            MailState::Undeliverable,
            format!("tried for a day: {reason}"),
            now,
        ),
    };
    outcome.counted()
}

/// Where a mail waits after an attempt at a relay that is slow with its recipient, or is not.
fn lane(slow: bool) -> Lane {
    if slow { Lane::Slow } else { Lane::Main }
}

/// How long a mail waits that a relay failed at, or refused because of us. No attempt is counted.
fn relay_pause(mail: &Claimed, last: &RelayAttempt, refused: bool, now: Timestamp) -> Duration {
    if last.attempt.stage < Stage::Rcpt {
        return TROUBLE_PAUSE.mul_f64(1.0 + 0.5 * jitter());
    }
    let shortest = if refused {
        DOUBTFUL_REFUSAL_PAUSE
    } else {
        DOUBTFUL_PAUSE
    };
    if last.relay_is_open {
        return shortest;
    }
    let age = Duration::try_from(now.duration_since(mail.created)).unwrap_or_default();
    let longest = match mail.deadline {
        Some(_) => LONGEST_ODD_PAUSE,
        None => LONGEST_ODD_PAUSE_OF_NOTICES,
    };
    (age / ODD_PART_OF_AGE).clamp(shortest, longest)
}

#[cfg(test)]
mod tests;
