//! Metrics of mails, attempts and the queue (`worker.metrics_listen`).
//!
//! By the `metrics` facade, which does nothing without a recorder. Labels are few by design: kinds,
//! states, stages, verdicts, and the relays of the settings; never an id or an address of a person.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::clock::Clock;
use domain::delivery::Word as _;
use domain::mail::{MailKind, MailState};
use domain::queue::{Expired, Rescued};
use domain::relay::RelayState;
use domain::store::Store;
use jiff::Timestamp;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use runtime::metrics::{ACCEPTANCE, Collect};

use crate::smtp::{Attempt, Relays, classify};

const SETTLED: &str = "smart_notes_mails_settled_total";
const RESCUED: &str = "smart_notes_mails_rescued_total";
const ATTEMPTS: &str = "smart_notes_smtp_tries_total";
const ATTEMPT_DURATION: &str = "smart_notes_smtp_try_duration_seconds";
const QUEUE: &str = "smart_notes_queue_mails";
const OLDEST_DUE: &str = "smart_notes_queue_oldest_due_seconds";
const CONNECTIONS: &str = "smart_notes_relay_connections";
const STATE: &str = "smart_notes_relay_state";
const EXPIRED: &str = "smart_notes_mails_expired_unclaimed_total";

/// How long a reading of the database is served again.
const FRESH: Duration = Duration::from_secs(1);

/// A mail that a worker had in flight reached a state, which is recorded: a final one, also by a cancellation meanwhile,
/// or it waits again.
pub fn settled(kind: MailKind, state: MailState, asked: Timestamp, now: Timestamp) {
    counter!(SETTLED, "kind" => kind.as_str(), "state" => state.as_str()).increment(1);
    if state == MailState::Delivered {
        let waited = Duration::try_from(now.duration_since(asked)).unwrap_or_default();
        histogram!(ACCEPTANCE, "kind" => kind.as_str()).record(waited);
    }
}

/// Mails were taken back from dead workers.
pub fn rescued(mails: &[Rescued]) {
    for mail in mails {
        counter!(RESCUED, "kind" => mail.kind.as_str().to_owned(), "state" => mail.state.as_str())
            .increment(1);
    }
}

/// Mails expired while no worker had them in flight.
pub fn expired_unclaimed(mails: &[Expired]) {
    for mail in mails {
        counter!(EXPIRED, "kind" => mail.kind.as_str().to_owned()).increment(1);
    }
}

/// A relay attempt ended.
pub fn tried(attempt: &Attempt) {
    let relay = attempt.relay.clone();
    counter!(
        ATTEMPTS,
        "relay" => relay.clone(),
        "stage" => attempt.stage.as_str(),
        "verdict" => classify(attempt).as_str()
    )
    .increment(1);
    histogram!(ATTEMPT_DURATION, "relay" => relay).record(attempt.duration);
}

/// What is looked up for each request: the queue's depth, and the relays' connections.
pub struct Lookup {
    store: Store,
    relays: Relays,
    clock: Arc<dyn Clock>,
    read: Mutex<Option<Instant>>,
}

impl Lookup {
    /// A look at this queue and these relays.
    #[must_use]
    pub fn new(store: Store, relays: Relays, clock: Arc<dyn Clock>) -> Self {
        describe();
        Self {
            store,
            relays,
            clock,
            read: Mutex::default(),
        }
    }

    /// Whether it is time to read the database again. Who comes while another reads gets what was there.
    fn is_stale(&self) -> bool {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let stale = read.is_none_or(|at| at.elapsed() >= FRESH);
        if stale {
            *read = Some(Instant::now());
        }
        stale
    }

    async fn queue(&self) {
        let now = self.clock.now();
        let depth = self.store.read(|reader| reader.queue_depth(now));
        match depth.await {
            Ok(depth) => {
                for (state, mails) in depth.states {
                    gauge!(QUEUE, "state" => state.as_str()).set(number(mails));
                }
                let due = depth.due_since.map(|since| now.duration_since(since));
                let due = due.and_then(|due| Duration::try_from(due).ok());
                gauge!(OLDEST_DUE).set(due.unwrap_or_default().as_secs_f64());
            }
            Err(error) => {
                tracing::warn!(%error, "the queue could not be counted for the metrics");
                // What was true a while ago would look like news.
                for state in MailState::ALL.into_iter().filter(|state| !state.is_final()) {
                    gauge!(QUEUE, "state" => state.as_str()).set(f64::NAN);
                }
                gauge!(OLDEST_DUE).set(f64::NAN);
            }
        }
    }

    fn relays(&self) {
        for (relay, connections) in self.relays.connections() {
            for (state, open) in [("in_use", connections.in_use), ("idle", connections.idle)] {
                let open = number(u64::try_from(open).unwrap_or(u64::MAX));
                gauge!(CONNECTIONS, "relay" => relay.to_owned(), "state" => state).set(open);
            }
        }
        for status in self.relays.statuses() {
            for state in RelayState::ALL {
                let holds = f64::from(u8::from(status.state == state));
                let relay = status.relay.clone();
                gauge!(STATE, "relay" => relay, "state" => state.as_str()).set(holds);
            }
        }
    }
}

#[async_trait]
impl Collect for Lookup {
    async fn collect(&self) {
        self.relays();
        if self.is_stale() {
            self.queue().await;
        }
    }
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn describe() {
    describe_counter!(
        EXPIRED,
        "Mails that this worker ended as expired while they waited for a relay, a key or the end of a pause."
    );
    describe_gauge!(
        STATE,
        "1 for the state of this worker's breaker: closed (mails go there), open, or half_open."
    );
    describe_counter!(
        SETTLED,
        "Mails that this worker had in flight, by their next state. A mail that waits again counts each time; a mail \
         that is cancelled while no worker sends it is not counted."
    );
    describe_histogram!(ACCEPTANCE, "Time from a mail's request to the relay's 250.");
    describe_counter!(
        RESCUED,
        "Mails that this worker rescued from dead workers, by kind and new state."
    );
    describe_counter!(
        ATTEMPTS,
        "Relay attempts, by the stage at which they ended and the verdict."
    );
    describe_histogram!(
        ATTEMPT_DURATION,
        "Duration of a relay attempt, without the wait for a connection."
    );
    describe_gauge!(
        QUEUE,
        "Mails that are not finished, by state. Every worker reports the same."
    );
    describe_gauge!(
        OLDEST_DUE,
        "Time since the oldest waiting mail became due; 0 when none waits."
    );
    describe_gauge!(
        CONNECTIONS,
        "Open connections to a relay: with a mail, and idle."
    );
}
