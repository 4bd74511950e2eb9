//! Notifications to systemd: readiness, status, stopping, and the watchdog.
//!
//! Separate from the programs because the API and the worker send the same notifications
//! (`sd_notify(3)`). The socket and the watchdog timeout come from the environment, where systemd
//! puts them for a unit with `Type=notify` and `WatchdogSec=`. Without them, everything here does
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use sd_notify::NotifyState;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The number of watchdog notifications within systemd's timeout.
const PINGS: u32 = 3;

/// Notifies systemd that the process is ready, with a short status.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Notifies systemd that the process stops gracefully.
pub fn stopping() {
    notify(&[
        NotifyState::Stopping,
        NotifyState::Status("stopping; requests and mails in flight may finish"),
    ]);
}

/// Sends a short status, which `systemctl status` shows.
pub fn status(status: &str) {
    notify(&[NotifyState::Status(status)]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "could not notify systemd");
    }
}

/// The liveness of a part of a process. The watchdog pings the part, and the part answers with a
/// pong; without pings it costs nothing. Clones share the state.
#[derive(Clone, Debug)]
pub struct Liveness(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    part: &'static str,
    pings: Notify,
    pongs: watch::Sender<()>,
}

impl Liveness {
    /// The liveness of a part, with its name for messages, such as "the dispatcher".
    #[must_use]
    pub fn of(part: &'static str) -> Self {
        Self(Arc::new(Inner {
            part,
            pings: Notify::new(),
            pongs: watch::Sender::default(),
        }))
    }

    /// Returns when the part was pinged. The part awaits this beside its other events, and then
    /// calls [`pong`](Self::pong). Safe to cancel.
    pub async fn pinged(&self) {
        self.0.pings.notified().await;
    }

    /// Reports that the part is responsive.
    pub fn pong(&self) {
        self.0.pongs.send_replace(());
    }

    /// Pings the part and waits for its pong.
    pub async fn ping(&self) {
        let mut pongs = self.0.pongs.subscribe();
        self.0.pings.notify_one();
        // The sender lives as long as `self`.
        let _ = pongs.changed().await;
    }
}

/// Notifies systemd's watchdog, if it is enabled, as long as every part answers its pings. If one
/// part does not answer, the notifications stop. Drop the result at the end of the process.
#[must_use]
pub fn watchdog(parts: Vec<Liveness>, shutdown: CancellationToken) -> Watchdog {
    Watchdog(sd_notify::watchdog_enabled().map(|limit| {
        tokio::spawn(async move {
            let every = limit / PINGS;
            tokio::select! {
                () = ping_all(&parts, every) => {}
                () = shutdown.cancelled() => {}
            }
            // The parts stop one after the other now. Stopping has its own timeout
            // (TimeoutStopSec=).
            loop {
                notify(&[NotifyState::Watchdog]);
                sleep(every).await;
            }
        })
    }))
}

/// Pings all parts until it is dropped.
async fn ping_all(parts: &[Liveness], every: Duration) {
    loop {
        join_all(parts.iter().map(|part| check(part, every))).await;
        notify(&[NotifyState::Watchdog]);
        sleep(every).await;
    }
}

/// Waits for the pong of a part, and reports if it takes too long.
async fn check(part: &Liveness, usual: Duration) {
    if timeout(usual, part.ping()).await.is_ok() {
        return;
    }
    let name = part.0.part;
    tracing::error!("{name} is not responsive; systemd's watchdog is not notified until it is");
    status(&format!("{name} is not responsive"));
    part.ping().await;
    tracing::warn!("{name} is responsive again");
    status(&format!("{name} is responsive again"));
}

/// The task that notifies the watchdog. Dropping it stops the task.
#[derive(Debug)]
pub struct Watchdog(Option<JoinHandle<()>>);

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::poll_immediate;

    use super::*;

    #[tokio::test]
    async fn a_ping_is_answered_by_a_later_pong_and_by_no_earlier_one() {
        let liveness = Liveness::of("a part");
        liveness.pong();
        let mut answered = Box::pin(liveness.ping());

        let before = poll_immediate(&mut answered).await;
        liveness.pinged().await;
        liveness.pong();

        assert!(before.is_none());
        answered.await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_unresponsive_part_is_enough() {
        let (goes, stands) = (Liveness::of("one"), Liveness::of("another"));
        let turning = goes.clone();
        tokio::spawn(async move {
            loop {
                turning.pinged().await;
                turning.pong();
            }
        });
        let second = Duration::from_secs(1);

        assert!(timeout(60 * second, check(&goes, second)).await.is_ok());
        assert!(timeout(60 * second, check(&stands, second)).await.is_err());
    }
}
