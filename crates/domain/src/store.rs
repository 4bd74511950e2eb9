//! The port to the database: a unit of work is a value that is applied to a transaction.
//!
//! A use case is a small struct that implements [`Write`]. The store may put several of them
//! into one transaction and may apply one twice (`SQLite` runs a group again one by one when a
//! member fails; `PostgreSQL` runs one again after a serialization failure), so a use case draws
//! its random values before, and has no effect but on the transaction.
//!
//! An `Err` undoes everything the use case wrote. A refusal that must be remembered (a wrong
//! code that was counted) is therefore an `Ok` with an outcome that says so.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::accounts::{
    Attempt, Challenge, LoginAccount, NewAttempt, NewChallenge, NewSession, NewUser, User,
};
use crate::email::EmailKey;
use crate::id::{ChallengeId, RegistrationId, UserId};
use crate::mail::NewMail;
use crate::otp::Purpose;
use crate::queue::{MailFilter, MailRecord, MailStory};
use crate::token::SecretHash;
use crate::username::NameKey;

/// Why the store did not do what was asked. In every case nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A uniqueness rule of that name was violated.
    #[error("`{0}` is taken")]
    Conflict(&'static str),
    /// The database could not be reached in time; the same may succeed in a moment.
    #[error("the database is busy")]
    Busy,
    /// The disk, or the database's quota, is full.
    #[error("the database has no room left")]
    Full,
    /// Anything else. The chain says what.
    #[error("the database failed")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A unit of work.
#[async_trait]
pub trait Write: Send + Sync + 'static {
    /// What the caller learns once it is committed.
    type Out: Send + 'static;

    /// Does the work. Awaits nothing but `tx`.
    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError>;
}

/// What can be read, inside a unit of work as well as outside.
#[async_trait]
pub trait View: Send {
    /// The user with that address.
    async fn user_by_email(&mut self, email: &EmailKey) -> Result<Option<User>, StoreError>;
    /// The account that a login means, by address or by name; see [`crate::accounts::login`].
    async fn login_account(
        &mut self,
        email: Option<&EmailKey>,
        name: &NameKey,
        now: Timestamp,
    ) -> Result<LoginAccount, StoreError>;
    /// One mail with all its tries.
    async fn mail(&mut self, id_prefix: &str) -> Result<Vec<MailStory>, StoreError>;
    /// Mails, newest first.
    async fn mails(&mut self, filter: &MailFilter) -> Result<Vec<MailRecord>, StoreError>;
}

/// Users' rows.
#[async_trait]
pub trait Users: Send {
    /// Adds a user. Conflicts: `username`, `email`.
    async fn insert_user(&mut self, user: &NewUser) -> Result<UserId, StoreError>;
    /// Notes that the user was told of a registration with their address, unless that
    /// happened less than `every` ago. Says whether it was noted.
    async fn note_registration_notice(
        &mut self,
        user: UserId,
        now: Timestamp,
        every: Duration,
    ) -> Result<bool, StoreError>;
}

