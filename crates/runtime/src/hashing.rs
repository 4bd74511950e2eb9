//! The pool of threads that hash passwords.
//!
//! By design, a hash takes a core about 14 ms and 19 MiB, so it never runs on an async thread, and
//! the queue is bounded: when it is full, a request is refused at once, instead of delaying all
//! requests (OWASP ASVS 5.0 2.4.1). One client gets at most a quarter of the slots, and its
//! logged-in users another quarter.
//!
//! The pool has its own threads, which take the next password from the queue themselves. If async
//! threads handed the passwords out, each core would idle after each hash until an async thread got
//! a core.

mod shares;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender};
use domain::client::ClientKey;
use domain::password::{HashCost, Hasher, InvalidCost, Password, PasswordHash};
use metrics::{Counter, counter, describe_counter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use self::shares::{Holder, Share, Shares};
use crate::settings::Settings;

const REFUSED: &str = "smart_notes_hash_refused_total";

/// A bounded pool. Cheap to clone; its threads end with the last clone.
#[derive(Clone)]
pub struct HashPool {
    cost: HashCost,
    /// The free slots. Each password that is hashed or waits holds one.
    slots: Arc<Semaphore>,
    /// The slots held by each client; `None` if limits are disabled.
    shares: Option<Shares>,
    queue: Sender<Work>,
    /// The number of threads that hash a password.
    busy: Arc<AtomicUsize>,
    counters: Counters,
}

/// The load of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The number of threads that hash a password.
    pub busy: usize,
    /// The number of passwords that wait for a thread.
    pub waiting: usize,
}

/// Counters of refused passwords, by reason.
#[derive(Clone)]
struct Counters {
    full: Counter,
    share: Counter,
}

impl Counters {
    fn new() -> Self {
        describe_counter!(
            REFUSED,
            "Passwords that were not hashed, because too many waited (full) or too many were from one client (client_share)."
        );
        Self {
            full: counter!(REFUSED, "reason" => "full"),
            share: counter!(REFUSED, "reason" => "client_share"),
        }
    }
}

/// A unit of work for a thread and its hasher.
type Work = Box<dyn FnOnce(&mut Hasher) + Send>;

/// The reason why a password was not hashed. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHashed {
    /// The queue is full.
    #[error("too many passwords wait to be hashed")]
    Full,
    /// This client holds a quarter of the slots.
    #[error("too many passwords of one client wait to be hashed")]
    ClientHasItsShare,
    /// A bug, which was logged.
    #[error("hashing a password failed")]
    Failed,
}

/// A slot in the pool, for any number of passwords that its holder hashes one after the other.
/// Acquired before anything is written, so that a refusal changes nothing.
pub struct Slot(Arc<SlotGuard>);

struct SlotGuard {
    _permit: OwnedSemaphorePermit,
    _share: Option<Share>,
}

