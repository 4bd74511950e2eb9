//! The ports of Smart Notes on `SQLite`: statements, and what `SQLite` needs around them.
//!
//! One task per process owns the one writing connection and commits waiting units of work in
//! groups ([`writer`]); callers read over a few `query_only` connections (`readers`). Both take turns by caller. What
//! the process reads for itself goes over a pool of its own. Mail jobs live
//! in apalis's own `Jobs` and `Workers` tables ([`queue`]). Since version 1.0 apalis keeps
//! its `SQLite` storage in the crate `apalis-sqlite`, formerly in `apalis-sql`.
//!
//! Statements that run all the time say `limit ?1 + 0`: a bare parameter there is a number that `SQLite` plans by, so
//! that each new binding makes it prepare the statement again (`sqlite3_reprepare`, seen with 3.51), which costs more
//! than running it.

mod challenges;
mod checkpoint;
mod clock_skew;
mod connect;
mod database_file;
pub mod django;
mod error;
mod executor;
mod fair_queue;
mod hint;
mod holders;
mod import;
pub mod inspect;
mod limits;
mod mail_rows;
mod mails;
mod metrics;
pub mod migrate;
mod notes;
mod operator;
mod payments;
mod plans;
mod processes;
pub mod queue;
mod reader;
mod readers;
mod records;
mod registrations;
mod retention;
mod users;
mod write_queue;
pub mod writer;

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::queue::Watch;
use domain::store::{Backend, DynWrite, Reader, StoreError, Ticket};
use sqlx::SqlitePool;

pub use connect::OpenError;

use database_file::DatabaseFile;
use executor::Executor;
use metrics::Metrics;
use readers::Readers;
use writer::{Work, Writer};

/// How a database is opened.
#[derive(Clone)]
pub struct Options {
    /// The database's file.
    pub path: PathBuf,
    /// How long a statement waits for a lock before it gives up.
    pub busy_timeout: Duration,
    /// Connections for reading.
    pub readers: u32,
    /// A pause between two commits, so that another process gets the lock (it is not fair). Zero for the API.
    pub pause: Duration,
    /// Called when the disk failed to keep what it was given: the process must end.
    pub on_fatal: Arc<dyn Fn(String) + Send + Sync>,
}

/// An open database.
#[derive(Clone)]
pub struct Sqlite {
    options: Arc<Options>,
    file: DatabaseFile,
    writer: Writer,
    /// Of callers.
    lent: Readers,
    /// Of the process itself: a check of the database waits for no caller.
    readers: SqlitePool,
    metrics: Metrics,
}

impl Sqlite {
    /// Opens the database that [`migrate::run`] made. Refuses one whose schema is older than this program's.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        connect::must_exist(&options.path)?;
        hint::must_be_writable(&options.path)?;
        let writer = connect::writer(&options).await?;
        let readers = connect::readers(&options).await?;
        migrate::check(&readers).await?;
        let file = DatabaseFile::of(&options.path).map_err(|error| OpenError::Unusable {
            path: options.path.clone(),
            source: error.into(),
        })?;
        let metrics = Metrics::new();
        let on_fatal = Arc::clone(&options.on_fatal);
        Ok(Self {
            writer: Writer::start(
                writer,
                file.clone(),
                options.pause,
                metrics.clone(),
                on_fatal,
            ),
            file,
            lent: Readers::new(
                connect::reading(&options),
                options.readers,
                options.busy_timeout,
            ),
            readers,
            metrics,
            options: Arc::new(options),
        })
    }

    /// Finishes the writes that wait, then closes every connection.
    pub async fn close(&self) {
        self.writer.close().await;
        self.lent.close().await;
        self.readers.close().await;
    }
}

#[async_trait]
impl Backend for Sqlite {
    async fn run(
        &self,
        write: Box<dyn DynWrite>,
        ticket: Ticket,
    ) -> Result<Box<dyn Any + Send>, StoreError> {
        self.writer.run(Work::Write(write), ticket).await
    }

    async fn reader(&self, ticket: Ticket) -> Result<Box<dyn Reader>, StoreError> {
        let asked = Instant::now();
        let connection = self.lent.lend(ticket).await;
        self.metrics.reads(asked.elapsed(), &connection);
        Ok(Box::new(Executor(connection?)))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.writer.ping().await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.file.check()?;
        migrate::check(&self.readers)
            .await
            .map_err(|error| StoreError::Backend(Box::new(error)))
    }

    async fn writable(&self) -> Result<(), StoreError> {
        self.writer.writable(&self.file).await
    }
    async fn watch(&self) -> Result<Box<dyn Watch>, StoreError> {
        Ok(Box::new(queue::WalWatch::start(&self.options).await?))
    }

    async fn erase_deleted(&self) -> Result<(), StoreError> {
        checkpoint::empty_wal(&self.options).await.map(drop)
    }
}
