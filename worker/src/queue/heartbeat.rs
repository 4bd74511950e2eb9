//! Heartbeats, and the rescue of mails that dead workers had in flight.
//!
//! A worker writes when it was last seen; the others watch that number change. What counts is
//! how long it has not changed on the *watcher's* own steady clock, so that a wall clock that
//! is set an hour forth or back declares no worker dead. The wall clock only shortens the wait after a
//! restart, when the number is old already.
//!
//! After each heartbeat the worker maintains mails that no worker claims ([`maintain`]).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::clock::Clock;
use domain::processes::{Heartbeat, RecordHeartbeat};
use domain::queue::maintain::{Maintenance, maintain};
use domain::queue::{Keys, Rescue};
use domain::store::Store;
use jiff::Timestamp;
use runtime::systemd::Liveness;
use tokio::time::{MissedTickBehavior, interval};

use super::dispatcher::tell_foreign;
use crate::metrics;

/// How many groups of mails are maintained in one go: the next heartbeat must not wait.
const ROUNDS: u32 = 20;

/// How often a worker writes a heartbeat, and when it counts as dead.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    /// The pause between two heartbeats.
    pub heartbeat: Duration,
    /// After this long without one, a worker is dead.
    pub lease: Duration,
}

/// Writes heartbeats, rescues and maintains until it is dropped. `keys` are the worker's.
pub async fn run(
    store: Store,
    clock: Arc<dyn Clock>,
    worker: String,
    lease: Lease,
    keys: Keys,
    liveness: Liveness,
) {
    let mut observer = Observer::new(worker.clone(), lease);
    let mut ticks = interval(lease.heartbeat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = liveness.pinged() => {}
        }
        let heartbeat = RecordHeartbeat {
            worker: worker.clone(),
            now: clock.now(),
        };
        let beat = store.write(heartbeat).await;
        liveness.pong();
        if let Err(error) = beat {
            tracing::warn!(%error, "no heartbeat could be written");
            // What kept this worker from writing kept the others too: their missing heartbeats prove nothing.
            observer = Observer::new(worker.clone(), lease);
            continue;
        }
        match store.read(|reader| reader.heartbeats()).await {
            Ok(beats) => {
                let dead = observer.dead(&beats, Instant::now(), clock.now());
                if !dead.is_empty() {
                    rescue(&store, &dead, clock.now()).await;
                }
            }
            Err(error) => tracing::warn!(%error, "other workers' heartbeats can't be read"),
        }
        look_after(&store, &keys, clock.now()).await;
    }
}

async fn look_after(store: &Store, keys: &Keys, now: Timestamp) {
    for _ in 0..ROUNDS {
        match maintain(store, keys, now).await {
            Ok(maintenance)
                if maintenance.expired.is_empty() && maintenance.rescheduled.is_empty() =>
            {
                tell(maintenance);
                return;
            }
            Ok(maintenance) => tell(maintenance),
            Err(error) => {
                tracing::warn!(%error, "mails that no worker claims were not maintained");
                return;
            }
        }
    }
}

fn tell(maintenance: Maintenance) {
    metrics::expired_unclaimed(&maintenance.expired);
    if maintenance.foreign_jobs > 0 {
        tell_foreign(maintenance.foreign_jobs);
    }
    for mail in maintenance.expired {
        tracing::info!(
            mail.id = %mail.mail,
            mail.kind = mail.kind.as_str(),
            mail.state = "expired",
            "a mail expired before it was sent"
        );
    }
    for (mail, key) in maintenance.missing_keys {
        tracing::error!(
            mail.id = %mail,
            "this worker lacks the secret key {key} that makes the mail's code; it waits for one that has it"
        );
    }
    if !maintenance.rescheduled.is_empty() {
        let mails = maintenance.rescheduled.len();
        tracing::warn!(
            mails,
            "the clock was set back; mails that it left waiting are due now"
        );
    }
}

async fn rescue(store: &Store, dead: &[String], now: Timestamp) {
    let rescue = Rescue {
        dead: dead.to_vec(),
        now,
    };
    match store.write(rescue).await {
        Ok(rescued) => {
            metrics::rescued(&rescued);
            tracing::warn!(workers = ?dead, mails = rescued.len(), "workers died; their mails were rescued");
            for mail in rescued {
                tracing::info!(
                    mail.id = %mail.mail,
                    mail.kind = mail.kind.as_str(),
                    mail.state = mail.state.as_str(),
                    "a mail was rescued"
                );
            }
        }
        Err(error) => tracing::warn!(%error, workers = ?dead, "a rescue failed; it is repeated"),
    }
}

