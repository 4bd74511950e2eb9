//! The port to the database: a unit of work is a value that is applied to a transaction.
//!
//! A use case is a small struct that implements [`Write`]. The store may put several of them
//! into one transaction and may apply one twice (`SQLite` runs a group again one by one when a
//! member fails; `PostgreSQL` runs one again after a serialization failure), so a use case draws
//! its random values before, and has no effect but on the transaction.
//!
//! An `Err` undoes everything the use case wrote. A refusal that must be remembered (a wrong
//! code that was counted) is therefore an `Ok` with an outcome that says so.

mod rows;
mod view;

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::accounts::import::Imports;
use crate::notes::port::WriteNotes;
use crate::operator::Interventions;
use crate::payments::Payments;
use crate::plans::Plans;

pub use self::rows::{Attempts, Challenges, Mails, ReadLimits, Records, Sessions, Users};
pub use self::view::View;

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
    /// What is to be written breaks a rule of the database, which would refuse it again. Nobody's fault but ours.
    #[error("the database does not accept what is to be written")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
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

/// Everything a use case can do.
pub trait Tx:
    View
    + Users
    + Attempts
    + Challenges
    + Sessions
    + Mails
    + Records
    + Imports
    + Interventions
    + WriteNotes
    + Plans
    + Payments
{
}
impl<T> Tx for T where
    T: View
        + Users
        + Attempts
        + Challenges
        + Sessions
        + Mails
        + Records
        + Imports
        + Interventions
        + WriteNotes
        + Plans
        + Payments
{
}

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
    /// Returns once the part that writes has come to this call, after everything that waits already: it goes
    /// round. An error says that it has ended. Whether it could write is another question.
    async fn answers(&self) -> Result<(), StoreError>;
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

    /// Returns once the part that writes has come to this call: it goes round, whether it can write or not.
    /// An error says that it has ended.
    pub async fn answers(&self) -> Result<(), StoreError> {
        self.backend.answers().await
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
