//! Trying a mail once more: at once if it waits, again if it ended without being delivered. Never one whose
//! code is dead, and never one that could become a third mail.

use async_trait::async_trait;
use jiff::Timestamp;

use super::suppression::lift;
use super::{Standing, Suppression};
use crate::audit::{Actor, Entry, Event};
use crate::id::MailId;
use crate::mail::{MAX_CUT_OFFS, may_start};
use crate::queue::ChallengeLife;
use crate::store::{StoreError, Tx, Write};

/// What the mail's row says until the next try.
const REASON: &str = "an operator asked for another try";

/// Makes a mail due now. Whatever suppresses its address is lifted.
#[derive(Debug)]
pub struct RetryMail {
    /// Which.
    pub mail: MailId,
    /// Who does it.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Retried {
    /// The state it was in.
    pub was: String,
    /// What had suppressed its address.
    pub lifted: Option<Suppression>,
}

/// Why a mail can't be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetryRefusal {
    /// There is no such mail.
    #[error("there is no such mail any more")]
    Unknown,
    /// Its job is missing.
    #[error("its job is missing from the queue's table, so no worker would find it")]
    NoJob,
    /// It was delivered.
    #[error("a relay has accepted it: another try would be a second mail")]
    Delivered,
    /// It is due, or in hand.
    #[error("it is {0} already: nothing keeps it back that another try would change")]
    UnderWay(String),
    /// It could become a third mail.
    #[error(
        "it was cut off twice after the end of the message, so the relay may have accepted it twice: \
         another try could make a third mail. Have a new one asked for"
    )]
    CutOffTwice,
    /// Its recipient is not known any more.
    #[error("its address was forgotten together with the account")]
    Forgotten,
    /// Its code can't be used any more.
    #[error("{0}: a dead code is never mailed. Have a new one asked for")]
    Dead(&'static str),
    /// A notice that is too old.
    #[error("a notice is sent within a day of what it is about, and that day is over")]
    TooOld,
}

impl RetryRefusal {
    fn of(standing: &Standing, now: Timestamp) -> Option<Self> {
        let mail = &standing.mail;
        let earlier = mail.tries + mail.cut_offs > 0;
        match mail.state.as_str() {
            "delivered" => return Some(Self::Delivered),
            "queued" | "sending" => return Some(Self::UnderWay(mail.state.clone())),
            _ => {}
        }
        if mail.cut_offs >= MAX_CUT_OFFS {
            return Some(Self::CutOffTwice);
        }
        if mail.to.is_empty() {
            return Some(Self::Forgotten);
        }
        if let Some(dead) = dead_code(standing) {
            return Some(Self::Dead(dead));
        }
        (!may_start(mail.created, mail.deadline, earlier, now)).then_some(match mail.deadline {
            Some(_) => Self::Dead("too little of its code's life is left for another try"),
            None => Self::TooOld,
        })
    }
}

/// What is wrong with the code of a mail that carries one, which is one with a deadline.
fn dead_code(standing: &Standing) -> Option<&'static str> {
    standing.mail.deadline?;
    match standing.life {
        Some(ChallengeLife::Live) => None,
        Some(ChallengeLife::Decoy) => Some("no code is due at this address"),
        Some(ChallengeLife::Used) => Some("its code has been used"),
        Some(ChallengeLife::Replaced) => Some("a newer code was made"),
        Some(ChallengeLife::Ended) => Some("its code was ended"),
        Some(ChallengeLife::Expired) => Some("its code has expired"),
        None => Some("its code is gone with the attempt it belonged to"),
    }
}

#[async_trait]
impl Write for RetryMail {
    type Out = Result<Retried, RetryRefusal>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let Some(standing) = tx.standing(self.mail, self.now).await? else {
            return Ok(Err(RetryRefusal::Unknown));
        };
        if let Some(refusal) = RetryRefusal::of(&standing, self.now) {
            return Ok(Err(refusal));
        }
        if !tx.requeue(self.mail, REASON, self.now).await? {
            return Ok(Err(RetryRefusal::NoJob));
        }
        let Standing { mail, known_as, .. } = standing;
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
    use crate::queue::MailRecord;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// An expired mail whose code lives until the 600th second.
    fn expired() -> Standing {
        Standing {
            mail: MailRecord {
                id: MailId::generate(),
                kind: "verify_email".to_owned(),
                state: "expired".to_owned(),
                reason: None,
                to: "ada@example.com".to_owned(),
                to_key: "ada@example.com".to_owned().into(),
                request_id: "request".to_owned(),
                created: at(0),
                deadline: Some(at(600)),
                again_at: None,
                finished: Some(at(5)),
                tries: 1,
                cut_offs: 0,
            },
            life: Some(ChallengeLife::Live),
            marked: false,
            known_as: "ada@example.com".to_owned().into(),
        }
    }

    #[test]
    fn a_mail_is_tried_again_while_its_code_lives_and_has_time() {
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
            let standing = Standing { life, ..expired() };

            let refusal = RetryRefusal::of(&standing, at(10)).unwrap();

            assert!(refusal.to_string().contains(words), "{life:?}: {refusal}");
        }
    }

    #[test]
    fn a_mail_that_may_have_been_accepted_twice_gets_no_third_try() {
        let mut standing = expired();
        standing.mail.cut_offs = 2;

        let refusal = RetryRefusal::of(&standing, at(10));

        assert_eq!(refusal, Some(RetryRefusal::CutOffTwice));
    }

    #[test]
    fn a_notice_is_tried_again_for_a_day() {
        let mut standing = expired();
        standing.mail.deadline = None;
        standing.life = None;
        let a_day = Duration::from_hours(24);

        assert_eq!(RetryRefusal::of(&standing, at(0) + a_day), None);
        let later = at(1) + a_day;
        assert_eq!(
            RetryRefusal::of(&standing, later),
            Some(RetryRefusal::TooOld)
        );
    }
}
