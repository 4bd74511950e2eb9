//! The pool of threads that hash passwords.
//!
//! A hash costs a core about 14 ms and 19 MiB by design, so it never runs on an async thread,
//! and only so many wait: whoever comes when the line is full is told at once, instead of
//! everybody being late (OWASP ASVS 5.0 2.4.1).
//!
//! The threads are the pool's own and take the next password from the line themselves. By way of
//! the async threads, which wait for a core as well, each core would idle for a while after each hash.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender};
use domain::password::{HashCost, Hasher, InvalidCost, Password, PasswordHash};
use tokio::sync::{Semaphore, oneshot};

use crate::settings::Accounts;

/// A bounded pool. Cheap to clone; its threads end with the last clone.
#[derive(Clone)]
pub struct HashPool {
    cost: HashCost,
    /// Everybody inside: being hashed or waiting.
    places: Arc<Semaphore>,
    line: Sender<Work>,
}

/// What a thread does with its hasher.
type Work = Box<dyn FnOnce(&mut Hasher) + Send>;

/// As many passwords wait as may wait. Nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords wait to be hashed")]
pub struct Full;

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
    pub fn new(accounts: &Accounts) -> Result<Self, NoPool> {
        let cost = HashCost {
            memory_kib: accounts.argon2_memory_kib,
            iterations: accounts.argon2_iterations,
            parallelism: accounts.argon2_parallelism,
        };
        let (line, waiting) = crossbeam_channel::unbounded();
        for _ in 0..accounts.hash_threads {
            let (hasher, waiting) = (Hasher::new(cost)?, waiting.clone());
            thread::Builder::new()
                .name("hash".to_owned())
                .spawn(move || serve(hasher, &waiting))?;
        }
        let places = Semaphore::new(accounts.hash_threads + accounts.hash_queue);
        Ok(Self {
            cost,
            places: Arc::new(places),
            line,
        })
    }

    /// Hashes a password.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, Full> {
        self.run(move |hasher| hasher.hash(&password)).await
    }

    /// Whether a password is the one that was hashed.
    pub async fn verify(&self, password: Password, hash: PasswordHash) -> Result<bool, Full> {
        self.run(move |hasher| hasher.verify(&password, &hash))
            .await
    }

    /// The cost of new hashes.
    #[must_use]
    pub fn cost(&self) -> HashCost {
        self.cost
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, Full> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Full)?;
        let (answer, result) = oneshot::channel();
        let work = Box::new(move |hasher: &mut Hasher| {
            // The place goes first, in a panic too, so that who hears the answer finds it free.
            let answer = answer;
            let place = place;
            // Whoever has gone away meanwhile needs no answer.
            let done = (!answer.is_closed()).then(|| work(hasher));
            drop(place);
            if let Some(done) = done {
                let _ = answer.send(done);
            }
        });
        self.line.send(work).map_err(|_| Full)?;
        result.await.map_err(|_| Full)
    }
}

/// One thread of the pool: one password after the other, until the pool is gone.
fn serve(mut hasher: Hasher, waiting: &Receiver<Work>) {
    for work in waiting {
        // The hasher's memory holds nothing from one hash to the next, so none can spoil another.
        if catch_unwind(AssertUnwindSafe(|| work(&mut hasher))).is_err() {
            tracing::error!("hashing a password failed");
        }
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
        thread::spawn(move || serve(hasher, &waiting));
        HashPool {
            cost,
            places: Arc::new(Semaphore::new(1)),
            line,
        }
    }

    #[tokio::test]
    async fn whoever_finds_the_line_full_is_told_at_once() {
        let pool = pool();
        let (go, wait) = crossbeam_channel::bounded::<()>(0);
        let busy = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(move |_| wait.recv().is_ok()).await }
        });
        while pool.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }

        let refused = pool.hash(Password::new("a")).await;
        go.send(()).unwrap();

        assert!(matches!(refused, Err(Full)));
        assert!(matches!(busy.await.unwrap(), Ok(true)));
        assert!(pool.hash(Password::new("b")).await.is_ok());
    }

    #[tokio::test]
    async fn a_panic_ends_neither_the_thread_nor_the_place() {
        let pool = pool();

        let broken = pool.run(|_| panic!("an example")).await;
        let after = pool.run(|_| 7).await;

        assert!(matches!(broken, Err::<(), _>(Full)));
        assert!(matches!(after, Ok(7)));
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
            async move { pool.run(move |_| wait.recv().is_ok()).await }
        });
        let (ran, heard) = crossbeam_channel::bounded(1);
        let leaver = tokio::spawn({
            let pool = pool.clone();
            async move { pool.run(move |_| ran.send(())).await }
        });
        while pool.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }

        leaver.abort();
        let _ = leaver.await;
        go.send(()).unwrap();

        assert!(matches!(busy.await.unwrap(), Ok(true)));
        assert!(heard.recv().is_err(), "the work was dropped, not done");
    }
}
