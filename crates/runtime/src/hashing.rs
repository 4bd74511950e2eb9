//! The pool of threads that hash passwords.
//!
//! A hash costs a core about 14 ms and 19 MiB by design, so it never runs on an async thread,
//! and only so many wait: whoever comes when the line is full is told at once, instead of
//! everybody being late (OWASP ASVS 5.0 2.4.1).

use std::sync::{Arc, Mutex, PoisonError};

use domain::password::{HashCost, Hasher, InvalidCost, Password, PasswordHash};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::settings::Accounts;

/// A bounded pool. Cheap to clone.
#[derive(Clone)]
pub struct HashPool {
    cost: HashCost,
    /// Everybody inside: being hashed or waiting.
    line: Arc<Semaphore>,
    /// Those being hashed.
    threads: Arc<Semaphore>,
    /// Hashers that nobody uses now, each with its block of memory.
    idle: Arc<Mutex<Vec<Hasher>>>,
}

/// As many passwords wait as may wait. Nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords wait to be hashed")]
pub struct Full;

impl HashPool {
    /// A pool of the size and cost of the settings.
    pub fn new(accounts: &Accounts) -> Result<Self, InvalidCost> {
        let cost = HashCost {
            memory_kib: accounts.argon2_memory_kib,
            iterations: accounts.argon2_iterations,
            parallelism: accounts.argon2_parallelism,
        };
        Ok(Self {
            cost,
            line: Arc::new(Semaphore::new(accounts.hash_threads + accounts.hash_queue)),
            threads: Arc::new(Semaphore::new(accounts.hash_threads)),
            idle: Arc::new(Mutex::new(vec![Hasher::new(cost)?])),
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
        let place = Arc::clone(&self.line)
            .try_acquire_owned()
            .map_err(|_| Full)?;
        let thread = Arc::clone(&self.threads)
            .acquire_owned()
            .await
            .map_err(|_| Full)?;
        let pool = self.clone();
        // The permits go along: if the caller leaves, the thread is taken all the same.
        let held: [OwnedSemaphorePermit; 2] = [place, thread];
        let done = tokio::task::spawn_blocking(move || {
            let mut hasher = pool.take();
            let result = work(&mut hasher);
            pool.idle().push(hasher);
            drop(held);
            result
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "hashing a password failed");
            Full
        })
    }

    fn take(&self) -> Hasher {
        let idle = self.idle().pop();
        idle.unwrap_or_else(|| {
            Hasher::new(self.cost).expect("the cost was checked when the pool was made")
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Hasher>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
