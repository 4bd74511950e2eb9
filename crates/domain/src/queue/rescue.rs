//! Taking back the mails of workers that died.
//!
//! A mail whose permit to send was on record counts as uncertain: it gets one more attempt and no second. A mail that was
//! in flight in three workers that died is set aside. Mails that two workers died with come back a second apart: only one
//! of them kills its workers, and it must not take the others with it.

use async_trait::async_trait;
use jiff::Timestamp;

use super::JobId;
use super::port::{LockedMail, LostAttempt, MailChange};
use crate::delivery::{AttemptOutcome, AttemptRecord, Stage, Stored};
use crate::id::MailId;
use crate::mail::{MAX_CRASHES, MAX_UNCERTAIN, MailKind, MailState, maybe_delivered, undelivered};
use crate::store::{StoreError, Tx, Write};

/// Takes back what dead workers had in flight, and removes the workers.
#[derive(Debug)]
pub struct Rescue {
    /// The names of the dead workers.
    pub dead: Vec<String>,
    /// When.
    pub now: Timestamp,
}

/// A mail taken back from a dead worker.
#[derive(Debug, Clone)]
pub struct Rescued {
    /// The mail.
    pub mail: MailId,
    /// What it says.
    pub kind: Stored<MailKind>,
    /// Its state now.
    pub state: MailState,
}

#[async_trait]
impl Write for Rescue {
    type Out = Vec<Rescued>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Vec<Rescued>, StoreError> {
        let mails = tx.locked_mails(&self.dead).await?;
        let attempts: Vec<LostAttempt> = (mails.iter())
            .map(|mail| lost_attempt(mail, self.now))
            .collect();
        let changes = changes(&mails, self.now);
        if !changes.is_empty() {
            tx.record_lost_attempts(&attempts).await?;
            tx.change_mails(&changes, self.now).await?;
        }
        let forgotten: Vec<JobId> = (changes.iter())
            .zip(&mails)
            .filter(|(change, mail)| change.state.is_final() && mail.to_be_forgotten)
            .map(|(change, _)| change.job.clone())
            .collect();
        if !forgotten.is_empty() {
            tx.forget_addresses(&forgotten).await?;
        }
        tx.unlock_foreign_jobs(&self.dead, self.now).await?;
        tx.remove_workers(&self.dead).await?;
        Ok((mails.into_iter().zip(changes))
            .map(|(mail, change)| Rescued {
                mail: mail.claim.mail,
                kind: mail.kind,
                state: change.state,
            })
            .collect())
    }
}

/// What becomes of each mail. Possible poison is due one mail after the other.
fn changes(mails: &[LockedMail], now: Timestamp) -> Vec<MailChange> {
    let mut changes: Vec<MailChange> = mails.iter().map(after_crash).collect();
    let mut possible_poison: Vec<&mut MailChange> = (changes.iter_mut().zip(mails))
        .filter(|(change, mail)| !change.state.is_final() && mail.crashes + 2 >= MAX_CRASHES)
        .map(|(change, _)| change)
        .collect();
    if possible_poison.len() > 1 {
        for (change, second) in possible_poison.iter_mut().zip(now.as_second()..) {
            change.due = Timestamp::from_second(second).ok();
        }
    }
    changes
}

/// What a worker's crash makes of a mail.
fn after_crash(mail: &LockedMail) -> MailChange {
    let uncertain = mail.uncertain_attempts + u32::from(mail.permitted);
    let (state, reason) = if uncertain >= MAX_UNCERTAIN {
        let reason = maybe_delivered(uncertain).unwrap_or_default();
        (MailState::Undeliverable, reason.to_owned())
    } else if mail.crashes + 1 >= MAX_CRASHES {
        (
            MailState::Poison,
            undelivered("crashed three workers", uncertain),
        )
    } else {
        (
            MailState::Waiting,
            "its worker died; waits for another".to_owned(),
        )
    };
    MailChange {
        reason: Some(reason),
        crashed: true,
        uncertain: mail.permitted,
        ..MailChange::to(mail.claim.mail, state)
    }
}

/// What is known of an attempt that its worker did not survive.
fn lost_attempt(mail: &LockedMail, now: Timestamp) -> LostAttempt {
    let (stage, outcome, text) = if mail.permitted {
        (
            Stage::EndOfData,
            AttemptOutcome::Uncertain,
            "the worker died after it had recorded that the end of data was about to be written: the relay may have accepted the mail",
        )
    } else {
        (
            Stage::Unknown,
            AttemptOutcome::WorkerDied,
            "the worker died before the end of data: the relay has not accepted the mail",
        )
    };
    LostAttempt {
        claim: mail.claim,
        worker: mail.worker.clone(),
        record: AttemptRecord {
            duration_ms: u64::try_from(now.duration_since(mail.locked).as_millis())
                .unwrap_or_default(),
            ..AttemptRecord::unanswered(stage, outcome, text.to_owned(), mail.locked)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Claim;

    fn locked(crashes: u32, uncertain_attempts: u32, permitted: bool) -> LockedMail {
        LockedMail {
            claim: Claim {
                mail: MailId::generate(),
                number: 1,
            },
            kind: "verify_email".into(),
            worker: "w".to_owned(),
            locked: Timestamp::UNIX_EPOCH,
            permitted,
            crashes,
            uncertain_attempts,
            to_be_forgotten: false,
        }
    }

    #[test]
    fn a_crash_makes_of_a_mail_what_its_crashes_and_uncertain_attempts_say() {
        for (crashes, uncertain_attempts, permitted, state, reason) in [
            (0, 0, false, MailState::Waiting, "its worker died"),
            (0, 0, true, MailState::Waiting, "its worker died"),
            (0, 1, false, MailState::Waiting, "its worker died"),
            (
                0,
                1,
                true,
                MailState::Undeliverable,
                "may have been delivered",
            ),
            (1, 0, false, MailState::Waiting, "its worker died"),
            (2, 0, false, MailState::Poison, "crashed three workers"),
            (2, 0, true, MailState::Poison, "workers; it may have been"),
            (
                2,
                1,
                true,
                MailState::Undeliverable,
                "may have been delivered",
            ),
        ] {
            let change = after_crash(&locked(crashes, uncertain_attempts, permitted));

            assert_eq!(
                change.state, state,
                "{crashes} {uncertain_attempts} {permitted}"
            );
            assert!(
                change.reason.as_ref().unwrap().contains(reason),
                "{change:?}"
            );
            assert_eq!((change.crashed, change.uncertain), (true, permitted));
        }
    }

    #[test]
    fn suspects_are_due_a_second_apart_and_a_single_one_at_once() {
        let mails = [
            locked(1, 0, false),
            locked(0, 0, false),
            locked(1, 0, true),
            locked(2, 0, false),
        ];
        let now = Timestamp::from_second(100).unwrap();
        let due = |mails: &[LockedMail]| -> Vec<_> {
            let changes = changes(mails, now);
            (changes.iter())
                .map(|change| change.due.map(Timestamp::as_second))
                .collect()
        };

        assert_eq!(due(&mails), [Some(100), None, Some(101), None]);
        assert_eq!(due(&mails[..2]), [None, None]);
    }
}
