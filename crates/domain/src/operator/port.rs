//! The part of the ports to the database that an operator's commands alone need.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Pause, Suppression};
use crate::audit::Recorded;
use crate::email::EmailKey;
use crate::id::MailId;
use crate::mail::MailKind;
use crate::queue::{ChallengeLife, MailRecord};
use crate::store::StoreError;

/// What an operator asks. Only reads.
#[async_trait]
pub trait Inquiries: Send {
    /// What is paused: the whole queue, kinds of mail, or nothing.
    async fn pauses(&mut self) -> Result<Vec<Pause>, StoreError>;
    /// Why nothing is sent to an address now, if so.
    async fn suppression(
        &mut self,
        to: &EmailKey,
        now: Timestamp,
    ) -> Result<Option<Suppression>, StoreError>;
    /// The queue in numbers.
    async fn queue_counts(&mut self, now: Timestamp) -> Result<QueueCounts, StoreError>;
    /// How a mail stands, as a decision about it needs to know.
    async fn standing(
        &mut self,
        mail: MailId,
        now: Timestamp,
    ) -> Result<Option<Standing>, StoreError>;
    /// The attempts to register an address of which none was verified, decoys among them, newest first.
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
    /// When something was counted under a key after `since`, the oldest first; see
    /// [`ReadLimits::hits`](crate::store::ReadLimits::hits).
    async fn counted(&mut self, key: &str, since: Timestamp) -> Result<Vec<Timestamp>, StoreError>;
}

/// What an operator does to the queue. Callers are the use cases of this room, which record it.
#[async_trait]
pub trait Interventions: Send {
    /// Makes a mail due now, whatever its state; nobody has it in hand. Says whether its job was there.
    async fn requeue(
        &mut self,
        mail: MailId,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Ends a mail as cancelled and voids the claim of whoever has it in hand.
    async fn withdraw(
        &mut self,
        mail: MailId,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Pauses a kind of mail, or all. Says whether it was not paused before; the reason is replaced in any case.
    async fn pause(&mut self, pause: &Pause) -> Result<bool, StoreError>;
    /// Ends the pause of a kind, or every pause. What is held comes back by [`Interventions::release_held`].
    /// Answers with what has ended.
    async fn end_pauses(
        &mut self,
        kind: Option<MailKind>,
        now: Timestamp,
    ) -> Result<Vec<Pause>, StoreError>;
    /// Gives back some of the mails that were held by a pause that has ended; called again until it gives
    /// back none.
    async fn release_held(&mut self) -> Result<u64, StoreError>;
    /// Lets mails to an address go out again. Answers with what kept them back.
    async fn lift_suppression(
        &mut self,
        to: &EmailKey,
        now: Timestamp,
    ) -> Result<Option<Suppression>, StoreError>;
}

/// How a mail stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The mail.
    pub mail: MailRecord,
    /// Whether its code can still be used; `None` if it carries none, or its challenge is gone.
    pub life: Option<ChallengeLife>,
    /// Whether the worker that has it in hand may be writing the final dot.
    pub marked: bool,
    /// The address for the record of events: its pseudonym, if it is to be forgotten or has been.
    pub known_as: EmailKey,
}

/// How many mails are in a state and of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateCount {
    /// The state.
    pub state: String,
    /// The kind.
    pub kind: String,
    /// How many.
    pub mails: u64,
}

/// The queue in numbers.
#[derive(Debug, Clone, Default)]
pub struct QueueCounts {
    /// Mails by state and kind; where there are none, no row.
    pub states: Vec<StateCount>,
    /// The mail that has waited longest, from its request.
    pub oldest: Option<MailRecord>,
    /// Mails that ended in the last minute, by state.
    pub last_minute: Vec<(String, u64)>,
    /// Mails that ended in the last hour, by state.
    pub last_hour: Vec<(String, u64)>,
    /// Addresses to which nothing is sent for now.
    pub suppressed: u64,
    /// Workers with mails in hand, and how many each has.
    pub in_hand: Vec<(String, u64)>,
}

/// An attempt to register an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// When.
    pub created: Timestamp,
    /// When it lapses, or did.
    pub expires: Timestamp,
    /// Whether the address was a user's already.
    pub decoy: bool,
}
