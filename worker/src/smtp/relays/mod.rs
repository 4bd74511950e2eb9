//! The operator's relays, in order, each with its breaker: which relay admits a mail now, and what its result says of
//! the relay.
//!
//! One lock holds all breakers. The parts that act on a change (the queue, which claims only mails that a relay admits;
//! the probes; the posted state) follow [`Relays::changes`].

mod failover;
mod probing;
mod relay_permit;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use domain::clock::Clock;
use domain::id::MailId;
use domain::relay::RelayStatus;
use jiff::Timestamp;
use tokio::sync::watch;

use super::breaker::{Admission, Breaker, Change, Health, Pace};
use super::{Attempt, Connections, Relay, SlowLane, classify};
use crate::jitter::jitter;

pub use failover::{LONGEST_HAND_OVER, RelayAttempt};
use relay_permit::RelayPermit;

/// How many mails may be claimed, as far as relays go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permits {
    /// Any number: a relay works.
    All,
    /// A few, each to find out whether its relay works again.
    Trials {
        /// So many more may set out.
        wanted: usize,
        /// So many are on their way.
        under_way: usize,
    },
}

/// Several relays, the preferred one first. Clones share them.
#[derive(Clone)]
pub struct Relays(Arc<Inner>);

struct Inner {
    relays: Vec<Relay>,
    breakers: Mutex<Vec<Watched>>,
    changes: watch::Sender<Permits>,
    lane: SlowLane,
    clock: Arc<dyn Clock>,
}

struct Watched {
    breaker: Breaker,
    /// Since when it works, or does not.
    since: Timestamp,
}

impl Relays {
    /// Relays that are all thought to work, for so many attempts in flight. The clock is for what people are shown.
    #[must_use]
    pub fn new(relays: Vec<Relay>, slots: usize, clock: Arc<dyn Clock>) -> Self {
        let watched = |_| Watched {
            breaker: Breaker::default(),
            since: clock.now(),
        };
        Self(Arc::new(Inner {
            breakers: Mutex::new(relays.iter().map(watched).collect()),
            changes: watch::Sender::new(Permits::All),
            lane: SlowLane::of(slots),
            relays,
            clock,
        }))
    }

