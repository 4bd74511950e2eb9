//! The part of the database ports that only an operator needs.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Pause, Suppression};
use crate::audit::Recorded;
use crate::delivery::Stored;
use crate::email::EmailKey;
use crate::id::MailId;
use crate::mail::{MailKind, MailState};
use crate::queue::{ChallengeLife, MailRecord};
use crate::store::StoreError;

/// What an operator reads.
#[async_trait]
pub trait OperatorQueries: Send {
    /// What is paused: the whole queue, kinds of mail, or nothing.
    async fn pauses(&mut self) -> Result<Vec<Pause>, StoreError>;
    /// Why no mail is sent to an address at that time, if it is suppressed.
    async fn suppression(
        &mut self,
        to: &EmailKey,
        now: Timestamp,
    ) -> Result<Option<Suppression>, StoreError>;
    /// The queue in numbers.
    async fn queue_counts(&mut self, now: Timestamp) -> Result<QueueCounts, StoreError>;
    /// A mail with what a decision about it depends on.
    async fn mail_status(
        &mut self,
        mail: MailId,
        now: Timestamp,
    ) -> Result<Option<MailStatus>, StoreError>;
    /// The registrations of an address that were not verified, decoys among them, newest first.
    async fn registrations_of(
        &mut self,
        email: &EmailKey,
        limit: u32,
    ) -> Result<Vec<Registration>, StoreError>;
    /// The security events about an address, newest first.
    async fn records_about(
        &mut self,
        email: &EmailKey,
        limit: u32,
    ) -> Result<Vec<Recorded>, StoreError>;
    /// When hits were counted under a key after `since`, the oldest first; see
    /// [`ReadLimits::hits`](crate::store::ReadLimits::hits).
    async fn counted(&mut self, key: &str, since: Timestamp) -> Result<Vec<Timestamp>, StoreError>;
}

/// What an operator changes in the queue. The use cases of this module call it, and record each change.
#[async_trait]
pub trait OperatorCommands: Send {
    /// Makes a mail due now, whatever its state; no worker is sending it. False if its job is missing.
    async fn requeue(
        &mut self,
        mail: MailId,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Ends a mail as cancelled and voids the claim of the worker that is sending it.
    async fn withdraw(
        &mut self,
        mail: MailId,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Pauses a kind of mail, or all. False if it was already paused; the reason is replaced in any case.
    async fn pause(&mut self, pause: &Pause) -> Result<bool, StoreError>;
    /// Ends the pause of a kind, or every pause, and returns the ended pauses. The mails they held are released by
    /// [`OperatorCommands::release_held`].
    async fn end_pauses(
        &mut self,
        kind: Option<MailKind>,
        now: Timestamp,
    ) -> Result<Vec<Pause>, StoreError>;
    /// Releases some of the mails that an ended pause had held, and returns their number; called until that is 0.
    async fn release_held(&mut self) -> Result<u64, StoreError>;
    /// Ends the suppression of an address, and returns it.
    async fn lift_suppression(
        &mut self,
        to: &EmailKey,
        now: Timestamp,
    ) -> Result<Option<Suppression>, StoreError>;
}

/// A mail with what a decision about it depends on.
#[derive(Debug, Clone)]
pub struct MailStatus {
    /// The mail.
    pub mail: MailRecord,
    /// Whether its code can still be used; `None` if it carries none, or its challenge is gone.
    pub life: Option<ChallengeLife>,
    /// Whether the worker that is sending it may be writing the end of data.
    pub marked: bool,
    /// The address for the security events: its pseudonym, if the address is to be forgotten or has been.
    pub known_as: EmailKey,
}

/// The number of mails in a state and of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateCount {
    /// The state.
    pub state: Stored<MailState>,
    /// The kind.
    pub kind: Stored<MailKind>,
    /// Their number.
    pub mails: u64,
}

/// The queue in numbers.
#[derive(Debug, Clone, Default)]
pub struct QueueCounts {
    /// Mails by state and kind, without zeros.
    pub states: Vec<StateCount>,
    /// The waiting mail with the earliest request.
    pub oldest: Option<MailRecord>,
    /// Mails that ended in the last minute, by state.
    pub last_minute: Vec<(Stored<MailState>, u64)>,
    /// Mails that ended in the last hour, by state.
    pub last_hour: Vec<(Stored<MailState>, u64)>,
    /// Suppressed addresses.
    pub suppressed: u64,
    /// Workers with mails in flight, and the number of each.
    pub in_flight: Vec<(String, u64)>,
}

/// A registration of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// When it was requested.
    pub created: Timestamp,
    /// When it lapses.
    pub expires: Timestamp,
    /// Whether the address already belonged to a user.
    pub decoy: bool,
}
