//! The processes that run, as they register themselves, and what a running system says of itself: the queue's depth,
//! the keys that waiting mails need, the state of relays.
//!
//! No request and no mail needs this. `smart-notes doctor` and the metrics read it.

use std::str::FromStr;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::id::UserId;
use crate::mail::{MailState, UnknownWord};
use crate::otp::KeyId;
use crate::relay::{PostedRelayStatus, RelayStatus};
use crate::store::{StoreError, Tx, Write};

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProcessKind {
    /// It answers requests.
    Api,
    /// It delivers mail.
    Worker,
}

impl ProcessKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Api, Self::Worker];

    /// The kind as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }
}

impl FromStr for ProcessKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// A process, as it registers itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its name, unique per start.
    pub id: String,
    /// What it does.
    pub kind: ProcessKind,
    /// The version of its program.
    pub version: String,
    /// The fingerprints of its secret keys, the one that signs first.
    pub keys: Vec<KeyId>,
    /// When it started.
    pub started: Timestamp,
    /// What it has seen that its operator should know: a sentence without its full stop.
    pub remark: Option<String>,
}

/// A process that is registered. It may have been killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningProcess {
    /// The process.
    pub process: Process,
    /// When it last registered.
    pub seen: Timestamp,
}

/// What waits in the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// How many mails are in each state that is not final. States without a mail are there with zero.
    pub states: Vec<(MailState, u64)>,
    /// Since when the mail that has been due longest could have been claimed. `None`: none is due.
    pub due_since: Option<Timestamp>,
}

/// A key that waiting mails need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNeed {
    /// Which.
    pub key: KeyId,
    /// How many mails with a live code wait for a worker that has it.
    pub mails: u64,
    /// When the oldest of them was asked for.
    pub oldest: Timestamp,
}

/// Users whose devices have numbers that the database never gave: it was restored from a backup, and no command has
/// said so since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreShown {
    /// How many users.
    pub users: u64,
    /// The one of whom it was noticed last.
    pub last: UserId,
    /// When that was.
    pub at: Timestamp,
}

/// A worker's sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The worker's name, unique per start.
    pub worker: String,
    /// When it was last seen, in seconds of its own clock.
    pub seen: i64,
}

/// What can be read of a running system.
#[async_trait]
pub trait ReadProcesses: Send {
    /// The registered processes, the latest last.
    async fn processes(&mut self) -> Result<Vec<RunningProcess>, StoreError>;
    /// The workers that have not left, with their last signs of life.
    async fn heartbeats(&mut self) -> Result<Vec<Heartbeat>, StoreError>;
    /// How these workers stand with their relays, by worker and position.
    async fn posted_relays(&mut self) -> Result<Vec<PostedRelayStatus>, StoreError>;
    /// What waits in the queue.
    async fn queue_depth(&mut self, now: Timestamp) -> Result<QueueDepth, StoreError>;
    /// Which keys the mails need that wait with a live code.
    async fn keys_needed(&mut self, now: Timestamp) -> Result<Vec<KeyNeed>, StoreError>;
    /// How many rows of each kind are dated in the future ([`crate::clock::AHEAD`]); kinds that have none are left out.
    async fn dated_ahead(&mut self, now: Timestamp)
    -> Result<Vec<(&'static str, u64)>, StoreError>;
    /// Whether devices have shown that the database was restored from a backup, since that time.
    async fn restore_shown(&mut self, since: Timestamp)
    -> Result<Option<RestoreShown>, StoreError>;
    /// When the newest mail was asked for: a time that this machine's clock has shown.
    async fn newest_mail(&mut self) -> Result<Option<Timestamp>, StoreError>;
}

/// The rows of processes and workers.
#[async_trait]
pub trait ProcessRegistry: Send {
    /// Adds a process's row or notes that it was seen. Removes those not seen since `forget_before`.
    async fn register(
        &mut self,
        process: &Process,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<(), StoreError>;
    /// Removes a process's row.
    async fn deregister(&mut self, id: &str) -> Result<(), StoreError>;
    /// Adds a worker's row or notes that it was seen.
    async fn heartbeat(&mut self, worker: &str, now: Timestamp) -> Result<(), StoreError>;
    /// Removes workers that have no job locked, with what they posted of their relays.
    async fn remove_workers(&mut self, workers: &[String]) -> Result<(), StoreError>;
    /// Writes how a worker stands with its relays, the preferred one first.
    async fn post_relays(
        &mut self,
        worker: &str,
        statuses: &[RelayStatus],
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// Registers a process, again and again while it runs.
#[derive(Debug, Clone)]
pub struct RegisterProcess {
    /// The process.
    pub process: Process,
    /// When.
    pub now: Timestamp,
    /// Processes that were not seen since then are removed.
    pub forget_before: Timestamp,
}

#[async_trait]
impl Write for RegisterProcess {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        tx.register(&self.process, self.now, self.forget_before)
            .await
    }
}

/// Removes the row of a process that ends.
#[derive(Debug)]
pub struct DeregisterProcess(pub String);

#[async_trait]
impl Write for DeregisterProcess {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        tx.deregister(&self.0).await
    }
}

/// Notes that a worker lives.
#[derive(Debug)]
pub struct RecordHeartbeat {
    /// The worker's name.
    pub worker: String,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl Write for RecordHeartbeat {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        tx.heartbeat(&self.worker, self.now).await
    }
}

/// Removes the row of a worker that ends and has nothing in flight.
#[derive(Debug)]
pub struct RemoveWorker(pub String);

#[async_trait]
impl Write for RemoveWorker {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        tx.remove_workers(std::slice::from_ref(&self.0)).await
    }
}

/// Writes how a worker stands with its relays.
#[derive(Debug)]
pub struct PostRelays {
    /// The worker's name.
    pub worker: String,
    /// Its relays, the preferred one first.
    pub statuses: Vec<RelayStatus>,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl Write for PostRelays {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        tx.post_relays(&self.worker, &self.statuses, self.now).await
    }
}