    /// How many mails may be claimed; it wakes at every change of a relay's state.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Permits> {
        self.0.changes.subscribe()
    }

    /// The places for attempts that take long.
    #[must_use]
    pub fn lane(&self) -> &SlowLane {
        &self.0.lane
    }

    /// The state of each relay, in their order.
    #[must_use]
    pub fn statuses(&self) -> Vec<RelayStatus> {
        let (wall, steady) = (self.0.clock.now(), Instant::now());
        let watched = self.lock();
        let status = |(relay, watched): (&Relay, &Watched)| RelayStatus {
            relay: relay.name().to_owned(),
            state: watched.breaker.state(),
            since: watched.since,
            reason: watched.breaker.reason().map(str::to_owned),
            next_probe_at: (watched.breaker.next_probe())
                .map(|at| wall + at.saturating_duration_since(steady)),
        };
        self.0.relays.iter().zip(&*watched).map(status).collect()
    }

    /// How many connections are open, for each relay.
    #[must_use]
    pub fn connections(&self) -> Vec<(&str, Connections)> {
        let of = |relay: &Relay| relay.connections();
        self.0
            .relays
            .iter()
            .map(|relay| (relay.name(), of(relay)))
            .collect()
    }

    /// Closes all idle connections.
    pub async fn close(&self) {
        for relay in &self.0.relays {
            relay.close().await;
        }
    }

    /// The first relay that a mail may go to and that has not been tried, once it has a connection
    /// free; one that has failed at this mail before comes after the others. `None` when there is none any more, or
    /// none has come free within the relay's timeout, or until `latest`.
    async fn admit(
        &self,
        mail: MailId,
        slow: bool,
        tried: &[usize],
        latest: tokio::time::Instant,
    ) -> Option<RelayPermit> {
        let since = tokio::time::Instant::now();
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            let index = self.first_open_to(mail, tried)?;
            let relay = &self.0.relays[index];
            // Not from now on: relays may change every second.
            let until = latest.min(since + relay.timeout());
            tokio::select! {
                free = relay.slot(until) => {
                    let free = free?;
                    let admission = self.change(index, |breaker| {
                        (breaker.admit(mail, slow, Instant::now()), None, None)
                    });
                    if let Some(admission) = admission {
                        return Some(RelayPermit::new(self.clone(), index, free, admission));
                    }
                }
                // While it waited the relay may have failed, or a better one may have come back.
                _ = changes.changed() => {}
            }
        }
    }

    fn first_open_to(&self, mail: MailId, tried: &[usize]) -> Option<usize> {
        let watched = self.lock();
        (0..watched.len())
            .filter(|index| !tried.contains(index))
            .filter(|index| watched[*index].breaker.would_admit().is_some())
            .min_by_key(|index| watched[*index].breaker.failed_at(mail))
    }

    /// When the relay is to be probed next, if it is.
    fn next_probe(&self, index: usize) -> Option<Instant> {
        self.lock()[index].breaker.next_probe()
    }

    /// Whether a probe is to set out now.
    fn probe_is_due(&self, index: usize) -> bool {
        self.change(index, |breaker| {
            (breaker.probe_is_due(Instant::now(), jitter()), None, None)
        })
    }

    /// Takes in the result of a probe.
    fn probed(&self, index: usize, result: Result<(), Box<Attempt>>) {
        self.change(index, |breaker| match result {
            Ok(()) => ((), breaker.probed_well(), None),
            Err(attempt) => {
                let health = Health::of(attempt.stage, classify(&attempt));
                let why = attempt.to_string();
                let change = breaker.probed_badly(health, &why, Instant::now(), jitter());
                ((), change, Some(why))
            }
        });
    }

    /// The relays, each with its place.
    fn each(&self) -> impl Iterator<Item = (usize, &Relay)> {
        self.0.relays.iter().enumerate()
    }

    /// Acts on a breaker and reports a change. `act` returns what it found, what changed and why.
    fn change<T>(
        &self,
        index: usize,
        act: impl FnOnce(&mut Breaker) -> (T, Option<Change>, Option<String>),
    ) -> T {
        let mut all = self.lock();
        let watched = &mut all[index];
        let before = snapshot(&watched.breaker);
        let (found, change, why) = act(&mut watched.breaker);
        let changed = snapshot(&watched.breaker) != before;
        if let Some(change) = change {
            if matches!(
                change,
                Change::Opened(_) | Change::Suspected | Change::Closed
            ) {
                watched.since = self.0.clock.now();
            }
            say(self.0.relays[index].name(), change, why.as_deref());
        }
        if changed {
            // Within the lock, so that the last word is the true one.
            self.0.changes.send_replace(permits(&all));
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Watched>> {
        (self.0.breakers.lock()).unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parts of a breaker that other tasks act on.
fn snapshot(breaker: &Breaker) -> (Option<Admission>, usize, Option<Instant>) {
    (
        breaker.would_admit(),
        breaker.under_way(),
        breaker.next_probe(),
    )
}

fn permits(all: &[Watched]) -> Permits {
    let that =
        |admission| (all.iter()).filter(move |one| one.breaker.would_admit() == Some(admission));
    if that(Admission::Free).next().is_some() {
        Permits::All
    } else {
        Permits::Trials {
            wanted: that(Admission::Trial).count(),
            under_way: all.iter().map(|one| one.breaker.under_way()).sum(),
        }
    }
}

/// Logs a change: as an error where the operator must act.
fn say(relay: &str, change: Change, why: Option<&str>) {
    let why = why.unwrap_or_default();
    match change {
        Change::Opened(Pace::Trouble) | Change::Turned(Pace::Trouble) => tracing::warn!(
            smtp.relay = relay,
            "the relay is out of order; no mail goes there until it works again: {why}"
        ),
        Change::Opened(_) | Change::Reopened(Pace::Refusal) | Change::Turned(_) => tracing::error!(
            smtp.relay = relay,
            "the relay refuses us; no mail goes there until that is fixed: {why}"
        ),
        // These two may alternate every few seconds.
        Change::Reopened(_) => tracing::debug!(
            smtp.relay = relay,
            "the relay answered a probe and failed at the mail after it: {why}"
        ),
        Change::Suspected => tracing::warn!(
            smtp.relay = relay,
            "the relay takes several mails not because of us, it says; the next mail shows whether it takes others: {why}"
        ),
        Change::HalfOpened => {
            tracing::debug!(smtp.relay = relay, "the relay answers; one mail goes there");
        }
        Change::Closed => tracing::info!(smtp.relay = relay, "the relay works again"),
    }
}
