//! The port to the mail queue, as a worker sees it.
//!
//! The queue's jobs live in apalis's tables, what a person wants to know of a mail in our
//! own; an implementation keeps both in step inside one transaction. A claim is fenced by a
//! number that only grows: whoever holds an older one can neither mark nor settle.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::email::EmailKey;
use crate::id::{ChallengeId, MailId, UserId};
use crate::mail::{Lane, MailKind, MailState};
use crate::operator::Suppression;
use crate::otp::{CodeForm, CodeSeed, KeyId};
use crate::relay::{PostedStanding, RelayStanding};
use crate::store::StoreError;

/// A mail that a worker has in hand.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Which claim this is.
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
    /// Tries that counted.
    pub tries: u32,
    /// Tries that ended without a readable answer after the final dot.
    pub cut_offs: u32,
    /// Where it waited.
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

/// What a worker needs to know of a mail's challenge.
#[derive(Debug, Clone)]
pub struct MailChallenge {
    /// Which one.
    pub id: ChallengeId,
    /// What its code is derived from.
    pub seed: CodeSeed,
    /// The name that the code will confirm.
    pub username: String,
    /// Wrong tries without a challenge since the code was made, which all codes of the address and purpose share.
    pub open_tries: u32,
    /// The fewest tries that a client has made which holds this challenge, or another live one of the same user and purpose
    /// and may use newer digits; `None` if none does.
    pub held_tries: Option<u32>,
    /// Whether it can still be used.
    pub life: ChallengeLife,
}

impl MailChallenge {
    /// Whether its six digits count only for clients that hold the challenge: the worker can't know whether the one that
    /// waits for the mail does, so that such a mail carries the long code as well.
    #[must_use]
    pub fn needs_long_code(&self, max_tries: u32) -> bool {
        self.seed.form == CodeForm::Long || self.open_tries >= max_tries
    }

    /// Whether the tries of its digits are spent for every client.
    #[must_use]
    pub fn is_spent(&self, max_tries: u32) -> bool {
        let by_holders = self.held_tries.is_none_or(|tries| tries >= max_tries);
        self.seed.form == CodeForm::Short && self.open_tries >= max_tries && by_holders
    }
}

/// Whether a challenge can still be used by whoever reads the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeLife {
    /// It can.
    Live,
    /// It never could: no code is due, and only the rows were to look alike.
    Decoy,
    /// Its code was used.
    Used,
    /// A newer code was made for the same attempt.
    Replaced,
    /// It was ended before it was used: its user's password, address or state was changed.
    Ended,
    /// Its time is over.
    Expired,
}

/// How one claim ended. Settled only if the claim is still the newest.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Whose claim.
    pub claim: Claim,
    /// The state the mail gets. One that is not final is tried again at `again_at`.
    pub state: MailState,
    /// Why, in a sentence for people.
    pub reason: String,
    /// When it may be claimed again.
    pub again_at: Option<Timestamp>,
    /// Whether this was a try that counts.
    pub counted: bool,
    /// Whether the try ended without a readable answer after the final dot.
    pub cut_off: bool,
    /// Where the mail waits for its next attempt.
    pub lane: Lane,
    /// What relays and we said to each other: one record for each relay that was reached for, in that order.
    pub records: Vec<TryRecord>,
    /// Until when nothing is sent to the address, because a relay has refused it for good. Kept with what the
    /// last record says, unless the address is to be forgotten.
    pub suppress_until: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
}

/// The record of one reach for a relay. A try that went on to the next relay has several.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TryRecord {
    /// When the relay was reached for.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The relay, as host and port.
    pub relay: String,
    /// Whether an open connection was used again.
    pub reused: bool,
    /// The stage of the SMTP dialogue that was reached.
    pub stage: String,
    /// The reply code, if there was a readable reply.
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463).
    pub enhanced: Option<String>,
    /// The reply's text, or what went wrong: at most 500 characters, addresses masked.
    pub text: String,
    /// The outcome in a word.
    pub outcome: String,
    /// When the mail was to be tried again, if at all. Written by the store, from the settlement.
    pub again_at: Option<Timestamp>,
}

