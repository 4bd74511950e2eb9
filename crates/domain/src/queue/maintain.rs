//! Maintaining mails that no worker claims: because relays are out of order, because the worker that has
//! their key is away, or because the clock was set back.

use async_trait::async_trait;
use jiff::Timestamp;

use super::port::{MailChange, OpenMail};
use super::{JobId, Keys};
use crate::delivery::Stored;
use crate::id::MailId;
use crate::mail::{Lane, MailKind, MailState, NOTICE_LIFE, Priority, longest_pause, undelivered};
use crate::otp::KeyId;
use crate::store::{Reader, Store, StoreError, Tx, Write};

/// Mails of one kind that one transaction maintains at most, which keeps the lock short.
const BATCH: u32 = 200;

/// A mail asked for no further in the future than this was not asked for in the future.
const CLOCK_SLACK: std::time::Duration = std::time::Duration::from_secs(1);

/// Expires, reschedules and explains mails that no worker claims, some at a time.
#[derive(Debug)]
pub struct Maintain {
    /// The worker's keys.
    pub keys: Keys,
    /// When.
    pub now: Timestamp,
}

/// What [`Maintain`] found and put right.
#[derive(Debug, Default)]
pub struct Maintenance {
    /// Mails whose time was over before a worker could send them. They have ended as expired.
    pub expired: Vec<Expired>,
    /// Mails that were found to wait for a worker that has this key. Their rows say so now.
    pub missing_keys: Vec<(MailId, KeyId)>,
    /// Mails that waited for a time that the clock, set back, would have reached too late. They are due now.
    pub rescheduled: Vec<MailId>,
    /// Jobs of a priority that no mail has, which belong to no mail. They were set aside.
    pub foreign_jobs: u64,
}

/// A mail whose time was over before a worker could send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// The mail.
    pub mail: MailId,
    /// What it says.
    pub kind: Stored<MailKind>,
}

/// A mail whose code is made with a key that a worker lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingKey {
    /// The mail.
    pub mail: MailId,
    /// The key.
    pub key: KeyId,
    /// Why the mail waits, as its row says.
    pub reason: Option<String>,
}

/// Looks for what there is to maintain, and takes the lock only if there is something: nearly always there is nothing.
pub async fn maintain(
    store: &Store,
    keys: &Keys,
    now: Timestamp,
) -> Result<Maintenance, StoreError> {
    let mut reader = store.reader().await?;
    let found = Found::look(reader.as_mut(), keys, now).await?;
    reader.done();
    if found.is_empty() {
        return Ok(Maintenance::default());
    }
    let keys = keys.clone();
    store.write(Maintain { keys, now }).await
}

#[async_trait]
impl Write for Maintain {
    type Out = Maintenance;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Maintenance, StoreError> {
        let found = Found::look(tx, &self.keys, self.now).await?;
        let mut maintenance = Maintenance::default();
        if !found.foreign.is_empty() {
            maintenance.foreign_jobs = tx.set_foreign_aside(&found.foreign, self.now).await?;
        }
        let changes = found.changes(self.now);
        if !changes.is_empty() {
            tx.change_mails(&changes, self.now).await?;
        }
        let forgotten: Vec<JobId> = (found.overdue.iter())
            .filter(|mail| mail.to_be_forgotten)
            .map(|mail| mail.id.into())
            .collect();
        if !forgotten.is_empty() {
            tx.forget_addresses(&forgotten).await?;
        }
        maintenance.expired = (found.overdue.into_iter())
            .map(|mail| Expired {
                mail: mail.id,
                kind: mail.kind,
            })
            .collect();
        maintenance.rescheduled = found.skewed.into_iter().map(|(mail, _)| mail).collect();
        maintenance.missing_keys = (found.missing_keys.into_iter())
            .map(|missing| (missing.mail, missing.key))
            .collect();
        Ok(maintenance)
    }
}

/// What there is to maintain.
struct Found {
    overdue: Vec<OpenMail>,
    /// Each with the state that it keeps.
    skewed: Vec<(MailId, MailState)>,
    missing_keys: Vec<MissingKey>,
    foreign: Vec<JobId>,
}

impl Found {
    async fn look(
        reader: &mut dyn Reader,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let overdue = reader.overdue_mails(now, now - NOTICE_LIFE, BATCH).await?;
        let skewed = reader.skewed_mails(&Latest::at(now), now, BATCH).await?;
        let mut missing_keys = Vec::new();
        if let Keys::Only(held) = keys {
            for lane in Lane::ALL {
                let rank = Priority::Code.rank_in(lane);
                missing_keys.extend(reader.missing_keys(rank, held, now, BATCH).await?);
            }
        }
        missing_keys.retain(|missing| missing.reason.as_ref() != Some(&waits_for(&missing.key)));
        let ranks = super::due::ranks(&Lane::ALL);
        Ok(Self {
            overdue,
            skewed,
            missing_keys,
            foreign: reader.foreign_jobs(&ranks, BATCH).await?,
        })
    }

