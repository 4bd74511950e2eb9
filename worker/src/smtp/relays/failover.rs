//! One mail, from relay to relay: to the first that may have it, and on to the next if that one fails
//! before it could have accepted it.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::id::MailId;
use jiff::Timestamp;

use super::super::{Envelope, Mark, Stage, Try, Verdict, classify};
use super::Relays;

/// For how long a mail may go on to another relay: what is left of a handler's two minutes must do for a
/// whole try, which may take 90 s.
const GO_ON: Duration = Duration::from_secs(25);

/// One reach for a relay.
#[derive(Debug)]
pub struct Reach {
    /// When it began.
    pub started: Timestamp,
    /// What came of it.
    pub attempt: Try,
    /// Whether no more mails go to that relay for now.
    pub relay_is_open: bool,
}

impl Relays {
    /// Hands a mail to the first relay whose breaker lets it, and on to the next ones while they fail or
    /// refuse us before `mark` was asked for. Never after: from then on the dot may be written, and only the next try
    /// prefers another relay.
    ///
    /// Returns each reach in its order; none, if no relay takes mails now or its connections all hang. `mark` as for
    /// [`Relay::send`](crate::smtp::Relay::send).
    pub async fn hand_over(
        &self,
        mail: MailId,
        envelope: &Envelope,
        message: &[u8],
        mark: impl Future<Output = Mark> + Send,
        now: impl Fn() -> Timestamp + Send,
    ) -> Vec<Reach> {
        let begun = Instant::now();
        let asked = AtomicBool::new(false);
        let mut mark = pin!(async {
            asked.store(true, Ordering::Release);
            mark.await
        });
        let (mut reaches, mut tried) = (Vec::new(), Vec::new());
        while let Some(admitted) = self.admit(mail, &tried).await {
            tried.push(admitted.index());
            let started = now();
            let attempt = admitted.send(envelope, message, mark.as_mut()).await;
            let relay_is_open = admitted.report(mail, &attempt);
            let goes_on = matches!(
                classify(&attempt),
                Verdict::RelayTrouble | Verdict::RelayRefusesUs
            ) && attempt.stage < Stage::Dot
                && !asked.load(Ordering::Acquire)
                && begun.elapsed() < GO_ON;
            reaches.push(Reach {
                started,
                attempt,
                relay_is_open,
            });
            if !goes_on {
                break;
            }
        }
        reaches
    }
}
