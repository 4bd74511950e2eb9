//! What a running system says of itself: which processes there are and which keys they hold, what waits in
//! the queue, and which keys the waiting mails need.
//!
//! Apart from [`store`](crate::store) and [`queue`](crate::queue) because no request and no mail needs it: every
//! process announces itself here, `smart-notes doctor` and the metrics read it.

use std::str::FromStr;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::id::UserId;
use crate::mail::{MailState, UnknownWord};
use crate::otp::KeyId;
use crate::store::StoreError;

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

/// A process, as it announces itself.
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

/// A process that has announced itself and has not taken its leave. It may have been killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Which.
    pub process: Process,
    /// When it last said so.
    pub seen: Timestamp,
}

/// What waits in the queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Depth {
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

/// The port.
#[async_trait]
pub trait Vitals: Send + Sync + 'static {
    /// Says that a process is there; said again and again. Forgets those not seen since `forget_before`.
    async fn announce(
        &self,
        process: &Process,
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<(), StoreError>;
    /// Says that a process has ended.
    async fn depart(&self, id: &str) -> Result<(), StoreError>;
    /// The processes that are there, or have been killed, the latest last.
    async fn processes(&self) -> Result<Vec<Present>, StoreError>;
    /// What waits in the queue.
    async fn depth(&self, now: Timestamp) -> Result<Depth, StoreError>;
    /// Which keys the mails need that wait with a live code.
    async fn keys_needed(&self, now: Timestamp) -> Result<Vec<KeyNeed>, StoreError>;
    /// How many rows of each kind are dated in the future ([`crate::clock::AHEAD`]); kinds that have none are left out.
    async fn dated_ahead(&self, now: Timestamp) -> Result<Vec<(&'static str, u64)>, StoreError>;
    /// Whether devices have shown that the database was restored from a backup, since that time.
    async fn restore_shown(&self, since: Timestamp) -> Result<Option<RestoreShown>, StoreError>;
    /// When the newest mail was asked for: a time that this machine's clock has shown.
    async fn newest_mail(&self) -> Result<Option<Timestamp>, StoreError>;
}
