//! Pausing the queue: a flag in the database that every worker reads in the transaction in which it claims, so
//! that nothing is claimed once the pause is committed. What a worker has in hand by then is finished.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::audit::{Actor, Entry, Event};
use crate::mail::MailKind;
use crate::queue::MailRecord;
use crate::store::{StoreError, Tx, Write};

/// What is paused, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Mails of this kind alone; `None`: all.
    pub kind: Option<String>,
    /// Why, in the operator's words; may be empty.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Who paused it.
    pub by: String,
}

impl Pause {
    /// Whether this is why the mail is not sent.
    #[must_use]
    pub fn holds(&self, mail: &MailRecord) -> bool {
        let waits = matches!(mail.state.as_str(), "queued" | "waiting");
        waits && self.kind.as_ref().is_none_or(|kind| *kind == mail.kind)
    }
}

/// What a pause is called in the record of events.
fn what(kind: Option<&str>) -> String {
    kind.map_or_else(|| "the queue".to_owned(), |kind| format!("{kind} mails"))
}

/// Pauses the queue, or a kind of mail.
#[derive(Debug)]
pub struct PauseQueue {
    /// Mails of this kind alone.
    pub kind: Option<MailKind>,
    /// Why; may be empty.
    pub reason: String,
    /// Who does it.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl Write for PauseQueue {
    /// Whether it was not paused before. If it was, only the reason is new.
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

/// Ends pauses. What they held is given back by [`ReleaseHeld`], a few mails at a time; should whoever asks for
/// that go away, a worker's sweep does the rest.
#[derive(Debug)]
pub struct ResumeQueue {
    /// Only the pause of this kind; `None`: every pause.
    pub kind: Option<MailKind>,
    /// Who does it.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug)]
pub struct Resumed {
    /// The pauses that have ended.
    pub ended: Vec<Pause>,
    /// What is paused still.
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

/// Gives back some of the mails that a pause had held.
#[derive(Debug)]
pub struct ReleaseHeld;

#[async_trait]
impl Write for ReleaseHeld {
    /// How many; none: there are no more.
    type Out = u64;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        tx.release_held().await
    }
}