/// The reason why the pool could not be created.
#[derive(Debug, thiserror::Error)]
pub enum HashPoolError {
    /// The configured cost is invalid.
    #[error(transparent)]
    Cost(#[from] InvalidCost),
    /// The operating system could not start a thread.
    #[error("can't start a thread for hashing passwords")]
    Thread(#[from] std::io::Error),
}

impl HashPool {
    /// Creates a pool with the size and cost of the settings.
    pub fn new(settings: &Settings) -> Result<Self, HashPoolError> {
        let accounts = &settings.accounts;
        let cost = HashCost {
            memory_kib: accounts.argon2_memory_kib,
            iterations: accounts.argon2_iterations,
            parallelism: accounts.argon2_parallelism,
        };
        let (queue, waiting) = crossbeam_channel::unbounded();
        let busy = Arc::default();
        for _ in 0..accounts.hash_threads {
            let (hasher, waiting) = (Hasher::new(cost)?, waiting.clone());
            let busy = Arc::clone(&busy);
            thread::Builder::new()
                .name("hash".to_owned())
                .spawn(move || serve(hasher, &waiting, &busy))?;
        }
        let slots = accounts.hash_threads + accounts.hash_queue;
        Ok(Self {
            cost,
            slots: Arc::new(Semaphore::new(slots)),
            shares: settings.limits.enabled.then(|| Shares::of(slots)),
            queue,
            busy,
            counters: Counters::new(),
        })
    }

    /// Acquires a slot for a client, which can hold at most a quarter of them.
    pub fn slot_of(&self, client: &ClientKey) -> Result<Slot, NotHashed> {
        self.shared(Holder::anonymous(client))
    }

    /// Acquires a slot for a logged-in user at a client. Logged-in users have a separate quarter,
    /// so that anonymous requests from the same address cannot use up their slots.
    pub fn slot_of_user_at(&self, client: &ClientKey) -> Result<Slot, NotHashed> {
        self.shared(Holder::logged_in(client))
    }

    fn shared(&self, holder: Holder) -> Result<Slot, NotHashed> {
        let share = match &self.shares {
            Some(shares) => Some(shares.take(holder).ok_or_else(|| {
                self.counters.share.increment(1);
                NotHashed::ClientHasItsShare
            })?),
            None => None,
        };
        self.taken(share)
    }

    /// Acquires a slot for the program itself.
    pub fn slot(&self) -> Result<Slot, NotHashed> {
        self.taken(None)
    }

    fn taken(&self, share: Option<Share>) -> Result<Slot, NotHashed> {
        let slots = Arc::clone(&self.slots);
        let permit = slots.try_acquire_owned().map_err(|_| {
            self.counters.full.increment(1);
            NotHashed::Full
        })?;
        Ok(Slot(Arc::new(SlotGuard {
            _permit: permit,
            _share: share,
        })))
    }

    /// Hashes a password.
    pub async fn hash(&self, slot: &Slot, password: Password) -> Result<PasswordHash, NotHashed> {
        self.run(slot, move |hasher| hasher.hash(&password)).await
    }

    /// Whether a password is the one that was hashed.
    pub async fn verify(
        &self,
        slot: &Slot,
        password: Password,
        hash: PasswordHash,
    ) -> Result<bool, NotHashed> {
        self.run(slot, move |hasher| hasher.verify(&password, &hash))
            .await
    }

    /// The cost of new hashes.
    #[must_use]
    pub fn cost(&self) -> HashCost {
        self.cost
    }

    /// The current load.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            busy: self.busy.load(Ordering::Relaxed),
            waiting: self.queue.len(),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        slot: &Slot,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, NotHashed> {
        // The caller may disconnect: then the slot is freed once the work has left the queue.
        let guard = Arc::clone(&slot.0);
        let (answer, result) = oneshot::channel();
        let work = Box::new(move |hasher: &mut Hasher| {
            // This guard is dropped before the result is sent, also in a panic, so that the slot is
            // free once the caller drops its own.
            let answer = answer;
            let guard = guard;
            // A caller that has disconnected needs no result.
            let done = (!answer.is_closed()).then(|| work(hasher));
            drop(guard);
            if let Some(done) = done {
                let _ = answer.send(done);
            }
        });
        self.queue.send(work).map_err(|_| NotHashed::Failed)?;
        result.await.map_err(|_| NotHashed::Failed)
    }
}

/// Runs one thread of the pool: one password after the other, until the pool is dropped.
fn serve(mut hasher: Hasher, waiting: &Receiver<Work>, busy: &AtomicUsize) {
    for work in waiting {
        busy.fetch_add(1, Ordering::Relaxed);
        // The hasher keeps nothing between two hashes, so a panic in one cannot affect the next.
        if catch_unwind(AssertUnwindSafe(|| work(&mut hasher))).is_err() {
            tracing::error!("hashing a password failed");
        }
        busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool of one thread without a queue, with cheap hashes.
    fn pool() -> HashPool {
        let (queue, waiting) = crossbeam_channel::unbounded();
        let cost = HashCost::FLOOR;
        let hasher = Hasher::new(cost).unwrap();
        let busy = Arc::default();
        let thread_busy = Arc::clone(&busy);
        thread::spawn(move || serve(hasher, &waiting, &thread_busy));
        HashPool {
            cost,
            slots: Arc::new(Semaphore::new(1)),
            shares: None,
            queue,
            busy,
            counters: Counters::new(),
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let pool = pool();
        let (go, wait) = crossbeam_channel::bounded(1);
        let slot = pool.slot().unwrap();
        let busy = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(&slot, move |_| wait.recv().is_ok()).await }
        });

        let refused = pool.slot().err();
        go.send(()).unwrap();

        assert_eq!(refused, Some(NotHashed::Full));
        assert_eq!(busy.await.unwrap(), Ok(true));
        assert!(pool.slot().is_ok());
    }

    /// OWASP ASVS 5.0 2.4.1: of eight slots, one client can hold two, however many passwords it
    /// sends.
    #[tokio::test]
    async fn one_client_holds_a_quarter_of_the_slots_until_its_passwords_are_hashed() {
        let pool = HashPool {
            slots: Arc::new(Semaphore::new(8)),
            shares: Some(Shares::of(8)),
            ..pool()
        };
        let client = |last| ClientKey::of([192, 0, 2, last].into());
        let (go, wait) = crossbeam_channel::bounded(1);
        let first = pool.slot_of(&client(1)).unwrap();
        let second = pool.slot_of(&client(1)).unwrap();
        let busy = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(&first, move |_| wait.recv().is_ok()).await }
        });

        let refused = pool.slot_of(&client(1)).err();
        let others = [2, 3, 4].map(|last| pool.slot_of(&client(last)));
        let user = pool.slot_of_user_at(&client(1));
        go.send(()).unwrap();

        assert_eq!(refused, Some(NotHashed::ClientHasItsShare));
        assert!(others.iter().all(Result::is_ok));
        assert!(user.is_ok());
        assert_eq!(busy.await.unwrap(), Ok(true));
        assert!(pool.slot_of(&client(1)).is_ok());
        drop(second);
    }

    #[tokio::test]
    async fn where_limits_are_lifted_one_client_may_hold_every_slot() {
        let pool = HashPool {
            slots: Arc::new(Semaphore::new(4)),
            ..pool()
        };
        let client = ClientKey::of([192, 0, 2, 1].into());

        let slots = [(); 5].map(|()| pool.slot_of(&client).err());

        assert_eq!(slots, [None; 5], "each slot is released at once");
        let guard = [(); 4].map(|()| pool.slot_of(&client));
        assert!(guard.iter().all(Result::is_ok));
        assert_eq!(pool.slot_of(&client).err(), Some(NotHashed::Full));
    }

    #[tokio::test]
    async fn a_panic_ends_neither_the_thread_nor_the_place() {
        let pool = pool();

        let slot = pool.slot().unwrap();
        let broken: Result<(), _> = pool.run(&slot, |_| panic!("an example")).await;
        drop(slot);
        let slot = pool.slot().unwrap();
        let after = pool.run(&slot, |_| 7).await;

        assert_eq!(broken, Err(NotHashed::Failed));
        assert_eq!(after, Ok(7));
    }

    #[tokio::test]
    async fn the_password_of_a_disconnected_caller_is_not_hashed() {
        let pool = HashPool {
            slots: Arc::new(Semaphore::new(2)),
            ..pool()
        };
        let (go, wait) = crossbeam_channel::bounded::<()>(0);
        let busy = tokio::spawn({
            let pool = pool.clone();
            async move {
                let slot = pool.slot()?;
                pool.run(&slot, move |_| wait.recv().is_ok()).await
            }
        });
        let (ran, heard) = crossbeam_channel::bounded(1);
        let leaver = tokio::spawn({
            let pool = pool.clone();
            async move {
                let slot = pool.slot()?;
                pool.run(&slot, move |_| ran.send(())).await
            }
        });
        let one_of_each = Load {
            busy: 1,
            waiting: 1,
        };
        while pool.load() != one_of_each {
            tokio::task::yield_now().await;
        }

        leaver.abort();
        let _ = leaver.await;
        go.send(()).unwrap();

        assert_eq!(busy.await.unwrap(), Ok(true));
        assert!(heard.recv().is_err(), "the work was dropped, not done");
    }
}
