//! The pool of threads that hash passwords.
//!
//! A hash costs a core about 14 ms and 19 MiB by design, so it never runs on an async thread,
//! and only so many wait: whoever comes when the line is full is told at once, instead of
//! everybody being late (OWASP ASVS 5.0 2.4.1). One client gets at most a quarter of it, and its users with a token another.
//!
//! The threads are the pool's own and take the next password from the line themselves. By way of
//! the async threads, which wait for a core as well, each core would idle for a while after each hash.

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
    /// Everybody inside: being hashed or waiting.
    places: Arc<Semaphore>,
    /// Whose places they are; `None` where limits are lifted.
    shares: Option<Shares>,
    line: Sender<Work>,
    /// Threads at work.
    busy: Arc<AtomicUsize>,
    meters: Meters,
}

/// How busy a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Threads that hash a password.
    pub busy: usize,
    /// Passwords that wait for a thread.
    pub waiting: usize,
}

/// Who was turned away.
#[derive(Clone)]
struct Meters {
    full: Counter,
    share: Counter,
}

impl Meters {
    fn new() -> Self {
        describe_counter!(
            REFUSED,
            "Passwords that were not hashed: too many waited (full), or too many of one client (client_share)."
        );
        Self {
            full: counter!(REFUSED, "reason" => "full"),
            share: counter!(REFUSED, "reason" => "client_share"),
        }
    }
}

/// What a thread does with its hasher.
type Work = Box<dyn FnOnce(&mut Hasher) + Send>;

/// Why a password was not hashed. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHashed {
    /// As many wait as may wait.
    #[error("too many passwords wait to be hashed")]
    Full,
    /// A quarter of all that may wait are this client's.
    #[error("too many passwords of one client wait to be hashed")]
    ClientHasItsShare,
    /// A bug, which has been logged.
    #[error("hashing a password failed")]
    Failed,
}

/// A place in the pool, for as many passwords as its holder hashes one after the other. Taken before anything is
/// written, so that whoever finds none has changed nothing.
pub struct Slot(Arc<Held>);

struct Held {
    _place: OwnedSemaphorePermit,
    _share: Option<Share>,
}

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub enum NoPool {
    /// The cost can't be paid.
    #[error(transparent)]
    Cost(#[from] InvalidCost),
    /// The system gave no thread.
    #[error("a thread that hashes passwords can't be started")]
    Thread(#[from] std::io::Error),
}

impl HashPool {
    /// A pool of the size and cost of the settings.
    pub fn new(settings: &Settings) -> Result<Self, NoPool> {
        let accounts = &settings.accounts;
        let cost = HashCost {
            memory_kib: accounts.argon2_memory_kib,
            iterations: accounts.argon2_iterations,
            parallelism: accounts.argon2_parallelism,
        };
        let (line, waiting) = crossbeam_channel::unbounded();
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
            places: Arc::new(Semaphore::new(slots)),
            shares: settings.limits.enabled.then(|| Shares::of(slots)),
            line,
            busy,
            meters: Meters::new(),
        })
    }

    /// A slot for a client, which holds at most a quarter of them.
    pub fn slot_of(&self, client: &ClientKey) -> Result<Slot, NotHashed> {
        self.shared(Holder::anonymous(client))
    }

    /// A slot for a user who is logged in at a client. These have a quarter of their own: what is done there without a
    /// token, by neighbours behind the same address, leaves them theirs.
    pub fn slot_of_user_at(&self, client: &ClientKey) -> Result<Slot, NotHashed> {
        self.shared(Holder::logged_in(client))
    }

    fn shared(&self, holder: Holder) -> Result<Slot, NotHashed> {
        let share = match &self.shares {
            Some(shares) => Some(shares.take(holder).ok_or_else(|| {
                self.meters.share.increment(1);
                NotHashed::ClientHasItsShare
            })?),
            None => None,
        };
        self.taken(share)
    }

    /// A slot for the program itself.
    pub fn slot(&self) -> Result<Slot, NotHashed> {
        self.taken(None)
    }

    fn taken(&self, share: Option<Share>) -> Result<Slot, NotHashed> {
        let places = Arc::clone(&self.places);
        let place = places.try_acquire_owned().map_err(|_| {
            self.meters.full.increment(1);
            NotHashed::Full
        })?;
        Ok(Slot(Arc::new(Held {
            _place: place,
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

    /// How busy it is at this moment.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            busy: self.busy.load(Ordering::Relaxed),
            waiting: self.line.len(),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        slot: &Slot,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, NotHashed> {
        // Its holder may go away: then the slot is free once the work has left the line.
        let held = Arc::clone(&slot.0);
        let (answer, result) = oneshot::channel();
        let work = Box::new(move |hasher: &mut Hasher| {
            // This hold goes first, in a panic too: the slot is free as soon as who hears the answer drops it.
            let answer = answer;
            let held = held;
            // Whoever has gone away meanwhile needs no answer.
            let done = (!answer.is_closed()).then(|| work(hasher));
            drop(held);
            if let Some(done) = done {
                let _ = answer.send(done);
            }
        });
        self.line.send(work).map_err(|_| NotHashed::Failed)?;
        result.await.map_err(|_| NotHashed::Failed)
    }
}

/// One thread of the pool: one password after the other, until the pool is gone.
fn serve(mut hasher: Hasher, waiting: &Receiver<Work>, busy: &AtomicUsize) {
    for work in waiting {
        busy.fetch_add(1, Ordering::Relaxed);
        // The hasher's memory holds nothing from one hash to the next, so none can spoil another.
        if catch_unwind(AssertUnwindSafe(|| work(&mut hasher))).is_err() {
            tracing::error!("hashing a password failed");
        }
        busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool of one thread where nobody may wait, with hashes that cost little.
    fn pool() -> HashPool {
        let (line, waiting) = crossbeam_channel::unbounded();
        let cost = HashCost::FLOOR;
        let hasher = Hasher::new(cost).unwrap();
        let busy = Arc::default();
        let thread_busy = Arc::clone(&busy);
        thread::spawn(move || serve(hasher, &waiting, &thread_busy));
        HashPool {
            cost,
            places: Arc::new(Semaphore::new(1)),
            shares: None,
            line,
            busy,
            meters: Meters::new(),
        }
    }

    #[tokio::test]
    async fn whoever_finds_the_line_full_is_told_at_once() {
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

    /// OWASP ASVS 5.0 2.4.1: of eight slots two are one client's, however many passwords it sends.
    #[tokio::test]
    async fn one_client_holds_a_quarter_of_the_slots_until_its_passwords_are_hashed() {
        let pool = HashPool {
            places: Arc::new(Semaphore::new(8)),
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
            places: Arc::new(Semaphore::new(4)),
            ..pool()
        };
        let client = ClientKey::of([192, 0, 2, 1].into());

        let slots = [(); 5].map(|()| pool.slot_of(&client).err());

        assert_eq!(slots, [None; 5], "each is given back at once");
        let held = [(); 4].map(|()| pool.slot_of(&client));
        assert!(held.iter().all(Result::is_ok));
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
    async fn nobody_hashes_for_a_caller_who_has_gone_away() {
        let pool = HashPool {
            places: Arc::new(Semaphore::new(2)),
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
