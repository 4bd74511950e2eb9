//! What systemd is told: that the process serves, how it is, that it stops, and that its parts go round.
//!
//! Apart from the programs because both say the same in the same words (`sd_notify(3)`). The socket's
//! name and the watchdog's time come from the environment, where systemd puts them for a unit with
//! `Type=notify` and `WatchdogSec=`; they are no settings. Without them everything here does nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use sd_notify::NotifyState;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::shutdown::Shutdown;

/// How many signs of life fit into the time after which systemd acts.
const SIGNS: u32 = 3;

/// Says that the process serves, and in a few words how.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Says that the process is about to end, in good order.
pub fn stopping() {
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status("stopping; what is in hand may finish"),
    ]);
}

/// Says in a few words how the process is: `systemctl status` shows it.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the supervisor could not be told how the process is");
    }
}

/// A part of a process that must go round. It is asked, and says that it does; who never asks costs it
/// nothing. Clones are the same part.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    part: &'static str,
    asked: Notify,
    beats: watch::Sender<()>,
}

impl Pulse {
    /// The pulse of a part, under a name for people: "the ledger".
    #[must_use]
    pub fn of(part: &'static str) -> Self {
        Self(Arc::new(Inner {
            part,
            asked: Notify::new(),
            beats: watch::Sender::default(),
        }))
    }

    /// Returns when somebody wants to know whether the part goes round. The part waits for this beside
    /// everything else it waits for, and then [beats](Self::beat). Safe to cancel.
    pub async fn asked(&self) {
        self.0.asked.notified().await;
    }

    /// Says that the part goes round.
    pub fn beat(&self) {
        self.0.beats.send_replace(());
    }

    /// Asks, and waits for a beat.
    pub async fn answered(&self) {
        let mut beats = self.0.beats.subscribe();
        self.0.asked.notify_one();
        // The sender lives as long as this pulse.
        let _ = beats.changed().await;
    }
}

/// Keeps systemd's watchdog quiet for as long as each part answers, if there is a watchdog; to be dropped
/// at the end. One part that does not answer is enough for no more signs of life.
#[must_use]
pub fn watch_over(parts: Vec<Pulse>, shutdown: &Shutdown) -> Watched {
    let shutdown = shutdown.clone();
    Watched(sd_notify::watchdog_enabled().map(|limit| {
        tokio::spawn(async move {
            let every = limit / SIGNS;
            tokio::select! {
                () = ask(&parts, every) => {}
                () = shutdown.cancelled() => {}
            }
            // Parts end one after the other now. The stop has a time limit of its own (TimeoutStopSec=).
            loop {
                tell(&[NotifyState::Watchdog]);
                sleep(every).await;
            }
        })
    }))
}

/// Asks for ever.
async fn ask(parts: &[Pulse], every: Duration) {
    loop {
        join_all(parts.iter().map(|part| answer(part, every))).await;
        tell(&[NotifyState::Watchdog]);
        sleep(every).await;
    }
}

/// Waits for a part, however long, and says when that is too long.
async fn answer(part: &Pulse, usual: Duration) {
    if timeout(usual, part.answered()).await.is_ok() {
        return;
    }
    let name = part.0.part;
    tracing::error!(
        "{name} does not go round any more; the supervisor hears no sign of life until it does"
    );
    status(&format!("{name} does not go round any more"));
    part.answered().await;
    tracing::warn!("{name} goes round again");
    status(&format!("{name} goes round again"));
}

/// A watchdog's task. It ends when this is dropped.
#[derive(Debug)]
pub struct Watched(Option<JoinHandle<()>>);

impl Drop for Watched {
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
    async fn a_pulse_is_answered_by_a_beat_after_the_question_and_by_no_earlier_one() {
        let pulse = Pulse::of("a part");
        pulse.beat();
        let mut answered = Box::pin(pulse.answered());

        let before = poll_immediate(&mut answered).await;
        pulse.asked().await;
        pulse.beat();

        assert!(before.is_none());
        answered.await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_part_that_stands_still_is_enough() {
        let (goes, stands) = (Pulse::of("one"), Pulse::of("another"));
        let turning = goes.clone();
        tokio::spawn(async move {
            loop {
                turning.asked().await;
                turning.beat();
            }
        });
        let second = Duration::from_secs(1);

        assert!(timeout(60 * second, answer(&goes, second)).await.is_ok());
        assert!(timeout(60 * second, answer(&stands, second)).await.is_err());
    }
}
