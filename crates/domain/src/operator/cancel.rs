//! Cancelling a mail before it is sent.

use async_trait::async_trait;
use jiff::Timestamp;

use super::MailStatus;
use crate::audit::{Actor, Entry, Event};
use crate::delivery::Stored;
use crate::id::MailId;
use crate::mail::{MailState, undelivered};
use crate::store::{StoreError, Tx, Write};

/// What the mail's row says from then on.
const REASON: &str = "an operator cancelled it";

/// Cancels a mail, also one in flight, as long as the end of its message is not being written to the relay: the worker
/// asks for a permit before it writes that, and gets none.
#[derive(Debug)]
pub struct CancelMail {
    /// The mail.
    pub mail: MailId,
    /// The operator.
    pub actor: Actor,
    /// The current time.
    pub now: Timestamp,
}

/// Why a mail can't be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelRefusal {
    /// There is no such mail.
    #[error("the mail no longer exists")]
    Unknown,
    /// A worker may be writing the end of data.
    #[error(
        "it is being sent, and the worker may be writing the end of the message to the relay now: too late to cancel this \
         attempt. If the attempt fails, the mail waits again and can be cancelled"
    )]
    EndOfData,
    /// It has ended.
    #[error("it is already {0}")]
    Ended(Stored<MailState>),
}

impl CancelRefusal {
    fn of(status: &MailStatus) -> Option<Self> {
        if status.mail.finished.is_some() {
            return Some(Self::Ended(status.mail.state.clone()));
        }
        status.marked.then_some(Self::EndOfData)
    }
}

#[async_trait]
impl Write for CancelMail {
    type Out = Result<(), CancelRefusal>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let Some(status) = tx.mail_status(self.mail, self.now).await? else {
            return Ok(Err(CancelRefusal::Unknown));
        };
        if let Some(refusal) = CancelRefusal::of(&status) {
            return Ok(Err(refusal));
        }
        let reason = undelivered(REASON, status.mail.uncertain_attempts);
        tx.withdraw(self.mail, &reason, self.now).await?;
        let detail = format!("cancelled mail {}", self.mail);
        let entry = Entry::new(Event::Admin, &self.actor, self.now);
        tx.record(&entry.email(&status.known_as).detail(&detail))
            .await?;
        Ok(Ok(()))
    }
}