/// The answer to "may the final dot be written?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// Yes, and it is on record that it is about to be.
    Go,
    /// No: the claim is void.
    Lost(Loss),
    /// No: the challenge has died.
    Dead(ChallengeLife),
}

/// Why a claim is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The mail was cancelled while it was in hand: by an operator, or with its account. Nobody sends it.
    Cancelled,
    /// The worker had been given up, and the mail is somebody else's by now, or was.
    Taken,
}

/// Whose codes a worker can make. It claims mails of these, and mails without a code.
#[derive(Debug, Clone, Default)]
pub enum Keys {
    /// Everybody's: for tools that mail nothing.
    #[default]
    Any,
    /// Those of challenges that name one of these keys.
    Only(Arc<[KeyId]>),
}

/// What a worker asks of the queue in one transaction.
#[derive(Debug, Default)]
pub struct Turn {
    /// Claims that ended.
    pub settlements: Vec<Settlement>,
    /// Claims whose final dot is about to be written.
    pub marks: Vec<Claim>,
    /// Claims that were not begun and go back without a try.
    pub releases: Vec<Claim>,
    /// Mails that waited for their destination, which has answered, or for a place there: they are due now, those
    /// without an attempt with all others.
    pub woken: Vec<MailId>,
    /// How many mails may be claimed, slow ones aside. The oldest come first.
    pub claim: u32,
    /// How many of these are the newest due ones instead, so that a backlog of mails that all hang delays no new mail.
    pub newest: u32,
    /// How many mails of the slow lane may be claimed beside them.
    pub slow: u32,
    /// How many of these are mails without an attempt rather than others, if both are due. The newest of them come
    /// first, of the others those that were claimed least.
    pub slow_first: u32,
    /// Whether the claimed mails are to show that a relay works again: the newest that have not failed come first.
    pub trial: bool,
    /// Which mails may be claimed.
    pub keys: Keys,
}

/// What came of a [`Turn`].
#[derive(Debug, Default)]
pub struct TurnReport {
    /// Mails claimed.
    pub claimed: Vec<Claimed>,
    /// The answer to each mark.
    pub marks: HashMap<Claim, Marked>,
    /// Settlements and releases of claims that are void. They have changed nothing.
    pub lost: Vec<(Claim, Loss)>,
}

/// What waits in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// A mail that is not slow may be claimed now.
    pub now: bool,
    /// When the next one that waits for its time may be claimed.
    pub next: Option<Timestamp>,
    /// When the first slow mail may be claimed, or could have been.
    pub slow: Option<Timestamp>,
}

/// A worker's sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The worker's name, unique per start.
    pub worker: String,
    /// When it was last seen, in seconds of its own clock.
    pub seen: i64,
}

/// What [`JobQueue::tend`] found and put right.
#[derive(Debug, Default)]
pub struct Tended {
    /// Mails that nobody had in hand when their time was over. They have ended as expired.
    pub expired: Vec<Expired>,
    /// Mails that were found to wait for a worker that has this key. They say so now.
    pub lacking: Vec<(MailId, KeyId)>,
    /// Mails that waited for a time that the clock, set back, would have reached too late. They are due now.
    pub hastened: Vec<MailId>,
}

/// A mail whose time was over before anybody had it in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Which.
    pub mail: MailId,
    /// What it says, as it is stored: a newer version may have put it there.
    pub kind: String,
}

/// A mail taken back from a dead worker.
#[derive(Debug, Clone)]
pub struct Rescued {
    /// Which.
    pub mail: MailId,
    /// What it says, as it is stored.
    pub kind: String,
    /// Its state now.
    pub state: MailState,
}

