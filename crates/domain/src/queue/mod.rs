//! The mail queue: its use cases, their rules, and the ports that a database implements for them.
//!
//! A mail has a row of ours and a job in apalis's table; a use case keeps both in step in one transaction. A claim is
//! fenced by a number that only grows: a worker with an older one can neither get a permit nor settle.
//!
//! | File | What it holds |
//! |---|---|
//! | [`batch`] | everything that a worker writes in one transaction |
//! | [`claim`], [`permit`], [`settle`] | the three parts of a batch |
//! | [`rescue`] | what a worker's crash makes of its mails |
//! | [`maintain`] | expired mails, clock skew, missing keys, foreign jobs |
//! | [`forget`] | withdrawing and forgetting the mails of an account |
//! | [`retention`] | how long rows are kept |
//! | [`due`] | when the next mail can be claimed |
//! | [`port`] | the statements that a database provides |

pub mod batch;
pub mod challenge;
pub mod claim;
pub mod due;
pub mod forget;
pub mod maintain;
pub mod permit;
pub mod port;
mod records;
pub mod rescue;
pub mod retention;
pub mod settle;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::id::MailId;
use crate::mail::{Lane, MailKind};
use crate::operator::Suppression;
use crate::otp::KeyId;
use crate::store::StoreError;

pub use crate::delivery::{AttemptRecord, Outcome};

pub use self::batch::{BatchReport, CommitBatch, QueueBatch};
pub use self::challenge::{ChallengeLife, ChallengeTimes, MailChallenge};
pub use self::due::Due;
pub use self::maintain::{Expired, Maintain, Maintenance};
pub use self::permit::SendPermit;
pub use self::records::{MailFilter, MailRecord, MailStory};
pub use self::rescue::{Rescue, Rescued};
pub use self::retention::{Purge, Retention};

/// A mail that a worker has claimed.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The claim.
    pub claim: Claim,
    /// What the mail says.
    pub kind: MailKind,
    /// The mailbox it goes to.
    pub to: String,
    /// The request that caused it.
    pub request_id: String,
    /// When it was asked for.
    pub created: Timestamp,
    /// After this time it is of no use.
    pub deadline: Option<Timestamp>,
    /// Attempts that counted.
    pub tries: u32,
    /// Attempts that ended without a readable answer after the end of data.
    pub uncertain_attempts: u32,
    /// The lane it was claimed from.
    pub lane: Lane,
    /// The challenge whose code it carries.
    pub challenge: Option<MailChallenge>,
    /// Why nothing is to be sent to its address, if so.
    pub suppressed: Option<Suppression>,
}

/// A mail and the number of its claim: the fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The mail.
    pub mail: MailId,
    /// How often it has been claimed, this time included. Only grows.
    pub number: u32,
}

/// Why a claim is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The mail was cancelled while it was in flight: by an operator, or with its account. It is not sent.
    Cancelled,
    /// The worker's lease had ended, and another worker has the mail by now, or had it.
    LeaseLost,
}

/// The keys a worker has. It claims mails whose code is made with one of them, and mails without a code.
#[derive(Debug, Clone, Default)]
pub enum Keys {
    /// Every key: for tools that mail nothing.
    #[default]
    Any,
    /// These keys.
    Only(Arc<[KeyId]>),
}

/// The id of a job in the queue's table. A job of ours has its mail's id; a foreign one may have any text.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct JobId(pub String);

impl From<MailId> for JobId {
    fn from(mail: MailId) -> Self {
        Self(mail.to_string())
    }
}

/// The wake-up: tells a worker when another process has written, and when the next job is due. Apart from the store's
/// connections, so that a worker that looks keeps no request waiting.
#[async_trait]
pub trait Watch: Send {
    /// Returns when something may have changed since the last call. Safe to cancel.
    async fn changed(&mut self) -> Result<(), StoreError>;
    /// When the first job of each rank is due that a worker with these keys may claim, in the order of the ranks. `None`:
    /// the whole queue is paused. A job that a pause holds is never due.
    async fn first_due(
        &mut self,
        ranks: &[i64],
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Option<Vec<Option<Timestamp>>>, StoreError>;
}
