//! One mail, from relay to relay: to the first that admits it, and on to the next if that one fails before it could have
//! accepted the mail.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::id::MailId;
use jiff::Timestamp;
use tokio::time::Instant;

use super::super::relay::FOR_ROOM;
use super::super::{Attempt, AttemptOutcome, Envelope, Stage, Stay, Timeouts, classify};
use super::Relays;

/// Until when, from the beginning, a mail may set out for a relay, be it the first or another, waits for a connection
/// included.
const GO_ON: Duration = Duration::from_secs(25);

/// The longest that handing a mail over takes. The last attempt begins within `GO_ON`, and all of it, with the wait for
/// a connection at a full relay and for the permit, is bounded as a whole.
pub const LONGEST_HAND_OVER: Duration = GO_ON.saturating_add(Timeouts::USUAL.whole_try);

// A mail that has waited for a connection to its first relay, or for one more there, can still go on to another.
const _: () = assert!(
    Timeouts::USUAL.slot.as_millis() < GO_ON.as_millis()
        && FOR_ROOM.as_millis() < GO_ON.as_millis()
);

/// An attempt at one relay.
#[derive(Debug)]
pub struct RelayAttempt {
    /// When it began.
    pub started: Timestamp,
    /// What came of it.
    pub attempt: Attempt,
    /// Whether no more mails go to that relay for now.
    pub relay_is_open: bool,
}

impl Relays {
    /// Hands a mail to the first relay whose breaker lets it, and on to the next ones while they fail or
    /// refuse us before `permit` was asked for. Never after: from then on the end of data may be written, and only the
    /// mail's next attempt prefers another relay.
    ///
    /// Returns each relay attempt in its order; none, if no relay takes mails now or its connections all hang. `permit` as for
    /// [`Relay::send`](crate::smtp::Relay::send).
    pub async fn hand_over(
        &self,
        mail: MailId,
        envelope: &Envelope,
        message: &[u8],
        permit: impl Future<Output = Result<(), String>> + Send,
        now: impl Fn() -> Timestamp + Send,
    ) -> Vec<RelayAttempt> {
        self.hand_over_within(None, mail, envelope, message, permit, now)
            .await
    }

    /// The same for a mail that may keep its connection only for so long while others need it. Where another relay
    /// could take the mail, one that does not answer before it knows the recipient is left sooner.
    pub async fn hand_over_within(
        &self,
        stay: Option<&Stay>,
        mail: MailId,
        envelope: &Envelope,
        message: &[u8],
        permit: impl Future<Output = Result<(), String>> + Send,
        now: impl Fn() -> Timestamp + Send,
    ) -> Vec<RelayAttempt> {
        let slow = stay.is_some_and(Stay::is_slow);
        let latest = Instant::now() + GO_ON;
        let asked = AtomicBool::new(false);
        let mut permit = pin!(async {
            asked.store(true, Ordering::Release);
            permit.await
        });
        let (mut attempts, mut tried) = (Vec::new(), Vec::new());
        while let Some(admitted) = self.admit(mail, slow, &tried, latest).await {
            tried.push(admitted.index());
            if let Some(stay) = stay {
                stay.set_elsewhere(self.first_open_to(mail, &tried).is_some());
            }
            let started = now();
            let attempt = admitted
                .send(stay, envelope, message, permit.as_mut())
                .await;
            let relay_is_open = admitted.report(mail, envelope.to.as_ref(), &attempt);
            let goes_on = matches!(
                classify(&attempt),
                AttemptOutcome::RelayTrouble | AttemptOutcome::RelayRefusesUs
            ) && attempt.stage < Stage::EndOfData
                && !asked.load(Ordering::Acquire)
                && Instant::now() < latest;
            attempts.push(RelayAttempt {
                started,
                attempt,
                relay_is_open,
            });
            if !goes_on {
                break;
            }
        }
        attempts
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::clock::SystemClock;
    use tokio::net::TcpSocket;
    use tokio::time::sleep;

    use super::super::super::{Relay, RelayOptions, Secrets, Slot};
    use super::*;

    /// A relay without a listener, what keeps it that way, and the only connection to it.
    async fn taken() -> (Relay, TcpSocket, Slot) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("smtp://{}?tls=none", socket.local_addr().unwrap());
        let one_connection = RelayOptions {
            max_connections: 1,
            ..RelayOptions::default()
        };
        let relay = Relay::new(url.parse().unwrap(), one_connection).unwrap();
        let slot = relay.slot(Instant::now()).await.unwrap();
        (relay, socket, slot)
    }

    async fn hand_over(relays: &Relays) -> Vec<RelayAttempt> {
        let address = || "ada@example.com".parse().unwrap();
        let envelope = Envelope {
            secrets: Secrets::default(),
            from: address(),
            to: address(),
        };
        let permit = async { Ok(()) };
        relays
            .hand_over(MailId::generate(), &envelope, b"", permit, Timestamp::now)
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_mail_waits_for_the_next_relay_only_as_long_as_it_may_go_on() {
        let (first, _port, slot) = taken().await;
        let (second, _other_port, _kept) = taken().await;
        let relays = Relays::new(vec![first, second], 32, Arc::new(SystemClock));
        let begun = Instant::now();
        tokio::spawn(async move {
            sleep(Duration::from_secs(19)).await;
            drop(slot);
        });

        let attempts = hand_over(&relays).await;

        assert_eq!(attempts.len(), 1);
        assert_eq!(begun.elapsed().as_secs(), GO_ON.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_a_connection_does_not_begin_anew_whenever_a_relay_changes() {
        let (relay, _port, _kept) = taken().await;
        let relays = Relays::new(vec![relay], 32, Arc::new(SystemClock));
        let changing = relays.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                sleep(Duration::from_secs(3)).await;
                changing.0.changes.send_modify(|_| {});
            }
        });
        let begun = Instant::now();

        let attempts = hand_over(&relays).await;

        assert!(attempts.is_empty());
        assert_eq!(begun.elapsed().as_secs(), 20);
    }
}
