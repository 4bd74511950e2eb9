//! The outcome of a claim: the one place that turns a verdict into a state, a reason and a next time.

use std::time::Duration;

use domain::id::MailId;
use domain::mail::{Lane, MAX_CUT_OFFS, MailState, may_start, next_try, undelivered};
use domain::queue::{AttemptRecord, ChallengeLife, Claimed};
use jiff::Timestamp;

use crate::jitter::jitter;
use crate::smtp::{
    End, RelayAttempt, Stage, Verdict, classify, fails_at_recipient, refuses_the_address,
};

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

/// The outcome of a claim.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The state the mail gets.
    pub state: MailState,
    /// Why, in a sentence for people.
    pub reason: String,
    /// When it may be claimed again, if its state is not final.
    pub again_at: Option<Timestamp>,
    /// Whether the attempt counts.
    pub counted: bool,
    /// Whether the mail may have been delivered: the end of data was written, and no readable answer came.
    pub cut_off: bool,
    /// Where the mail waits for its next attempt.
    pub lane: Lane,
    /// Mails that waited for the destination, which has answered, or for a place there.
    pub woken: Vec<MailId>,
    /// The records of the relay attempts.
    pub records: Vec<AttemptRecord>,
    /// Until when the address is suppressed, because a relay says that it does not exist.
    pub suppress_until: Option<Timestamp>,
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
            lane: Lane::Main,
            woken: Vec::new(),
            records: Vec::new(),
            suppress_until: None,
        }
    }

    /// The mail waits for another attempt.
    #[must_use]
    pub fn waiting(reason: impl Into<String>, again_at: Timestamp) -> Self {
        Self {
            again_at: Some(again_at),
            ..Self::finished(MailState::Waiting, reason)
        }
    }

    /// The same, as an attempt that counts.
    #[must_use]
    pub fn counted(self) -> Self {
        Self {
            counted: true,
            ..self
        }
    }

    /// The same, and the mail waits on that lane.
    #[must_use]
    pub fn on(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// The same after an attempt; on the slow lane, if the relay is slow with the recipient.
    fn slow(self, slow: bool) -> Self {
        let lane = if slow { Lane::Slow } else { Lane::Main };
        self.on(lane)
    }

    /// The same, as an attempt that was cut off after the end of data.
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
            ChallengeLife::Decoy => (
                MailState::NotNeeded,
                "no code is due at this address: it has no account or registration that waits for one, or is another account's",
            ),
            ChallengeLife::Used => (MailState::NotNeeded, "its code has been used"),
            ChallengeLife::Replaced => (MailState::NotNeeded, "a newer code was made"),
            ChallengeLife::Ended => (
                MailState::NotNeeded,
                "it was ended: the password, the address or the state of its account was changed, or another code was used",
            ),
            ChallengeLife::Expired | ChallengeLife::Live => {
                (MailState::Expired, "its code has expired")
            }
        };
        Self::finished(state, reason)
    }

    /// A relay has refused the address for good, so none is bothered with it again for a while.
    #[must_use]
    pub fn suppressed(mail: &Claimed) -> Option<Self> {
        let suppression = mail.suppressed.as_ref()?;
        let reason = format!("its address is suppressed: {suppression}");
        Some(Self::finished(MailState::Undeliverable, reason))
    }

    /// Why the mail is not to be sent any more, if it is not. `max_tries`: how many wrong tries a code allows.
    #[must_use]
    pub fn not_needed(mail: &Claimed, max_tries: u32, now: Timestamp) -> Option<Self> {
        if let Some(challenge) = &mail.challenge
            && challenge.life != ChallengeLife::Live
        {
            return Some(Self::of_dead_code(challenge.life));
        }
        if mail
            .challenge
            .as_ref()
            .is_some_and(|one| one.is_spent(max_tries))
        {
            let reason = "its code's tries are spent";
            return Some(Self::finished(MailState::NotNeeded, reason));
        }
        let earlier = mail.tries + mail.cut_offs > 0;
        if may_start(mail.created, mail.deadline, earlier, now) {
            return None;
        }
        let reason = match mail.deadline {
            Some(deadline) if now < deadline => {
                "too little of its code's life was left for another attempt"
            }
            _ => "its time was over",
        };
        Some(Self::finished(MailState::Expired, reason))
    }

    /// The outcome of these relay attempts, of which the last decides.
    #[must_use]
    pub fn of_attempts(
        mail: &Claimed,
        attempts: &[RelayAttempt],
        last: &RelayAttempt,
        now: Timestamp,
    ) -> Self {
        let reason = last.attempt.to_string();
        match classify(&last.attempt) {
            Verdict::Delivered => Self::finished(MailState::Delivered, reason).counted(),
            Verdict::RecipientRefused => Self::finished(MailState::Undeliverable, reason).counted(),
            Verdict::RecipientLater => Self::on_schedule(mail, now, reason),
            Verdict::Ambiguous if mail.cut_offs + 1 >= MAX_CUT_OFFS => {
                Self::finished(MailState::Undeliverable, reason)
                    .counted()
                    .cut_off()
            }
            Verdict::Ambiguous => {
                let cut = matches!(last.attempt.end, End::Cut(_));
                Self::on_schedule(mail, now, reason).cut_off().slow(cut)
            }
            verdict @ (Verdict::RelayTrouble | Verdict::RelayRefusesUs | Verdict::PutOff) => {
                let refused = verdict == Verdict::RelayRefusesUs;
                // Each relay has its part in it.
                let reasons = attempts.iter().map(|one| one.attempt.to_string());
                let mut reason = reasons.collect::<Vec<_>>().join("; ");
                let slow = fails_at_recipient(&last.attempt);
                if slow {
                    reason.push_str("; its next attempt is made on the slow lane");
                }
                Self::waiting(reason, now + relay_pause(mail, last, refused, now)).slow(slow)
            }
            Verdict::Stopped => Self::waiting(reason, now + TROUBLE_PAUSE),
        }
    }

    /// The same; if the last relay said that there is no such address, none is asked again for so long. Zero: the
    /// next mail is tried like any other.
    #[must_use]
    pub fn suppressing(self, last: &RelayAttempt, suppress: Duration, now: Timestamp) -> Self {
        let refused = !suppress.is_zero() && refuses_the_address(&last.attempt);
        Self {
            suppress_until: refused.then(|| now + suppress),
            ..self
        }
    }

    /// The same; if it is the end and no delivery, with what may have happened before it, after so many
    /// `earlier` attempts that were cut off.
    #[must_use]
    pub fn honest(self, earlier: u32) -> Self {
        if !self.state.is_final() || self.state == MailState::Delivered {
            return self;
        }
        let cut_offs = earlier + u32::from(self.cut_off);
        Self {
            reason: undelivered(&self.reason, cut_offs),
            ..self
        }
    }

    /// A handler that had the permit to write the end of data did not come to a result.
    #[must_use]
    pub fn interrupted(earlier_cut_offs: u32, now: Timestamp, why: &str) -> Self {
        let reason =
            format!("{why} after the end of data was allowed: the relay may have accepted it");
        let outcome = if earlier_cut_offs + 1 >= MAX_CUT_OFFS {
            Self::finished(MailState::Undeliverable, reason)
        } else {
            Self::waiting(reason, now)
        };
        let text = format!("{why} before the relay's answer to the end of data was read");
        outcome
            .counted()
            .cut_off()
            .on_record("dot", "cut_off", text, now)
            .honest(earlier_cut_offs)
    }

    /// The same with a record of an attempt without an answer: its handler did not come to a result.
    #[must_use]
    pub fn on_record(self, stage: &str, outcome: &str, text: String, now: Timestamp) -> Self {
        let record = AttemptRecord {
            started: now,
            duration_ms: 0,
            relay: String::new(),
            reused: false,
            stage: stage.to_owned(),
            code: None,
            enhanced: None,
            text,
            outcome: outcome.to_owned(),
            again_at: None,
        };
        Self {
            records: vec![record],
            ..self
        }
    }

    /// The next attempt on the schedule, or the end if none is worth it.
    fn on_schedule(mail: &Claimed, now: Timestamp, reason: String) -> Self {
        let next = next_try(mail.created, mail.deadline, mail.tries + 1, now, jitter());
        let outcome = match (next, mail.deadline) {
            (Some(at), _) => Self::waiting(reason, at),
            (None, Some(_)) => Self::finished(
                MailState::Expired,
                format!("no time is left for another attempt: {reason}"),
            ),
            (None, None) => Self::finished(
                MailState::Undeliverable,
                format!("tried for a day: {reason}"),
            ),
        };
        outcome.counted()
    }
}

/// How long a mail waits that a relay failed at, or refused because of us. No try is counted.
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
