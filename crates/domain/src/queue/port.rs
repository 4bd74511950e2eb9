//! The queue's statements, which a database implements. Each takes a whole group: a database runs it as one statement, or
//! as a few. What they decide by is an argument; the rules stand with the use cases.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;

use super::maintain::{Latest, MissingKey};
use super::retention::Cutoffs;
use super::{AttemptRecord, ChallengeTimes, Claim, Claimed, JobId, Keys, Outcome};
use crate::delivery::Stored;
use crate::email::EmailKey;
use crate::id::{MailId, UserId};
use crate::mail::{MailKind, MailState};
use crate::otp::KeyId;
use crate::store::StoreError;

/// What can be read of the queue.
#[async_trait]
pub trait ReadQueue: Send {
    /// Mails that wait and are not locked: with a deadline until `now`, or without one and asked for before
    /// `notices_before`.
    async fn overdue_mails(
        &mut self,
        now: Timestamp,
        notices_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<OpenMail>, StoreError>;
    /// Mails whose job is due later than `now` and whose rows show a time later than `latest`, or none to wait for.
    async fn skewed_mails(
        &mut self,
        latest: &Latest,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(MailId, MailState)>, StoreError>;
    /// Of the first due jobs of a rank, those whose live code needs a key that is not among `held`.
    async fn missing_keys(
        &mut self,
        rank: i64,
        held: &[KeyId],
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<MissingKey>, StoreError>;
    /// Jobs that belong to no open mail, of a rank that is not among `ranks`: no claim finds them.
    async fn foreign_jobs(&mut self, ranks: &[i64], limit: u32) -> Result<Vec<JobId>, StoreError>;
    /// Open mails about a user or to an address.
    async fn open_mails(
        &mut self,
        user: UserId,
        to: &EmailKey,
    ) -> Result<Vec<OpenMail>, StoreError>;
}

/// What the use cases of the queue write.
#[async_trait]
pub trait QueueRows: Send {
    /// Which claims may still write: the newest of mails that are being sent. Of permits, those whose code lives or that
    /// have none.
    async fn fence(
        &mut self,
        settlements: &[Outcome],
        permits: &[Claim],
        now: Timestamp,
    ) -> Result<Fence, StoreError>;
    /// What the rows of claimed mails say now. Mails without a row are left out.
    async fn claim_states(
        &mut self,
        claims: &[Claim],
    ) -> Result<HashMap<Claim, ClaimState>, StoreError>;
    /// Writes how claims ended: mails, jobs that `worker` has locked, and attempts.
    async fn settle(&mut self, worker: &str, settlements: &[&Outcome]) -> Result<(), StoreError>;
    /// Suppresses the addresses of mails, with what the last record of each settlement says.
    async fn suppress(&mut self, refusals: &[&Outcome]) -> Result<(), StoreError>;
    /// Puts the pseudonym in the place of the address in mails that have one.
    async fn forget_addresses(&mut self, mails: &[JobId]) -> Result<(), StoreError>;
    /// Puts `forget_as` in the place of the address in the finished mails about a user or to an address, whose
    /// suppression goes as well. Open mails keep the address and the pseudonym until they are finished.
    async fn forget_mails(
        &mut self,
        user: UserId,
        to: &EmailKey,
        forget_as: &str,
    ) -> Result<(), StoreError>;
    /// Records that the end of data is about to be written for these claims.
    async fn record_permits(&mut self, claims: &[Claim]) -> Result<(), StoreError>;
    /// Makes mails due that wait, and puts those without an attempt on the main lane. Mails that a pause holds stay held.
    async fn wake(&mut self, mails: &[MailId], now: Timestamp) -> Result<(), StoreError>;
    /// Changes mails and their jobs, which are unlocked.
    async fn change_mails(
        &mut self,
        changes: &[MailChange],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The kinds of mail that are paused; an empty one stands for the whole queue.
    async fn paused_kinds(&mut self) -> Result<Vec<String>, StoreError>;
    /// Puts due jobs of paused kinds out of reach, of the first and last `most` that are due. Returns how many.
    async fn hold_jobs(
        &mut self,
        kinds: &[String],
        rank: i64,
        most: u32,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
    /// Due jobs of one class.
    async fn due_jobs(&mut self, due: &DueJobs<'_>) -> Result<Vec<JobId>, StoreError>;
    /// The newest due jobs of mails of a kind that have never been tried.
    async fn untried_jobs(
        &mut self,
        kind: MailKind,
        limit: u32,
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Vec<JobId>, StoreError>;
    /// Locks jobs for a worker, whose row is made if it is missing.
    async fn lock_jobs(
        &mut self,
        worker: &str,
        jobs: &[JobId],
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Raises the claim number of the open mails of these jobs: they are being sent. Returns how many there are.
    async fn begin_attempts(&mut self, jobs: &[JobId]) -> Result<u64, StoreError>;
    /// Mails that are being sent, with all that a handler needs. `Err`: this version can't read the mail.
    async fn claimed_mails(
        &mut self,
        jobs: &[JobId],
        now: Timestamp,
    ) -> Result<Vec<Result<Claimed, JobId>>, StoreError>;
    /// Ends those of the jobs that have no open mail. Returns how many.
    async fn set_foreign_aside(
        &mut self,
        jobs: &[JobId],
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// The mails that workers are sending.
    async fn locked_mails(&mut self, workers: &[String]) -> Result<Vec<LockedMail>, StoreError>;
    /// Records attempts of which nothing more is known, unless there is a record of the claim.
    async fn record_lost_attempts(&mut self, attempts: &[LostAttempt]) -> Result<(), StoreError>;
    /// Unlocks the jobs that workers still hold: those of open mails are pending, the others end.
    async fn unlock_foreign_jobs(
        &mut self,
        workers: &[String],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes some rows of each kind that ended before the cut-offs. Returns how many.
    async fn purge(&mut self, cutoffs: &Cutoffs) -> Result<u64, StoreError>;
    /// Dates some rows anew that are dated later than `ahead`, and removes those that only count. Returns how many.
    async fn redate_rows(&mut self, ahead: Timestamp, now: Timestamp) -> Result<u64, StoreError>;
}

/// The mails whose claims may still write.
#[derive(Debug, Default)]
pub struct Fence {
    /// Mails whose settlement is not too late.
    pub settling: HashSet<MailId>,
    /// Those of them whose address is to be forgotten when they are finished.
    pub forgetting: HashSet<MailId>,
    /// Mails whose end of data may be written.
    pub permits: HashSet<MailId>,
}

/// What a claimed mail's row says now.
#[derive(Debug, Clone)]
pub struct ClaimState {
    /// The mail's state.
    pub state: Stored<MailState>,
    /// The number of its newest claim.
    pub number: u32,
    /// Whether the row gives a reason for its state.
    pub has_reason: bool,
    /// The challenge whose code it carries.
    pub challenge: Option<ChallengeTimes>,
}

impl ClaimState {
    /// Whether the claim is the newest of a mail that is being sent.
    #[must_use]
    pub fn is_newest(&self, claim: Claim) -> bool {
        self.number == claim.number && self.state == MailState::Sending
    }
}

/// Which due jobs to find: those of one rank, in an order.
#[derive(Debug, Clone, Copy)]
pub struct DueJobs<'a> {
    /// The rank.
    pub rank: i64,
    /// Which of them first.
    pub order: Order,
    /// At most so many.
    pub limit: u32,
    /// The worker's keys. A mail whose live code needs another is left for a worker that has it.
    pub keys: &'a Keys,
    /// The time.
    pub now: Timestamp,
}

/// Which due jobs come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Those due longest.
    Oldest,
    /// Those due last.
    Newest,
    /// Of those due last, the ones that were asked for last.
    NewestRequest,
    /// Those due longest, where each earlier claim counts as if the mail had come due half a minute later: mails that
    /// were claimed again and again don't keep a newer one waiting.
    LeastClaimed,
}

/// What becomes of a mail and its job.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent changes of a row"
)]
#[derive(Debug, Clone)]
pub struct MailChange {
    /// The job, which has the mail's id.
    pub job: JobId,
    /// The mail's new state.
    pub state: MailState,
    /// Why; `None` keeps the reason.
    pub reason: Option<String>,
    /// When the job is due; `None` keeps the time.
    pub due: Option<Timestamp>,
    /// Whether its worker has crashed.
    pub crashed: bool,
    /// Whether an attempt may have been delivered.
    pub uncertain: bool,
    /// Whether the job's attempt is not counted.
    pub uncounted: bool,
    /// Whether a claim becomes void: its worker may no longer send the mail.
    pub voids_claim: bool,
}

impl MailChange {
    /// A change of the state alone.
    pub fn to(job: impl Into<JobId>, state: MailState) -> Self {
        Self {
            job: job.into(),
            state,
            reason: None,
            due: None,
            crashed: false,
            uncertain: false,
            uncounted: false,
            voids_claim: false,
        }
    }
}

/// An open mail.
#[derive(Debug, Clone)]
pub struct OpenMail {
    /// The mail.
    pub id: MailId,
    /// What it says.
    pub kind: Stored<MailKind>,
    /// Why it waits.
    pub reason: Option<String>,
    /// Attempts that may have been delivered.
    pub uncertain_attempts: u32,
    /// Whether the end of data of its newest claim may have been written.
    pub permitted: bool,
    /// Whether its address is to be forgotten when it is finished.
    pub to_be_forgotten: bool,
}

/// A mail that a worker is sending, or was when it died.
#[derive(Debug, Clone)]
pub struct LockedMail {
    /// The mail and its newest claim.
    pub claim: Claim,
    /// What it says.
    pub kind: Stored<MailKind>,
    /// The worker.
    pub worker: String,
    /// Since when the worker has it.
    pub locked: Timestamp,
    /// Whether the end of data may have been written.
    pub permitted: bool,
    /// How many workers died with it in flight.
    pub crashes: u32,
    /// Attempts that may have been delivered.
    pub uncertain_attempts: u32,
    /// Whether its address is to be forgotten when it is finished.
    pub to_be_forgotten: bool,
}

/// An attempt that its worker did not survive.
#[derive(Debug, Clone)]
pub struct LostAttempt {
    /// The claim.
    pub claim: Claim,
    /// The worker.
    pub worker: String,
    /// What is known of it.
    pub record: AttemptRecord,
}
