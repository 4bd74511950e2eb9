//! A worker with nothing to do leaves the database alone.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::clock::{Clock, ManualClock};
use domain::queue::{Beat, Due, JobQueue, Keep, Keys, Rescued, Tended, Turn, TurnReport, Watch};
use domain::relay::{PostedStanding, RelayStanding};
use domain::store::StoreError;
use jiff::Timestamp;
use runtime::shutdown::Shutdown;
use smart_notes_worker::queue::gate::Gate;
use smart_notes_worker::queue::ledger::{Claimant, Ledger};
use smart_notes_worker::smtp::SlowLane;
use tokio_util::sync::CancellationToken;

use crate::rig::until;

/// More often than a worker at rest asks in ten seconds: it looks every two, five times each if it is refused.
const TOO_OFTEN: u32 = 50;

/// A queue that holds nothing, nor ever changes, and counts how often it is asked. Asked too often it does not answer
/// any more: the tests' time stands still for as long as anybody is busy.
struct Empty {
    due: Mutex<Due>,
    asked: AtomicU32,
    /// Whether it refuses every turn.
    refuses: bool,
}

impl Empty {
    fn new(next: Option<Timestamp>) -> Arc<Self> {
        Arc::new(Self {
            due: Mutex::new(Due {
                now: false,
                next,
                slow: None,
            }),
            asked: AtomicU32::new(0),
            refuses: false,
        })
    }

    /// One that has something due, but refuses to let it be claimed.
    fn that_refuses() -> Arc<Self> {
        Arc::new(Self {
            due: Mutex::new(Due {
                now: true,
                next: None,
                slow: None,
            }),
            asked: AtomicU32::new(0),
            refuses: true,
        })
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    async fn is_asked(&self) {
        if self.asked.fetch_add(1, Ordering::SeqCst) >= TOO_OFTEN {
            std::future::pending::<()>().await;
        }
    }

    /// Fails if the queue has been asked too often when ten more seconds, which the test moves, are over.
    async fn is_left_alone(&self) {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let asked = self.asked();
        assert!(asked < TOO_OFTEN, "asked {asked} times or more");
    }
}

#[async_trait]
impl JobQueue for Empty {
    async fn turn(&self, _: &str, _: Arc<Turn>, _: Timestamp) -> Result<TurnReport, StoreError> {
        self.is_asked().await;
        if self.refuses {
            return Err(StoreError::Rejected("on purpose".into()));
        }
        Ok(TurnReport::default())
    }

    async fn due(&self, _: &Keys, _: Timestamp) -> Result<Due, StoreError> {
        self.is_asked().await;
        Ok(*self.due.lock().unwrap())
    }

    async fn tend(&self, _: &Keys, _: Timestamp) -> Result<Tended, StoreError> {
        Ok(Tended::default())
    }

    async fn post_relays(
        &self,
        _: &str,
        _: &[RelayStanding],
        _: Timestamp,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn relays(&self) -> Result<Vec<PostedStanding>, StoreError> {
        Ok(Vec::new())
    }

    async fn beat(&self, _: &str, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn beats(&self) -> Result<Vec<Beat>, StoreError> {
        Ok(Vec::new())
    }

    async fn rescue(&self, _: &[String], _: Timestamp) -> Result<Vec<Rescued>, StoreError> {
        Ok(Vec::new())
    }

    async fn leave(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn sweep(&self, _: Keep, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn watch(&self) -> Result<Box<dyn Watch>, StoreError> {
        Ok(Box::new(Still))
    }
}

/// A watch that never wakes.
struct Still;

#[async_trait]
impl Watch for Still {
    async fn changed(&mut self) -> Result<(), StoreError> {
        std::future::pending().await
    }
}

/// A ledger on that queue, until the test ends. The handle and the mails' end keep it going.
fn start(queue: &Arc<Empty>, clock: &ManualClock) -> impl Sized {
    let (ledger, handle, mails) = Ledger::new(
        Arc::clone(queue) as Arc<dyn JobQueue>,
        Arc::new(clock.clone()),
        Claimant {
            worker: "idle".to_owned(),
            hands: 8,
            keys: Keys::Any,
            lane: SlowLane::of(8),
        },
        Gate::always_open(),
        Shutdown::new(),
        CancellationToken::new(),
    );
    (tokio::spawn(ledger.run()), handle, mails)
}

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_starts_on_an_empty_queue_rests() {
    let (queue, clock) = (Empty::new(None), clock());

    let _running = start(&queue, &clock);
    until("the queue was asked", async || queue.asked() > 0).await;

    queue.is_left_alone().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_next_mail_another_took_rests() {
    let clock = clock();
    let next = clock.now() + Duration::from_millis(100);
    let queue = Empty::new(Some(next));
    let _running = start(&queue, &clock);
    until("the queue was asked", async || queue.asked() > 0).await;

    queue.due.lock().unwrap().next = None;
    clock.advance(Duration::from_secs(1));

    queue.is_left_alone().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_refused_any_mail_does_not_ask_on_and_on() {
    let (queue, clock) = (Empty::that_refuses(), clock());

    let _running = start(&queue, &clock);
    until("the queue was asked", async || queue.asked() > 0).await;

    queue.is_left_alone().await;
}
