//! The outcome of a claim: what becomes of its mail.

use jiff::Timestamp;

use super::{AttemptOutcome, AttemptRecord, Stage};
use crate::mail::{Lane, MAX_UNCERTAIN, MailState, may_start, undelivered};
use crate::queue::{ChallengeLife, Claim, Claimed};

/// The outcome of a claim. Settled only if the claim is still the newest.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The claim.
    pub claim: Claim,
    /// The state the mail gets. A mail whose state is not final is tried again at `again_at`.
    pub state: MailState,
    /// Why, in a sentence for people.
    pub reason: String,
    /// When it may be claimed again.
    pub again_at: Option<Timestamp>,
    /// Whether the attempt counts.
    pub counted: bool,
    /// Whether the mail may have been delivered: the end of data was written, and no readable answer came.
    pub uncertain: bool,
    /// Where the mail waits for its next attempt.
    pub lane: Lane,
    /// The records of the relay attempts, in their order.
    pub records: Vec<AttemptRecord>,
    /// Until when the address is suppressed, because a relay says that it does not exist. Kept with what the last record
    /// says, unless the address is to be forgotten.
    pub suppress_until: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
}

impl Outcome {
    /// Nothing more will happen to the mail.
    #[must_use]
    pub fn finished(
        claim: Claim,
        state: MailState,
        reason: impl Into<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            claim,
            state,
            reason: reason.into(),
            again_at: None,
            counted: false,
            uncertain: false,
            lane: Lane::Main,
            records: Vec::new(),
            suppress_until: None,
            at,
        }
    }

    /// The mail waits for another attempt.
    #[must_use]
    pub fn waiting(
        claim: Claim,
        reason: impl Into<String>,
        again_at: Timestamp,
        at: Timestamp,
    ) -> Self {
        Self {
            again_at: Some(again_at),
            ..Self::finished(claim, MailState::Waiting, reason, at)
        }
    }

    /// The same, with an attempt that counts.
    #[must_use]
    pub fn counted(self) -> Self {
        Self {
            counted: true,
            ..self
        }
    }

    /// The same, and the mail may have been delivered.
    #[must_use]
    pub fn uncertain(self) -> Self {
        Self {
            uncertain: true,
            ..self
        }
    }

    /// The same, and the mail waits on that lane.
    #[must_use]
    pub fn on(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// The same with the record of an attempt without an answer: its handler did not come to a result.
    #[must_use]
    pub fn on_record(self, stage: Stage, outcome: AttemptOutcome, text: String) -> Self {
        Self {
            records: vec![AttemptRecord::unanswered(stage, outcome, text, self.at)],
            ..self
        }
    }

    /// The same; if it is the end and no delivery, with the clause for earlier uncertain attempts and this one.
    #[must_use]
    pub fn honest(self, earlier: u32) -> Self {
        if !self.state.is_final() || self.state == MailState::Delivered {
            return self;
        }
        let uncertain = earlier + u32::from(self.uncertain);
        Self {
            reason: undelivered(&self.reason, uncertain),
            ..self
        }
    }

    /// A dead code is never mailed.
    #[must_use]
    pub fn of_dead_code(claim: Claim, life: ChallengeLife, now: Timestamp) -> Self {
        let state = match life {
            ChallengeLife::Expired | ChallengeLife::Live => MailState::Expired,
            _ => MailState::NotNeeded,
        };
        Self::finished(claim, state, life.explanation(), now)
    }

    /// Why a claimed mail is not to be sent any more, if it is not: its address is suppressed, its code is dead or spent,
    /// or its time is over. `max_tries`: how many wrong codes are allowed.
    #[must_use]
    pub fn not_needed(mail: &Claimed, max_tries: u32, now: Timestamp) -> Option<Self> {
        let finished = |state, reason: &str| Some(Self::finished(mail.claim, state, reason, now));
        if let Some(challenge) = &mail.challenge {
            if challenge.life != ChallengeLife::Live {
                return Some(Self::of_dead_code(mail.claim, challenge.life, now));
            }
            if challenge.is_spent(max_tries) {
                return finished(MailState::NotNeeded, "its code's tries are spent");
            }
        }
        let earlier = mail.tries + mail.uncertain_attempts > 0;
        if !may_start(mail.created, mail.deadline, earlier, now) {
            let reason = match mail.deadline {
                Some(deadline) if now < deadline => {
                    "too little of its code's life was left for another attempt"
                }
                _ => "its time was over",
            };
            return finished(MailState::Expired, reason);
        }
        let suppression = mail.suppressed.as_ref()?;
        let reason = format!("its address is suppressed: {suppression}");
        finished(MailState::Undeliverable, &reason)
    }

    /// A handler that had the permit to send did not come to a result, after so many uncertain attempts.
    #[must_use]
    pub fn interrupted(claim: Claim, earlier: u32, now: Timestamp, why: &str) -> Self {
        let reason =
            format!("{why} after the permit to send: the relay may have accepted the mail");
        let outcome = if earlier + 1 >= MAX_UNCERTAIN {
            Self::finished(claim, MailState::Undeliverable, reason, now)
        } else {
            Self::waiting(claim, reason, now, now)
        };
        let text = format!("{why} before the relay's answer to the end of data was read");
        outcome
            .counted()
            .uncertain()
            .on_record(Stage::EndOfData, AttemptOutcome::Uncertain, text)
            .honest(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::MailId;
    use crate::mail::MailKind;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn claim() -> Claim {
        Claim {
            mail: MailId::generate(),
            number: 1,
        }
    }

    #[test]
    fn a_mail_that_is_not_sent_again_says_whether_its_code_was_dead_or_nearly_so() {
        let mail = Claimed {
            claim: claim(),
            kind: MailKind::VerifyEmail,
            to: String::from("ada@example.com"),
            request_id: String::from("request"),
            created: at(0),
            deadline: Some(at(600)),
            tries: 1,
            uncertain_attempts: 1,
            lane: Lane::Main,
            challenge: None,
            suppressed: None,
        };
        let reason = |now| Outcome::not_needed(&mail, 5, at(now)).map(|outcome| outcome.reason);

        assert_eq!(reason(540), None);
        assert_eq!(
            reason(541).unwrap(),
            "too little of its code's life was left for another attempt"
        );
        assert_eq!(reason(600).unwrap(), "its time was over");
    }

    #[test]
    fn a_handler_interrupted_after_its_permit_leaves_an_uncertain_attempt_and_a_second_ends_the_mail()
     {
        for (earlier, state) in [(0, MailState::Waiting), (1, MailState::Undeliverable)] {
            let outcome = Outcome::interrupted(claim(), earlier, at(0), "its handler panicked");

            assert_eq!(outcome.state, state);
            assert!(outcome.uncertain && outcome.counted);
            let record = &outcome.records[0];
            assert_eq!(record.stage, Stage::EndOfData);
            assert_eq!(record.outcome, AttemptOutcome::Uncertain);
            let says = outcome.reason.contains("it may have been delivered");
            assert_eq!(says, state.is_final(), "{}", outcome.reason);
        }
    }
}
