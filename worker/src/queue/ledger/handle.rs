//! How handlers reach the ledger: they ask for marks, and tell how they ended.

use domain::queue::{Claim, Loss, SendPermit};
use tokio::sync::{mpsc, oneshot};

use crate::outcome::Outcome;

/// How a handler ended.
#[derive(Debug)]
pub enum Ending {
    /// It came to a result.
    Settled(Box<Outcome>),
    /// Its claim is void; there is nothing to settle.
    Lost,
    /// It panicked: a try that counts, so that it does not go on for ever.
    Panicked,
    /// It took too long. Nobody's fault but the relay's or the database's, so no try is counted.
    Overdue,
    /// The worker stops and could not wait for it.
    Stopped,
    /// No relay takes mails any more. It goes back as it came.
    Held,
}

/// What handlers say to the ledger.
pub(super) enum Message {
    Mark(Claim, oneshot::Sender<SendPermit>),
    Ended(Claim, Ending),
    /// Everything that will ever be said has been said.
    Close,
}

/// How handlers reach the ledger. Cheap to clone.
#[derive(Clone)]
pub struct LedgerHandle(mpsc::UnboundedSender<Message>);

impl LedgerHandle {
    pub(super) fn new(sender: mpsc::UnboundedSender<Message>) -> Self {
        Self(sender)
    }

    /// Asks whether the final dot may be written; the answer is on record before it is given.
    pub async fn mark(&self, claim: Claim) -> SendPermit {
        let (sender, answer) = oneshot::channel();
        // Without the ledger nobody keeps the claim: others take the mail back.
        let gone = SendPermit::ClaimLost(Loss::LeaseLost);
        if self.0.send(Message::Mark(claim, sender)).is_err() {
            return gone;
        }
        answer.await.unwrap_or(gone)
    }

    /// Says how a claim ended.
    pub fn ended(&self, claim: Claim, ending: Ending) {
        let _ = self.0.send(Message::Ended(claim, ending));
    }

    /// Says that nothing more will come; the ledger ends when all is settled.
    pub fn close(&self) {
        let _ = self.0.send(Message::Close);
    }
}
