//! The use cases of the queue and of processes as calls, so that a test reads as what it does.

use std::sync::Arc;

use domain::processes::{
    DeregisterProcess, Heartbeat, KeyNeed, PostRelays, Process, QueueDepth, RecordHeartbeat,
    RegisterProcess, RemoveWorker, RunningProcess,
};
use domain::queue::due::{Due, due};
use domain::queue::maintain::{Maintenance, maintain};
use domain::queue::{
    BatchReport, CommitBatch, Keys, Purge, QueueBatch, Rescue, Rescued, Retention,
};
use domain::relay::{PostedStanding, RelayStanding};
use domain::store::{Store, StoreError};
use jiff::Timestamp;

/// What tests ask of the queue.
pub trait Queue {
    async fn commit(
        &self,
        worker: &str,
        batch: Arc<QueueBatch>,
        now: Timestamp,
    ) -> Result<BatchReport, StoreError>;
    async fn due(&self, keys: &Keys, now: Timestamp) -> Result<Due, StoreError>;
    async fn maintain(&self, keys: &Keys, now: Timestamp) -> Result<Maintenance, StoreError>;
    async fn rescue(&self, dead: &[String], now: Timestamp) -> Result<Vec<Rescued>, StoreError>;
    async fn purge(&self, retention: Retention, now: Timestamp) -> Result<u64, StoreError>;
    async fn post_relays(
        &self,
        worker: &str,
        standings: &[RelayStanding],
        now: Timestamp,
    ) -> Result<(), StoreError>;
    async fn posted_relays(&self) -> Result<Vec<PostedStanding>, StoreError>;
    async fn heartbeat(&self, worker: &str, now: Timestamp) -> Result<(), StoreError>;
    async fn heartbeats(&self) -> Result<Vec<Heartbeat>, StoreError>;
    async fn remove_worker(&self, worker: &str) -> Result<(), StoreError>;
    async fn register(
        &self,
        process: &Process,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<(), StoreError>;
    async fn deregister(&self, id: &str) -> Result<(), StoreError>;
    async fn processes(&self) -> Result<Vec<RunningProcess>, StoreError>;
    async fn queue_depth(&self, now: Timestamp) -> Result<QueueDepth, StoreError>;
    async fn keys_needed(&self, now: Timestamp) -> Result<Vec<KeyNeed>, StoreError>;
    async fn newest_mail(&self) -> Result<Option<Timestamp>, StoreError>;
}

impl Queue for Store {
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
        standings: &[RelayStanding],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (worker, standings) = (worker.to_owned(), standings.to_vec());
        self.write(PostRelays {
            worker,
            standings,
            now,
        })
        .await
    }

    async fn posted_relays(&self) -> Result<Vec<PostedStanding>, StoreError> {
        self.view().await?.posted_relays().await
    }

    async fn heartbeat(&self, worker: &str, now: Timestamp) -> Result<(), StoreError> {
        let worker = worker.to_owned();
        self.write(RecordHeartbeat { worker, now }).await
    }

    async fn heartbeats(&self) -> Result<Vec<Heartbeat>, StoreError> {
        self.view().await?.heartbeats().await
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
        self.view().await?.processes().await
    }

    async fn queue_depth(&self, now: Timestamp) -> Result<QueueDepth, StoreError> {
        self.view().await?.queue_depth(now).await
    }

    async fn keys_needed(&self, now: Timestamp) -> Result<Vec<KeyNeed>, StoreError> {
        self.view().await?.keys_needed(now).await
    }

    async fn newest_mail(&self) -> Result<Option<Timestamp>, StoreError> {
        self.view().await?.newest_mail().await
    }
}
