//! The use cases of the queue and of processes as calls, so that a test reads as what it does.

use std::sync::Arc;

use async_trait::async_trait;
use domain::processes::{
    DeregisterProcess, Heartbeat, KeyNeed, PostRelays, Process, QueueDepth, RecordHeartbeat,
    RegisterProcess, RemoveWorker, RunningProcess,
};
use domain::queue::due::{Due, due};
use domain::queue::maintain::{Maintenance, maintain};
use domain::queue::{
    BatchReport, CommitBatch, Keys, Purge, QueueBatch, Rescue, Rescued, Retention,
};
use domain::relay::{PostedRelayStatus, RelayStatus};
use domain::store::{Store, StoreError};
use jiff::Timestamp;

/// Use cases of the queue, as methods of a store.
#[async_trait]
pub trait Calls {
    /// Commits a batch of a worker.
    async fn commit(
        &self,
        worker: &str,
        batch: Arc<QueueBatch>,
        now: Timestamp,
    ) -> Result<BatchReport, StoreError>;
    /// What is due, and when.
    async fn due(&self, keys: &Keys, now: Timestamp) -> Result<Due, StoreError>;
    /// Maintains the queue once.
    async fn maintain(&self, keys: &Keys, now: Timestamp) -> Result<Maintenance, StoreError>;
    /// Rescues the mails of dead workers.
    async fn rescue(&self, dead: &[String], now: Timestamp) -> Result<Vec<Rescued>, StoreError>;
    /// Purges once; erases what was deleted when there is nothing left to purge.
    async fn purge(&self, retention: Retention, now: Timestamp) -> Result<u64, StoreError>;
    /// Posts how a worker sees its relays.
    async fn post_relays(
        &self,
        worker: &str,
        statuses: &[RelayStatus],
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// What workers have posted about their relays.
    async fn posted_relays(&self) -> Result<Vec<PostedRelayStatus>, StoreError>;
    /// Records a worker's heartbeat.
    async fn heartbeat(&self, worker: &str, now: Timestamp) -> Result<(), StoreError>;
    /// The heartbeats of all workers.
    async fn heartbeats(&self) -> Result<Vec<Heartbeat>, StoreError>;
    /// Removes a worker that stops.
    async fn remove_worker(&self, worker: &str) -> Result<(), StoreError>;
    /// Registers a process, or says that it still runs.
    async fn register(
        &self,
        process: &Process,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<(), StoreError>;
    /// Deregisters a process.
    async fn deregister(&self, id: &str) -> Result<(), StoreError>;
    /// The registered processes.
    async fn processes(&self) -> Result<Vec<RunningProcess>, StoreError>;
    /// How many mails wait, and since when.
    async fn queue_depth(&self, now: Timestamp) -> Result<QueueDepth, StoreError>;
    /// The keys that mails wait for.
    async fn keys_needed(&self, now: Timestamp) -> Result<Vec<KeyNeed>, StoreError>;
    /// When the newest mail was asked for.
    async fn newest_mail(&self) -> Result<Option<Timestamp>, StoreError>;
}

#[async_trait]
impl Calls for Store {
    async fn commit(
        &self,
        worker: &str,
        batch: Arc<QueueBatch>,
        now: Timestamp,
    ) -> Result<BatchReport, StoreError> {
        let worker = worker.to_owned();
        self.write(CommitBatch { worker, batch, now }).await
    }

    async fn due(&self, keys: &Keys, now: Timestamp) -> Result<Due, StoreError> {
        due(self.watch().await?.as_mut(), keys, now).await
    }

    async fn maintain(&self, keys: &Keys, now: Timestamp) -> Result<Maintenance, StoreError> {
        maintain(self, keys, now).await
    }

    async fn rescue(&self, dead: &[String], now: Timestamp) -> Result<Vec<Rescued>, StoreError> {
        let dead = dead.to_vec();
        self.write(Rescue { dead, now }).await
    }

    async fn purge(&self, retention: Retention, now: Timestamp) -> Result<u64, StoreError> {
        let removed = self.write(Purge { retention, now }).await?;
        if removed == 0 {
            self.erase_deleted().await?;
        }
        Ok(removed)
    }

    async fn post_relays(
        &self,
        worker: &str,
        statuses: &[RelayStatus],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (worker, statuses) = (worker.to_owned(), statuses.to_vec());
        self.write(PostRelays {
            worker,
            statuses,
            now,
        })
        .await
    }

    async fn posted_relays(&self) -> Result<Vec<PostedRelayStatus>, StoreError> {
        self.reader().await?.posted_relays().await
    }

    async fn heartbeat(&self, worker: &str, now: Timestamp) -> Result<(), StoreError> {
        let worker = worker.to_owned();
        self.write(RecordHeartbeat { worker, now }).await
    }

    async fn heartbeats(&self) -> Result<Vec<Heartbeat>, StoreError> {
        self.reader().await?.heartbeats().await
    }

    async fn remove_worker(&self, worker: &str) -> Result<(), StoreError> {
        self.write(RemoveWorker(worker.to_owned())).await
    }

    async fn register(
        &self,
        process: &Process,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(RegisterProcess {
            process: process.clone(),
            now,
            forget_before,
        })
        .await
    }

    async fn deregister(&self, id: &str) -> Result<(), StoreError> {
        self.write(DeregisterProcess(id.to_owned())).await
    }

    async fn processes(&self) -> Result<Vec<RunningProcess>, StoreError> {
        self.reader().await?.processes().await
    }

    async fn queue_depth(&self, now: Timestamp) -> Result<QueueDepth, StoreError> {
        self.reader().await?.queue_depth(now).await
    }

    async fn keys_needed(&self, now: Timestamp) -> Result<Vec<KeyNeed>, StoreError> {
        self.reader().await?.keys_needed(now).await
    }

    async fn newest_mail(&self) -> Result<Option<Timestamp>, StoreError> {
        self.reader().await?.newest_mail().await
    }
}
