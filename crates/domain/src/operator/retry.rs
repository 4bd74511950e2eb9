//! Retrying a mail: at once if it waits, once more if it ended undelivered. Never one whose code is dead, and never one
//! that could be delivered a third time.

use async_trait::async_trait;
use jiff::Timestamp;

use super::suppression::lift;
use super::{MailStatus, Suppression};
use crate::audit::{Actor, Entry, Event};
use crate::delivery::Stored;
use crate::id::MailId;
use crate::mail::{MAX_UNCERTAIN, MailState, may_start};
use crate::store::{StoreError, Tx, Write};

/// The reason in the mail's row until the next attempt.
const REASON: &str = "an operator asked for another attempt";

/// Makes a mail due now, and ends the suppression of its address.
#[derive(Debug)]
pub struct RetryMail {
    /// The mail.
    pub mail: MailId,
    /// The operator.
    pub actor: Actor,
    /// The current time.
    pub now: Timestamp,
}

/// The result of a retry.
#[derive(Debug, Clone)]
pub struct Retried {
    /// The state before.
    pub was: Stored<MailState>,
    /// The suppression of its address that ended.
    pub lifted: Option<Suppression>,
}

/// Why a mail can't be retried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetryRefusal {
    /// There is no such mail.
    #[error("the mail no longer exists")]
    Unknown,
    /// Its job is missing.
    #[error("its job is missing from the queue's table, so no worker would find it")]
    NoJob,
    /// It was delivered.
    #[error("a relay has accepted it: another attempt would deliver a second mail")]
    Delivered,
    /// It is due, or in flight.
    #[error("it is already {0}: a retry would not send it sooner")]
    InProgress(Stored<MailState>),
    /// It could be delivered a third time.
    #[error(
        "two attempts ended without a clear answer after the end of the message, so the relay may have accepted both: \
         another attempt could deliver a third mail. Request a new one"
    )]
    UncertainTwice,
    /// Its address was deleted.
    #[error("its address was deleted together with the account")]
    Forgotten,
    /// Its code can't be used any more.
    #[error("{0}: a dead code is never mailed. Request a new one")]
    Dead(&'static str),
    /// A notice that is too old.
    #[error("a notice is sent within a day of its event, and that day is over")]
    TooOld,
}

impl RetryRefusal {
    fn of(status: &MailStatus, now: Timestamp) -> Option<Self> {
        let mail = &status.mail;
        let earlier = mail.tries + mail.uncertain_attempts > 0;
        match mail.state.known() {
            Some(MailState::Delivered) => return Some(Self::Delivered),
            Some(MailState::Queued | MailState::Sending) => {
                return Some(Self::InProgress(mail.state.clone()));
            }
            _ => {}
        }
        if mail.uncertain_attempts >= MAX_UNCERTAIN {
            return Some(Self::UncertainTwice);
        }
        if mail.to.is_empty() {
            return Some(Self::Forgotten);
        }
        if let Some(dead) = dead_code(status) {
            return Some(Self::Dead(dead));
        }
        (!may_start(mail.created, mail.deadline, earlier, now)).then_some(match mail.deadline {
            Some(_) => Self::Dead("too little of its code's life is left for another attempt"),
            None => Self::TooOld,
        })
    }
}

/// What is wrong with the code of a mail that carries one, which is one with a deadline.
fn dead_code(status: &MailStatus) -> Option<&'static str> {
    status.mail.deadline?;
    match status.life {
        Some(life) => life.reason(),
        None => Some("its code is gone with the registration it belonged to"),
    }
}

#[async_trait]
impl Write for RetryMail {
    type Out = Result<Retried, RetryRefusal>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let Some(status) = tx.mail_status(self.mail, self.now).await? else {
            return Ok(Err(RetryRefusal::Unknown));
        };
        if let Some(refusal) = RetryRefusal::of(&status, self.now) {
            return Ok(Err(refusal));
        }
        if !tx.requeue(self.mail, REASON, self.now).await? {
            return Ok(Err(RetryRefusal::NoJob));
        }
        let MailStatus { mail, known_as, .. } = status;
        let entry = Entry::new(Event::Admin, &self.actor, self.now).email(&known_as);
        let lifted = lift(tx, &mail.to_key, &entry).await?;
        let detail = format!("retried mail {}, which was {}", mail.id, mail.state);
        tx.record(&entry.detail(&detail)).await?;
        Ok(Ok(Retried {
            was: mail.state,
            lifted,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::mail::MailKind;
    use crate::queue::{ChallengeLife, MailRecord};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// An expired mail whose code lives until the 600th second.
    fn expired() -> MailStatus {
        MailStatus {
            mail: MailRecord {
                id: MailId::generate(),
                kind: MailKind::VerifyEmail.into(),
                state: MailState::Expired.into(),
                reason: None,
                to: "ada@example.com".to_owned(),
                to_key: "ada@example.com".to_owned().into(),
                request_id: "request".to_owned(),
                created: at(0),
                deadline: Some(at(600)),
                again_at: None,
                finished: Some(at(5)),
                tries: 1,
                uncertain_attempts: 0,
            },
            life: Some(ChallengeLife::Live),
            marked: false,
            known_as: "ada@example.com".to_owned().into(),
        }
    }

    #[test]
    fn a_mail_is_retried_while_its_code_lives_and_has_time() {
        assert_eq!(RetryRefusal::of(&expired(), at(540)), None);

        let late = RetryRefusal::of(&expired(), at(541)).unwrap();
        assert!(late.to_string().contains("too little"), "{late}");
    }

    #[test]
    fn a_dead_code_is_never_mailed_and_the_refusal_says_what_killed_it() {
        for (life, words) in [
            (Some(ChallengeLife::Decoy), "no code is due"),
            (Some(ChallengeLife::Used), "has been used"),
            (Some(ChallengeLife::Replaced), "newer code"),
            (Some(ChallengeLife::Ended), "was ended"),
            (Some(ChallengeLife::Expired), "has expired"),
            (None, "is gone"),
        ] {
            let status = MailStatus { life, ..expired() };

            let refusal = RetryRefusal::of(&status, at(10)).unwrap();

            assert!(refusal.to_string().contains(words), "{life:?}: {refusal}");
        }
    }

    #[test]
    fn a_mail_that_may_have_been_accepted_twice_gets_no_third_attempt() {
        let mut status = expired();
        status.mail.uncertain_attempts = 2;

        let refusal = RetryRefusal::of(&status, at(10));

        assert_eq!(refusal, Some(RetryRefusal::UncertainTwice));
    }

    #[test]
    fn a_notice_is_retried_for_a_day() {
        let mut status = expired();
        status.mail.deadline = None;
        status.life = None;
        let a_day = Duration::from_hours(24);

        assert_eq!(RetryRefusal::of(&status, at(0) + a_day), None);
        let later = at(1) + a_day;
        assert_eq!(RetryRefusal::of(&status, later), Some(RetryRefusal::TooOld));
    }
}