/// What one worker has seen of the others.
pub struct Observer {
    own: String,
    lease: Lease,
    seen: HashMap<String, (i64, Instant)>,
}

impl Observer {
    /// An observer that never counts `own` among the dead.
    #[must_use]
    pub fn new(own: String, lease: Lease) -> Self {
        Self {
            own,
            lease,
            seen: HashMap::new(),
        }
    }

    /// Takes in the latest heartbeats and returns the workers that are dead.
    pub fn dead(&mut self, beats: &[Heartbeat], steady: Instant, wall: Timestamp) -> Vec<String> {
        self.seen
            .retain(|worker, _| beats.iter().any(|beat| beat.worker == *worker));
        let mut dead = Vec::new();
        for beat in beats {
            let overdue = self.silence(beat, steady) >= self.allowed_silence(beat, wall);
            if overdue && beat.worker != self.own {
                dead.push(beat.worker.clone());
            }
        }
        dead
    }

    /// How long the worker's number has not changed, on the steady clock.
    fn silence(&mut self, beat: &Heartbeat, steady: Instant) -> Duration {
        let (number, since) = self
            .seen
            .entry(beat.worker.clone())
            .or_insert((beat.seen, steady));
        if *number != beat.seen {
            (*number, *since) = (beat.seen, steady);
        }
        steady.duration_since(*since)
    }

    /// The lease; or, if the number is older than that already, just long enough to miss two heartbeats.
    fn allowed_silence(&self, beat: &Heartbeat, wall: Timestamp) -> Duration {
        let age = wall.as_second().saturating_sub(beat.seen);
        if u64::try_from(age).is_ok_and(|age| age >= self.lease.lease.as_secs()) {
            self.lease.heartbeat.mul_f64(2.5).min(self.lease.lease)
        } else {
            self.lease.lease
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Lease = Lease {
        heartbeat: Duration::from_secs(2),
        lease: Duration::from_secs(10),
    };

    struct Scene {
        observer: Observer,
        start: Instant,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                observer: Observer::new("me".to_owned(), LEASE),
                start: Instant::now(),
            }
        }

        /// What is dead after `steady` seconds of the watcher, at `wall` o'clock, when the other was last seen at `seen`.
        fn dead(&mut self, steady: u64, wall: i64, seen: i64) -> bool {
            let beats = [("me", 0), ("other", seen)].map(|(worker, seen)| Heartbeat {
                worker: worker.to_owned(),
                seen,
            });
            let steady = self.start + Duration::from_secs(steady);
            let wall = Timestamp::from_second(wall).unwrap();
            !self.observer.dead(&beats, steady, wall).is_empty()
        }
    }

    #[test]
    fn a_worker_is_dead_after_a_lease_without_a_sign_of_life() {
        let mut scene = Scene::new();

        assert!(!scene.dead(0, 1000, 1000));
        assert!(!scene.dead(4, 1004, 1000));
        assert!(scene.dead(10, 1010, 1000));
    }

    #[test]
    fn a_worker_that_beats_lives_whatever_the_wall_clock_says() {
        let mut scene = Scene::new();

        assert!(!scene.dead(0, 1000, 1000));
        assert!(!scene.dead(2, 4602, 1002), "set an hour forth");
        assert!(!scene.dead(4, 4604, 4604));
        assert!(!scene.dead(6, 1006, 4606), "set an hour back");
        assert!(!scene.dead(8, 1008, 1008));
    }

    #[test]
    fn a_clock_set_back_does_not_keep_a_dead_worker_alive() {
        let mut scene = Scene::new();

        assert!(!scene.dead(0, 1000, 4600));
        assert!(scene.dead(10, 1010, 4600));
    }

    #[test]
    fn a_restarted_watcher_does_not_wait_a_whole_lease_for_a_worker_long_gone() {
        let mut scene = Scene::new();

        assert!(
            !scene.dead(0, 2000, 1000),
            "a first look declares no worker dead"
        );
        assert!(!scene.dead(4, 2004, 1000));
        assert!(scene.dead(5, 2005, 1000));
    }
}