/// The queue.
#[async_trait]
pub trait JobQueue: Send + Sync + 'static {
    /// Settles, marks, releases and claims, all in one transaction.
    async fn turn(
        &self,
        worker: &str,
        turn: Arc<Turn>,
        now: Timestamp,
    ) -> Result<TurnReport, StoreError>;
    /// Whether something is due that a worker with these keys may claim. Only reads.
    async fn due(&self, keys: &Keys, now: Timestamp) -> Result<Due, StoreError>;
    /// Looks after mails that nobody claims: ends those whose time is over, explains those whose key a worker
    /// with `keys` lacks, and makes those due that a clock set back has left in the future. Some at a time.
    async fn tend(&self, keys: &Keys, now: Timestamp) -> Result<Tended, StoreError>;
    /// Says how the worker stands with its relays, the preferred one first.
    async fn post_relays(
        &self,
        worker: &str,
        standings: &[RelayStanding],
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// How workers that have neither left nor been found dead stand with their relays, by worker and position.
    async fn relays(&self) -> Result<Vec<PostedStanding>, StoreError>;
    /// Says that the worker lives.
    async fn beat(&self, worker: &str, now: Timestamp) -> Result<(), StoreError>;
    /// The workers that have said so and have not left.
    async fn beats(&self) -> Result<Vec<Beat>, StoreError>;
    /// Takes back what dead workers had in hand, and strikes them off.
    async fn rescue(&self, dead: &[String], now: Timestamp) -> Result<Vec<Rescued>, StoreError>;
    /// Says that the worker has ended. It has nothing in hand any more.
    async fn leave(&self, worker: &str) -> Result<(), StoreError>;
    /// Removes some of what is over; called again until it removes nothing. Answers with how many rows. With the last
    /// call, what was removed and what users deleted leaves the database's files as well, unless they are busy.
    async fn sweep(&self, keep: Keep, now: Timestamp) -> Result<u64, StoreError>;
    /// Something that wakes when the queue may have changed.
    async fn watch(&self) -> Result<Box<dyn Watch>, StoreError>;
}

/// Wakes a worker when another process has written.
#[async_trait]
pub trait Watch: Send {
    /// Returns when something may have changed since the last call. Safe to cancel.
    async fn changed(&mut self) -> Result<(), StoreError>;
}

/// For how long things that are over are kept.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Attempts, challenges and sessions that have ended, and counters.
    pub ended: Duration,
    /// Mails that are final, with their jobs and tries.
    pub mails: Duration,
    /// The record of security events.
    pub audit: Duration,
    /// A session that is not used for so long has ended.
    pub session_idle: Duration,
    /// Notes in the trash.
    pub trash: Duration,
    /// That a note was deleted, for devices that still have it.
    pub tombstones: Duration,
}

/// Which mails to list.
#[derive(Debug, Clone, Default)]
pub struct MailFilter {
    /// Only mails in this state.
    pub state: Option<MailState>,
    /// Only mails of this kind.
    pub kind: Option<MailKind>,
    /// Only mails to this address.
    pub to: Option<EmailKey>,
    /// Only mails about this user, or to the user's address.
    pub user: Option<(UserId, EmailKey)>,
    /// Only mails that this request caused.
    pub request: Option<String>,
    /// Only mails asked for at that time or later.
    pub since: Option<Timestamp>,
    /// Only mails that come after this one in the list: older ones. None, if there is no such mail.
    pub before: Option<MailId>,
    /// At most so many.
    pub limit: u32,
}

/// A mail as a person sees it.
#[derive(Debug, Clone)]
pub struct MailRecord {
    /// Its id, and its job's.
    pub id: MailId,
    /// What it says.
    pub kind: String,
    /// Its state.
    pub state: String,
    /// Why it is in that state.
    pub reason: Option<String>,
    /// The mailbox it goes to; empty once it is forgotten.
    pub to: String,
    /// The address in the form that compares, or its pseudonym once it is forgotten.
    pub to_key: EmailKey,
    /// The request that caused it.
    pub request_id: String,
    /// When it was asked for.
    pub created: Timestamp,
    /// After this time it is of no use; `None` for notices.
    pub deadline: Option<Timestamp>,
    /// When it will be tried again.
    pub again_at: Option<Timestamp>,
    /// When nothing more was to be done.
    pub finished: Option<Timestamp>,
    /// Tries that counted.
    pub tries: u32,
    /// Tries that ended without a readable answer after the final dot.
    pub cut_offs: u32,
}

/// A mail with its tries, the oldest first.
#[derive(Debug, Clone)]
pub struct MailStory {
    /// The mail.
    pub mail: MailRecord,
    /// What was tried, and what came of it.
    pub tries: Vec<TryRecord>,
}