/// Registrations' rows: attempts that wait for their code.
#[async_trait]
pub trait Attempts: Send {
    /// Whether somebody else than the owner of `email` has the name: a user, or a live attempt.
    async fn name_is_taken(
        &mut self,
        name: &NameKey,
        email: &EmailKey,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// When the challenges of the address's live attempts end, the soonest first.
    async fn live_attempts(
        &mut self,
        email: &EmailKey,
        now: Timestamp,
    ) -> Result<Vec<Timestamp>, StoreError>;
    /// Adds an attempt.
    async fn insert_attempt(&mut self, attempt: &NewAttempt) -> Result<(), StoreError>;
    /// The live attempts of an address, newest first. Decoys are among them.
    async fn attempts(
        &mut self,
        email: &EmailKey,
        now: Timestamp,
    ) -> Result<Vec<Attempt>, StoreError>;
    /// Ends every attempt of the address and every challenge of theirs, frees the names and forgets the hashes.
    async fn end_attempts(&mut self, email: &EmailKey, now: Timestamp) -> Result<(), StoreError>;
}

/// Challenges' rows, and the counters of wrong tries.
#[async_trait]
pub trait Challenges: Send {
    /// Adds a challenge.
    async fn insert_challenge(&mut self, challenge: &NewChallenge) -> Result<(), StoreError>;
    /// The live challenges of an attempt, newest first.
    async fn challenges_of(
        &mut self,
        attempt: RegistrationId,
        now: Timestamp,
    ) -> Result<Vec<Challenge>, StoreError>;
    /// How many challenges the attempt has had, dead ones included.
    async fn generations(&mut self, attempt: RegistrationId) -> Result<i64, StoreError>;
    /// The attempt whose registrant was given this handle, and the challenge it came with.
    async fn attempt_of_handle(
        &mut self,
        handle: &SecretHash,
    ) -> Result<Option<(RegistrationId, ChallengeId)>, StoreError>;
    /// Counts a try by the holder of a handle, if fewer than `max` were made. Says whether it was counted.
    async fn count_try(&mut self, challenge: ChallengeId, max: u32) -> Result<bool, StoreError>;
    /// Takes back a try that was counted in the same transaction.
    async fn uncount_try(&mut self, challenge: ChallengeId) -> Result<(), StoreError>;
    /// Counts a try without a handle: one counter per address and purpose. Says whether fewer than `max` were made.
    async fn count_open_try(
        &mut self,
        email: &EmailKey,
        purpose: Purpose,
        max: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Writes as much as counting a try does, and counts nothing: what is asked about an address that
    /// has no code takes as long as about one that has.
    async fn count_nothing(
        &mut self,
        email: &EmailKey,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// How many tries without a handle were made since the last new code.
    async fn open_tries(&mut self, email: &EmailKey, purpose: Purpose) -> Result<u32, StoreError>;
    /// Starts that counter anew: a new code was made.
    async fn reset_open_tries(
        &mut self,
        email: &EmailKey,
        purpose: Purpose,
    ) -> Result<(), StoreError>;
    /// Marks the challenge as used, if it is live. Says whether this call did it.
    async fn use_challenge(
        &mut self,
        challenge: ChallengeId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Leaves the attempt's older challenges to the holder of the handle: a newer code was made.
    async fn supersede_challenges(
        &mut self,
        attempt: RegistrationId,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// Sessions' rows.
#[async_trait]
pub trait Sessions: Send {
    /// Adds a session, if the user is active and its credentials are still those of that version.
    async fn insert_session(&mut self, session: &NewSession) -> Result<bool, StoreError>;
}

/// The queue as a request sees it.
#[async_trait]
pub trait Mails: Send {
    /// Puts a mail into the queue, as part of this transaction.
    async fn enqueue(&mut self, mail: &NewMail) -> Result<(), StoreError>;
}

/// Everything a use case can do.
pub trait Tx: View + Users + Attempts + Challenges + Sessions + Mails {}
impl<T: View + Users + Attempts + Challenges + Sessions + Mails> Tx for T {}

/// What a database crate implements. Callers use [`Store`].
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Runs a unit of work in a transaction, or refuses with [`StoreError::Busy`] if it has not begun by `deadline`.
    /// It is finished even if the caller goes away.
    async fn run(
        &self,
        write: Box<dyn AnyWrite>,
        deadline: Instant,
    ) -> Result<Box<dyn Any + Send>, StoreError>;
    /// A connection for reading.
    async fn view(&self) -> Result<Box<dyn View>, StoreError>;
    /// Whether the database answers, and with the schema this program needs.
    async fn check(&self) -> Result<(), StoreError>;
}

/// A [`Write`] whose answer's type has been forgotten, so that different ones can wait in one line.
#[async_trait]
pub trait AnyWrite: Send + Sync {
    /// Applies it.
    async fn apply(&self, tx: &mut dyn Tx) -> Result<Box<dyn Any + Send>, StoreError>;
}

struct Erased<W>(W);

#[async_trait]
impl<W: Write> AnyWrite for Erased<W> {
    async fn apply(&self, tx: &mut dyn Tx) -> Result<Box<dyn Any + Send>, StoreError> {
        Ok(Box::new(self.0.apply(tx).await?))
    }
}

/// The database, whichever it is. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    patience: Duration,
}

impl Store {
    /// A store on a database. `patience`: how long a write may wait for its turn.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>, patience: Duration) -> Self {
        Self { backend, patience }
    }

    /// Applies a unit of work and waits until it is durable.
    pub async fn write<W: Write>(&self, write: W) -> Result<W::Out, StoreError> {
        self.write_by(Instant::now() + self.patience, write).await
    }

    /// The same for a caller with a deadline of its own: what has not begun by then is refused as
    /// [`StoreError::Busy`] and changes nothing.
    ///
    /// # Panics
    ///
    /// Never: the answer of a write has the type the write declares.
    pub async fn write_by<W: Write>(
        &self,
        deadline: Instant,
        write: W,
    ) -> Result<W::Out, StoreError> {
        let answer = self.backend.run(Box::new(Erased(write)), deadline).await?;
        Ok(*answer
            .downcast()
            .expect("a write answers with its own type"))
    }

    /// A connection for reading; one per request is enough.
    pub async fn view(&self) -> Result<Box<dyn View>, StoreError> {
        self.backend.view().await
    }

    /// Whether the database answers, and with the schema this program needs.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.backend.check().await
    }
}
