//! Pausing the queue: a flag in the database that every worker reads in the transaction in which it claims, so that no
//! mail is claimed after the pause is committed. Mails in flight are finished.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::audit::{Actor, Entry, Event};
use crate::mail::{MailKind, MailState};
use crate::queue::MailRecord;
use crate::store::{StoreError, Tx, Write};

/// What is paused, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The kind of mail; `None`: all mails.
    pub kind: Option<String>,
    /// Why, in the operator's words; may be empty.
    pub reason: String,
    /// When it was paused.
    pub since: Timestamp,
    /// Who paused it.
    pub by: String,
}

impl Pause {
    /// Whether this pause keeps the mail from being sent.
    #[must_use]
    pub fn holds(&self, mail: &MailRecord) -> bool {
        waits(mail)
            && self
                .kind
                .as_ref()
                .is_none_or(|kind| kind == mail.kind.as_str())
    }
}

/// Whether a mail waits for a worker.
#[must_use]
pub fn waits(mail: &MailRecord) -> bool {
    matches!(
        mail.state.known(),
        Some(MailState::Queued | MailState::Waiting)
    )
}

/// What is paused, for the security events.
fn what(kind: Option<&str>) -> String {
    kind.map_or_else(|| "the queue".to_owned(), |kind| format!("{kind} mails"))
}

/// Pauses the queue, or a kind of mail.
#[derive(Debug)]
pub struct PauseQueue {
    /// The kind of mail; `None`: all mails.
    pub kind: Option<MailKind>,
    /// Why; may be empty.
    pub reason: String,
    /// The operator.
    pub actor: Actor,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for PauseQueue {
    /// False if it was already paused: then only the reason is new.
    type Out = bool;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let pause = Pause {
            kind: self.kind.map(|kind| kind.as_str().to_owned()),
            reason: self.reason.clone(),
            since: self.now,
            by: self.actor.user_agent.clone(),
        };
        let new = tx.pause(&pause).await?;
        let mut detail = format!("paused {}", what(pause.kind.as_deref()));
        if !self.reason.is_empty() {
            detail = format!("{detail}: {}", self.reason);
        }
        let entry = Entry::new(Event::Admin, &self.actor, self.now);
        tx.record(&entry.detail(&detail)).await?;
        Ok(new)
    }
}

/// Ends pauses. The mails they held are released by [`ReleaseHeld`], a few at a time; a worker's maintenance releases what
/// is left if the caller stops early.
#[derive(Debug)]
pub struct ResumeQueue {
    /// The kind whose pause ends; `None`: every pause ends.
    pub kind: Option<MailKind>,
    /// The operator.
    pub actor: Actor,
    /// The current time.
    pub now: Timestamp,
}

/// The result of resuming.
#[derive(Debug)]
pub struct Resumed {
    /// The pauses that ended.
    pub ended: Vec<Pause>,
    /// The pauses still in force.
    pub left: Vec<Pause>,
}

#[async_trait]
impl Write for ResumeQueue {
    type Out = Resumed;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Resumed, StoreError> {
        let ended = tx.end_pauses(self.kind, self.now).await?;
        for pause in &ended {
            let detail = format!("resumed {}", what(pause.kind.as_deref()));
            let entry = Entry::new(Event::Admin, &self.actor, self.now);
            tx.record(&entry.detail(&detail)).await?;
        }
        let left = tx.pauses().await?;
        Ok(Resumed { ended, left })
    }
}

/// Releases some of the mails that a pause had held.
#[derive(Debug)]
pub struct ReleaseHeld;

#[async_trait]
impl Write for ReleaseHeld {
    /// The number of released mails; 0: there are no more.
    type Out = u64;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        tx.release_held().await
    }
}
