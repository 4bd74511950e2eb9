//! How handlers reach the dispatcher: they ask for permits and report their results.

use domain::delivery::Outcome;
use domain::id::MailId;
use domain::queue::{Claim, Loss, SendPermit};
use tokio::sync::{mpsc, oneshot};

/// How a handler ended.
#[derive(Debug)]
pub enum HandlerResult {
    /// It came to a result.
    Settled {
        /// The outcome.
        outcome: Box<Outcome>,
        /// Mails that waited for the destination, which has answered, or for a slot there.
        woken: Vec<MailId>,
    },
    /// Its claim is void; there is nothing to settle.
    Lost,
    /// It panicked. The attempt counts, so that a mail does not panic for ever.
    Panicked,
    /// It took too long. The relay or the database was slow, so no attempt is counted.
    Overdue,
    /// The worker stopped before the handler had finished.
    Stopped,
    /// No relay takes mails. The mail is released.
    Held,
}

/// What handlers say to the dispatcher.
pub(super) enum Message {
    Permit(Claim, oneshot::Sender<SendPermit>),
    Finished(Claim, HandlerResult),
    /// No more messages follow.
    Close,
}

/// How handlers reach the dispatcher. Cheap to clone.
#[derive(Clone)]
pub struct DispatcherHandle(mpsc::UnboundedSender<Message>);

impl DispatcherHandle {
    pub(super) fn new(sender: mpsc::UnboundedSender<Message>) -> Self {
        Self(sender)
    }

    /// Asks whether the end of data may be written. The permit is recorded before this returns.
    pub async fn permit(&self, claim: Claim) -> SendPermit {
        let (sender, answer) = oneshot::channel();
        // The dispatcher has ended: another worker rescues the mail.
        let gone = SendPermit::ClaimLost(Loss::LeaseLost);
        if self.0.send(Message::Permit(claim, sender)).is_err() {
            return gone;
        }
        answer.await.unwrap_or(gone)
    }

    /// Reports the result of a claim.
    pub fn finished(&self, claim: Claim, result: HandlerResult) {
        let _ = self.0.send(Message::Finished(claim, result));
    }

    /// Says that no more messages follow. The dispatcher ends when all is settled.
    pub fn close(&self) {
        let _ = self.0.send(Message::Close);
    }
}
