//! A worker with nothing to do leaves the database alone.

use std::any::{Any, type_name};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use domain::clock::{Clock, ManualClock};
use domain::queue::{BatchReport, CommitBatch, Keys, Watch};
use domain::store::{Backend, DynWrite, Reader, Store, StoreError, Ticket};
use jiff::Timestamp;
use runtime::shutdown::Shutdown;
use smart_notes_worker::queue::dispatcher::{Claimant, Dispatcher};
use smart_notes_worker::queue::gate::Gate;
use smart_notes_worker::smtp::SlowLane;
use tokio_util::sync::CancellationToken;

use crate::harness::until;

/// More often than a worker at rest asks in ten seconds: it looks every two, five times each if it is refused.
const TOO_OFTEN: u32 = 50;

/// A queue that holds nothing, nor ever changes, and counts how often it is asked. Asked too often it does not answer
/// any more: the tests' time stands still for as long as anybody is busy.
struct Empty {
    this: Weak<Self>,
    /// When something is due.
    due: Mutex<Option<Timestamp>>,
    asked: AtomicU32,
    /// Whether it refuses every batch.
    refuses: bool,
}

impl Empty {
    fn new(next: Option<Timestamp>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            due: Mutex::new(next),
            asked: AtomicU32::new(0),
            refuses: false,
        })
    }

    /// One that has something due, but refuses to let it be claimed.
    fn that_refuses() -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            due: Mutex::new(Some(Timestamp::UNIX_EPOCH)),
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
impl Backend for Empty {
    async fn run(
        &self,
        write: Box<dyn DynWrite>,
        _: Ticket,
    ) -> Result<Box<dyn Any + Send>, StoreError> {
        if write.name() != type_name::<CommitBatch>() {
            return Ok(Box::new(()));
        }
        self.is_asked().await;
        if self.refuses {
            return Err(StoreError::Rejected("on purpose".into()));
        }
        Ok(Box::new(BatchReport::default()))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn reader(&self, _: Ticket) -> Result<Box<dyn Reader>, StoreError> {
        unreachable!("the dispatcher reads by the watch alone")
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn watch(&self) -> Result<Box<dyn Watch>, StoreError> {
        Ok(Box::new(Still(self.this.upgrade().unwrap())))
    }

    async fn erase_deleted(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A watch that never wakes.
struct Still(Arc<Empty>);

#[async_trait]
impl Watch for Still {
    async fn changed(&mut self) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn first_due(
        &mut self,
        _: &[i64],
        _: &Keys,
        _: Timestamp,
    ) -> Result<Option<Vec<Option<Timestamp>>>, StoreError> {
        self.0.is_asked().await;
        Ok(Some(vec![*self.0.due.lock().unwrap()]))
    }
}

/// A dispatcher on that queue, until the test ends. The handle and the mails' end keep it going.
fn start(queue: &Arc<Empty>, clock: &ManualClock) -> impl Sized {
    let (dispatcher, handle, mails) = Dispatcher::new(
        Store::new(
            Arc::clone(queue) as Arc<dyn Backend>,
            Duration::from_secs(10),
        ),
        Arc::new(clock.clone()),
        Claimant {
            worker: "idle".to_owned(),
            slots: 8,
            keys: Keys::Any,
            lane: SlowLane::of(8),
        },
        Gate::always_open(),
        Shutdown::new(),
        CancellationToken::new(),
    );
    (tokio::spawn(dispatcher.run()), handle, mails)
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

    *queue.due.lock().unwrap() = None;
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
