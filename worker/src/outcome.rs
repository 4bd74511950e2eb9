//! What becomes of a mail after a claim: the one place that turns a relay's verdict into a state,
//! a reason and a next time.

use std::time::Duration;

use domain::mail::{MAX_CUT_OFFS, MailState, may_start, next_try};
use domain::queue::{ChallengeLife, Claimed, TryRecord};
use domain::random;
use jiff::Timestamp;

use crate::queue::gate::Health;
use crate::smtp::{Try, Verdict, classify};

/// While the relay is sick, a mail asks again after this long, one second more or less.
const TROUBLE_PAUSE: Duration = Duration::from_secs(2);

/// While the relay refuses us, which somebody has to mend.
const REFUSAL_PAUSE: Duration = Duration::from_secs(15);

/// What a handler found out about its mail.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The state the mail gets.
    pub state: MailState,
    /// Why, in a sentence for people.
    pub reason: String,
    /// When it may be claimed again, if its state is not final.
    pub again_at: Option<Timestamp>,
    /// Whether this was a try that counts.
    pub counted: bool,
    /// Whether the try ended without a readable answer after the final dot.
    pub cut_off: bool,
    /// What was learnt of the relay.
    pub relay: Health,
    /// What was said between the relay and us.
    pub record: Option<TryRecord>,
}

impl Outcome {
    /// Nothing more will happen to the mail.
    #[must_use]
    pub fn finished(state: MailState, reason: impl Into<String>) -> Self {
        Self {
            state,
            reason: reason.into(),
            again_at: None,
            counted: false,
            cut_off: false,
            relay: Health::Unknown,
            record: None,
        }
    }

    /// The mail waits for another try.
    #[must_use]
    pub fn waiting(reason: impl Into<String>, again_at: Timestamp) -> Self {
        Self {
            again_at: Some(again_at),
            ..Self::finished(MailState::Waiting, reason)
        }
    }

    /// The same, as a try that counts.
    #[must_use]
    pub fn counted(self) -> Self {
        Self {
            counted: true,
            ..self
        }
    }

    /// The same, as a try that was cut off after the final dot.
    fn cut_off(self) -> Self {
        Self {
            cut_off: true,
            ..self
        }
    }

    /// A dead code is never mailed.
    #[must_use]
    pub fn of_dead_code(life: ChallengeLife) -> Self {
        let (state, reason) = match life {
            ChallengeLife::Used => (MailState::NotNeeded, "its code has been used"),
            ChallengeLife::Replaced => (MailState::NotNeeded, "a newer code was made"),
            ChallengeLife::Ended => (
                MailState::NotNeeded,
                "another registration of the address was verified",
            ),
            ChallengeLife::Expired | ChallengeLife::Live => {
                (MailState::Expired, "its code has expired")
            }
        };
        Self::finished(state, reason)
    }

    /// Why the mail is not to be sent any more, if it is not.
    #[must_use]
    pub fn not_needed(mail: &Claimed, now: Timestamp) -> Option<Self> {
        if let Some(challenge) = &mail.challenge
            && challenge.life != ChallengeLife::Live
        {
            return Some(Self::of_dead_code(challenge.life));
        }
        let earlier = mail.tries + mail.cut_offs > 0;
        (!may_start(mail.created, mail.deadline, earlier, now))
            .then(|| Self::finished(MailState::Expired, "its time was over"))
    }

    /// What a try means for the mail.
    #[must_use]
    pub fn of_try(mail: &Claimed, attempt: &Try, now: Timestamp) -> Self {
        let reason = attempt.to_string();
        let verdict = classify(attempt);
        let outcome = match verdict {
            Verdict::Delivered => Self::finished(MailState::Delivered, reason).counted(),
            Verdict::RecipientRefused => Self::finished(MailState::Undeliverable, reason).counted(),
            Verdict::RecipientLater => Self::on_schedule(mail, now, reason),
            Verdict::Ambiguous if mail.cut_offs + 1 >= MAX_CUT_OFFS => {
                let reason = format!(
                    "cut off twice after the final dot, it may have been accepted: {reason}"
                );
                Self::finished(MailState::Undeliverable, reason)
                    .counted()
                    .cut_off()
            }
            Verdict::Ambiguous => Self::on_schedule(mail, now, reason).cut_off(),
            // It has seen the whole mail, so tries are bounded, whatever it says it did with it.
            Verdict::RelayTrouble | Verdict::RelayRefusesUs if attempt.dot_written => {
                Self::on_schedule(mail, now, reason)
            }
            Verdict::RelayTrouble => {
                let pause = TROUBLE_PAUSE.mul_f64(1.0 + 0.5 * jitter());
                Self::waiting(reason, now + pause)
            }
            Verdict::RelayRefusesUs => Self::waiting(reason, now + REFUSAL_PAUSE),
            Verdict::Stopped => Self::waiting(reason, now + TROUBLE_PAUSE),
        };
        Self {
            relay: Health::of(attempt.stage, verdict),
            ..outcome
        }
    }

    /// A handler that had been allowed to write the final dot did not come to a result.
    #[must_use]
    pub fn interrupted(earlier_cut_offs: u32, now: Timestamp, why: &str) -> Self {
        let reason = format!("{why} after the final dot: the relay may have accepted it");
        let outcome = if earlier_cut_offs + 1 >= MAX_CUT_OFFS {
            Self::finished(MailState::Undeliverable, reason)
        } else {
            Self::waiting(reason, now)
        };
        let record = TryRecord {
            started: now,
            duration_ms: 0,
            relay: String::new(),
            reused: false,
            stage: "dot".to_owned(),
            code: None,
            enhanced: None,
            text: format!("{why} before the relay's answer to the final dot was read"),
            outcome: "cut_off".to_owned(),
        };
        Self {
            record: Some(record),
            ..outcome.counted().cut_off()
        }
    }

    /// The next try on the schedule, or the end if none is worth it.
    fn on_schedule(mail: &Claimed, now: Timestamp, reason: String) -> Self {
        let next = next_try(mail.created, mail.deadline, mail.tries + 1, now, jitter());
        let outcome = match (next, mail.deadline) {
            (Some(at), _) => Self::waiting(reason, at),
            (None, Some(_)) => Self::finished(
                MailState::Expired,
                format!("no time is left for another try: {reason}"),
            ),
            (None, None) => Self::finished(
                MailState::Undeliverable,
                format!("tried for a day: {reason}"),
            ),
        };
        outcome.counted()
    }
}

/// Evenly spread over -1.0 to 1.0, so that mails that failed together do not come back together.
fn jitter() -> f64 {
    f64::from(i16::from_be_bytes(random::bytes())) / f64::from(i16::MAX)
}