    fn is_empty(&self) -> bool {
        self.overdue.is_empty()
            && self.skewed.is_empty()
            && self.missing_keys.is_empty()
            && self.foreign.is_empty()
    }

    /// What becomes of the mails. One that has expired is not told that its key is missing.
    fn changes(&self, now: Timestamp) -> Vec<MailChange> {
        let expired = self.overdue.iter().map(|mail| MailChange {
            reason: Some(expired(mail)),
            ..MailChange::to(mail.id, MailState::Expired)
        });
        let rescheduled = self.skewed.iter().map(|(mail, state)| MailChange {
            due: Some(now),
            ..MailChange::to(*mail, *state)
        });
        let explained = self.missing_keys.iter().map(|missing| MailChange {
            reason: Some(waits_for(&missing.key)),
            ..MailChange::to(missing.mail, MailState::Waiting)
        });
        let mut changes: Vec<MailChange> = explained.chain(rescheduled).chain(expired).collect();
        // Each mail once: the last of its changes says most.
        changes.reverse();
        let mut seen = std::collections::HashSet::new();
        changes.retain(|change| seen.insert(change.job.clone()));
        changes
    }
}

/// Why a mail waits whose code is made with a key that the worker lacks.
fn waits_for(key: &KeyId) -> String {
    format!(
        "waits for a worker that has the secret key {}, which makes its code",
        key.as_str()
    )
}

/// Why a mail has expired that no worker could send.
fn expired(mail: &OpenMail) -> String {
    let reason = match &mail.reason {
        None => "its time was over before a worker could send it".to_owned(),
        Some(reason) => format!("its time was over while it waited: {reason}"),
    };
    undelivered(&reason, mail.uncertain_attempts)
}

/// The latest times that rows can show unless the clock was set back after they were written. A mail that was never tried
/// is due from its request on; one that waits, after the longest pause of its priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latest {
    /// When a queued mail was asked for.
    pub request: Timestamp,
    /// When a mail with a code that waits is tried again.
    pub code: Timestamp,
    /// When a notice that waits is tried again.
    pub notice: Timestamp,
}

impl Latest {
    fn at(now: Timestamp) -> Self {
        Self {
            request: now + CLOCK_SLACK,
            code: now + longest_pause(Priority::Code),
            notice: now + longest_pause(Priority::Notice),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overdue(reason: Option<&str>, uncertain_attempts: u32) -> OpenMail {
        OpenMail {
            id: MailId::generate(),
            kind: "verify_email".into(),
            reason: reason.map(str::to_owned),
            uncertain_attempts,
            permitted: false,
            to_be_forgotten: false,
        }
    }

    #[test]
    fn an_expired_mail_says_what_it_waited_for_and_what_may_have_happened() {
        for (reason, uncertain_attempts, told) in [
            (None, 0, "its time was over before a worker could send it"),
            (
                Some("the relay is down"),
                0,
                "its time was over while it waited: the relay is down",
            ),
        ] {
            assert_eq!(expired(&overdue(reason, uncertain_attempts)), told);
        }
        for uncertain_attempts in [1, 2] {
            let told = expired(&overdue(None, uncertain_attempts));
            assert!(told.contains("; it may have been delivered"), "{told}");
        }
    }

    #[test]
    fn a_mail_that_is_found_twice_expires() {
        let now = Timestamp::UNIX_EPOCH;
        let mail = overdue(None, 0);
        let found = Found {
            skewed: vec![(mail.id, MailState::Waiting)],
            missing_keys: vec![MissingKey {
                mail: mail.id,
                key: "0badcafe".to_owned().into(),
                reason: None,
            }],
            overdue: vec![mail],
            foreign: Vec::new(),
        };

        let changes = found.changes(now);

        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].state, MailState::Expired);
    }

    #[test]
    fn nothing_is_skewed_that_a_schedule_can_have_written() {
        let now = Timestamp::from_second(1_000_000).unwrap();

        let latest = Latest::at(now);

        for (time, seconds) in [
            (latest.request, 1),
            (latest.code, 4 * 60),
            (latest.notice, 40 * 60),
        ] {
            assert_eq!(time.duration_since(now).as_secs(), seconds);
        }
    }
}
