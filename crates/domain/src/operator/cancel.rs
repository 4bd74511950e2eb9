//! Withdrawing a mail before it is sent.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Standing;
use crate::audit::{Actor, Entry, Event};
use crate::id::MailId;
use crate::mail::undelivered;
use crate::store::{StoreError, Tx, Write};

/// What the mail's row says from then on.
const REASON: &str = "an operator cancelled it";

/// Withdraws a mail, also one that a worker has in hand, as long as the end of its message is not on its way
/// to the relay: the worker asks before it writes that, and is told no.
#[derive(Debug)]
pub struct CancelMail {
    /// Which.
    pub mail: MailId,
    /// Who does it.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
}

/// Why a mail can't be withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelRefusal {
    /// There is no such mail.
    #[error("there is no such mail any more")]
    Unknown,
    /// A worker may be writing the final dot.
    #[error(
        "a worker has it in hand and may be writing the end of the message to the relay at this moment: \
         it is too late to cancel this try. If the try fails, the mail waits again and can be cancelled"
    )]
    OnItsWay,
    /// It is over.
    #[error("it is {0} already: there is nothing left to cancel")]
    Over(String),
}

impl CancelRefusal {
    fn of(standing: &Standing) -> Option<Self> {
        if standing.mail.finished.is_some() {
            return Some(Self::Over(standing.mail.state.clone()));
        }
        standing.marked.then_some(Self::OnItsWay)
    }
}

#[async_trait]
impl Write for CancelMail {
    type Out = Result<(), CancelRefusal>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let Some(standing) = tx.standing(self.mail, self.now).await? else {
            return Ok(Err(CancelRefusal::Unknown));
        };
        if let Some(refusal) = CancelRefusal::of(&standing) {
            return Ok(Err(refusal));
        }
        let reason = undelivered(REASON, standing.mail.cut_offs);
        tx.withdraw(self.mail, &reason, self.now).await?;
        let detail = format!("cancelled mail {}", self.mail);
        let entry = Entry::new(Event::Admin, &self.actor, self.now);
        tx.record(&entry.email(&standing.known_as).detail(&detail))
            .await?;
        Ok(Ok(()))
    }
}
