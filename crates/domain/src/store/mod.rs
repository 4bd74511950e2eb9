//! The port to the database: a unit of work is a value that is applied to a transaction.
//!
//! A use case is a small struct that implements [`Write`]. The store may put several of them
//! into one transaction and may apply one twice (`SQLite` runs a group again one by one when a
//! member fails; `PostgreSQL` runs one again after a serialization failure), so a use case draws
//! its random values before, and has no effect but on the transaction.
//!
//! An `Err` undoes everything the use case wrote. A refusal that must be remembered (a wrong
//! code that was counted) is therefore an `Ok` with an outcome that says so.

mod reader;
mod rows;
mod ticket;

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::accounts::import::Imports;
use crate::notes::port::WriteNotes;
use crate::operator::OperatorCommands;
use crate::payments::Payments;
use crate::plans::Plans;
use crate::processes::ProcessRegistry;
use crate::queue::Watch;
use crate::queue::port::QueueRows;

pub use self::reader::Reader;
pub use self::rows::{Challenges, Mails, ReadLimits, Records, Registrations, Sessions, Users};
pub use self::ticket::{Caller, Ticket};

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
    /// The database is not where it was opened any more, of which this is the name: what is written to it is lost.
    #[error(
        "the database {0} was moved away or replaced while it was open: put it back, or restart this process"
    )]
    Moved(String),
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
    Reader
    + Users
    + Registrations
    + Challenges
    + Sessions
    + Mails
    + Records
    + Imports
    + OperatorCommands
    + WriteNotes
    + Plans
    + Payments
    + QueueRows
    + ProcessRegistry
{
}
impl<T> Tx for T where
    T: Reader
        + Users
        + Registrations
        + Challenges
        + Sessions
        + Mails
        + Records
        + Imports
        + OperatorCommands
        + WriteNotes
        + Plans
        + Payments
        + QueueRows
        + ProcessRegistry
{
}

/// What a database crate implements. Callers use [`Store`].
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Runs a unit of work in a transaction, or refuses with [`StoreError::Busy`] if it has not begun by the ticket's
    /// deadline. It is finished even if the caller goes away.
    async fn run(
        &self,
        write: Box<dyn DynWrite>,
        ticket: Ticket,
    ) -> Result<Box<dyn Any + Send>, StoreError>;
    /// Returns once the task that writes has reached this call, so it is responsive. An error says that it has ended.
    /// Whether it can write is what [`Backend::writable`] tells.
    async fn ping(&self) -> Result<(), StoreError>;
    /// A connection for reading. A statement that runs when its future or the connection is dropped may be
    /// interrupted, and counts against the caller's share until it has ended.
    async fn reader(&self, ticket: Ticket) -> Result<Box<dyn Reader>, StoreError>;
    /// Whether the database answers, and with the schema this program needs. Waits for no caller.
    async fn check(&self) -> Result<(), StoreError>;
    /// Whether the database can be written. Tries it only after a write has failed, so that an answer costs nothing
    /// while all is well.
    async fn writable(&self) -> Result<(), StoreError>;
    /// Something that wakes when another process has written.
    async fn watch(&self) -> Result<Box<dyn Watch>, StoreError>;
    /// Overwrites what was deleted in the database's files, unless they are busy.
    async fn erase_deleted(&self) -> Result<(), StoreError>;
}

/// A [`Write`] without the type of its answer, so that different ones wait in one queue.
#[async_trait]
pub trait DynWrite: Send + Sync {
    /// The type of the use case, for logs.
    fn name(&self) -> &'static str;
    /// Applies it.
    async fn apply_dyn(&self, tx: &mut dyn Tx) -> Result<Box<dyn Any + Send>, StoreError>;
}

#[async_trait]
impl<W: Write> DynWrite for W {
    fn name(&self) -> &'static str {
        std::any::type_name::<W>()
    }

    async fn apply_dyn(&self, tx: &mut dyn Tx) -> Result<Box<dyn Any + Send>, StoreError> {
        Ok(Box::new(self.apply(tx).await?))
    }
}

/// What a method of a reading port returns.
pub type Reading<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The database, whichever it is. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    timeout: Duration,
}

impl Store {
    /// A store on a database. `timeout`: how long what the process itself asks for may wait
    /// before it begins; a request brings a deadline of its own.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>, timeout: Duration) -> Self {
        Self { backend, timeout }
    }

    /// A store whose backend stands in front of this one's, as tests need it.
    #[must_use]
    pub fn behind(&self, wrap: impl FnOnce(Arc<dyn Backend>) -> Arc<dyn Backend>) -> Self {
        Self::new(wrap(Arc::clone(&self.backend)), self.timeout)
    }

    /// Applies a unit of work and waits until it is durable.
    pub async fn write<W: Write>(&self, write: W) -> Result<W::Out, StoreError> {
        self.write_by(&self.ticket(), write).await
    }

    /// The same for a request: in its caller's turn, and what has not begun by its deadline is refused as
    /// [`StoreError::Busy`] and changes nothing.
    ///
    /// # Panics
    ///
    /// Never: the answer of a write has the type the write declares.
    pub async fn write_by<W: Write>(
        &self,
        ticket: &Ticket,
        write: W,
    ) -> Result<W::Out, StoreError> {
        let answer = self.backend.run(Box::new(write), ticket.clone()).await?;
        Ok(*answer
            .downcast()
            .expect("a write answers with its own type"))
    }

    /// Returns once the task that writes has reached this call, so it is responsive; see [`Backend::ping`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.backend.ping().await
    }

    /// A connection for reading, for the process itself.
    pub async fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.backend.reader(self.ticket()).await
    }

    /// Reads for the process itself, over a connection that is given back at the end.
    pub async fn read<T>(
        &self,
        read: impl for<'a> FnOnce(&'a mut (dyn Reader + 'a)) -> Reading<'a, T> + Send,
    ) -> Result<T, StoreError> {
        let mut reader = self.reader().await?;
        let answer = read(reader.as_mut()).await?;
        reader.done();
        Ok(answer)
    }

    /// A connection for reading, in the turn of a request's caller; one per request is enough.
    pub async fn reader_by(&self, ticket: &Ticket) -> Result<Box<dyn Reader>, StoreError> {
        self.backend.reader(ticket.clone()).await
    }

    /// Whether the database answers, and with the schema this program needs. Waits for no caller.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.backend.check().await
    }

    /// Whether the database can be written, as far as is known: see [`Backend::writable`].
    pub async fn writable(&self) -> Result<(), StoreError> {
        self.backend.writable().await
    }

    /// Something that wakes when another process has written.
    pub async fn watch(&self) -> Result<Box<dyn Watch>, StoreError> {
        self.backend.watch().await
    }

    /// Overwrites what was deleted in the database's files, unless they are busy; see [`Backend::erase_deleted`].
    pub async fn erase_deleted(&self) -> Result<(), StoreError> {
        self.backend.erase_deleted().await
    }

    /// The process's own ticket.
    fn ticket(&self) -> Ticket {
        Ticket::new(Caller::Process, Instant::now() + self.timeout)
    }
}
