//! The one writing connection, and the task that owns it.
//!
//! Everything that waits (up to [`GROUP`]) goes into one `BEGIN IMMEDIATE` and is committed
//! once, with `synchronous = FULL`; that makes a durable insert four times as cheap as
//! one commit each. If a member of a group fails, the group is rolled back and run again one by
//! one, so no failure harms its neighbours. A unit of work whose deadline has passed is never
//! begun, and one that was begun is finished even if its caller has gone away.

use std::any::Any;
use std::iter;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec::Drain;

use async_trait::async_trait;
use domain::store::{AnyWrite, StoreError};
use futures_util::FutureExt;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::access::Access;
use crate::error::{is_fatal, store_error};
use crate::meters::Meters;

/// The most units of work in one transaction.
pub const GROUP: usize = 64;

/// The most units of work that wait; more are refused as [`StoreError::Busy`].
const WAITING: usize = 4096;

type Answer = Result<Box<dyn Any + Send>, StoreError>;

/// A unit of work on the connection itself.
#[async_trait]
pub(crate) trait Unit: Send + Sync {
    /// Does the work inside a transaction. May be called again after an error.
    async fn run(&self, connection: &mut SqliteConnection) -> Answer;
}

/// What is never run.
struct Nothing;

#[async_trait]
impl Unit for Nothing {
    async fn run(&self, _: &mut SqliteConnection) -> Answer {
        Ok(Box::new(()))
    }
}

/// A use case of the domain as a unit of work.
pub(crate) struct DomainWrite(pub(crate) Box<dyn AnyWrite>);

#[async_trait]
impl Unit for DomainWrite {
    async fn run(&self, connection: &mut SqliteConnection) -> Answer {
        self.0.apply(&mut Access(connection)).await
    }
}

struct Waiting {
    unit: Box<dyn Unit>,
    /// When it was asked for; `None` for what only asks whether the task goes round.
    since: Option<Instant>,
    deadline: Instant,
    answer: oneshot::Sender<Answer>,
}

/// Hands units of work to the task that owns the connection.
#[derive(Clone)]
pub(crate) struct Writer {
    line: mpsc::Sender<Waiting>,
    meters: Meters,
    closed: tokio::sync::watch::Receiver<bool>,
    close: Arc<tokio::sync::Notify>,
}

impl Writer {
    pub(crate) fn start(
        connection: SqliteConnection,
        pause: Duration,
        meters: Meters,
        on_fatal: Arc<dyn Fn(String) + Send + Sync>,
    ) -> Self {
        let (line, waiting) = mpsc::channel(WAITING);
        let (closed_sender, closed) = tokio::sync::watch::channel(false);
        let close = Arc::new(tokio::sync::Notify::new());
        let owner = Owner {
            connection,
            pause,
            meters: meters.clone(),
            on_fatal,
        };
        let closing = Arc::clone(&close);
        tokio::spawn(async move {
            owner.serve(waiting, &closing).await;
            let _ = closed_sender.send(true);
        });
        Self {
            line,
            meters,
            closed,
            close,
        }
    }

    pub(crate) async fn run(&self, unit: Box<dyn Unit>, deadline: Instant) -> Answer {
        let (answer, result) = oneshot::channel();
        let waiting = Waiting {
            unit,
            since: Some(Instant::now()),
            deadline,
            answer,
        };
        match self.line.try_send(waiting) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.meters.line_full();
                return Err(StoreError::Busy);
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(gone()),
        }
        result.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Waits until the task has come to what is asked now, after all that waits already: it lives. Needs no lock.
    pub(crate) async fn answers(&self) -> Result<(), StoreError> {
        let (answer, result) = oneshot::channel();
        let waiting = Waiting {
            unit: Box::new(Nothing),
            since: None,
            // What is late is answered at once, and not begun.
            deadline: Instant::now(),
            answer,
        };
        self.line.send(waiting).await.map_err(|_| gone())?;
        result.await.map(drop).map_err(|_| gone())
    }

    /// Lets what waits be finished and closes the connection.
    pub(crate) async fn close(&self) {
        self.close.notify_one();
        let mut closed = self.closed.clone();
        let _ = closed.wait_for(|closed| *closed).await;
    }
}

fn gone() -> StoreError {
    StoreError::Backend("the writer of the database has ended".into())
}

struct Owner {
    connection: SqliteConnection,
    pause: Duration,
    meters: Meters,
    on_fatal: Arc<dyn Fn(String) + Send + Sync>,
}

/// A transaction failed as such: what that means for the group.
enum Failure {
    /// Nothing was changed; the word for everybody in the group.
    Refused(sqlx::Error),
    /// Somebody in the group failed.
    Member,
}

impl Owner {
    async fn serve(mut self, mut line: mpsc::Receiver<Waiting>, close: &tokio::sync::Notify) {
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let received = tokio::select! {
                biased;
                received = line.recv_many(&mut group, GROUP) => received,
                () = close.notified() => {
                    // What waits is still received; then `recv_many` says 0.
                    line.close();
                    continue;
                }
            };
            if received == 0 {
                break;
            }
            if let Err(fatal) = self.commit(&mut group).await {
                (self.on_fatal)(fatal);
                return;
            }
            if !self.pause.is_zero() {
                tokio::time::sleep(self.pause).await;
            }
        }
        let _ = self.connection.close().await;
    }

    /// Runs a group and answers everybody in it, which empties it. An error is fatal for the process.
    async fn commit(&mut self, group: &mut Vec<Waiting>) -> Result<(), String> {
        let now = Instant::now();
        for late in group.extract_if(.., |waiting| waiting.deadline <= now) {
            self.too_late(late);
        }
        if group.is_empty() {
            return Ok(());
        }
        for since in group.iter().filter_map(|waiting| waiting.since) {
            self.meters.begins(now.duration_since(since));
        }
        match self.attempt(group).await {
            Ok(answers) => {
                self.meters.committed(now.elapsed());
                for (waiting, answer) in group.drain(..).zip(answers) {
                    let _ = waiting.answer.send(Ok(answer));
                }
                Ok(())
            }
            Err(Failure::Refused(error)) => self.refuse(group.drain(..), error),
            Err(Failure::Member) => self.one_by_one(group.drain(..)).await,
        }
    }

    /// All of them in one transaction.
    async fn attempt(&mut self, group: &[Waiting]) -> Result<Vec<Box<dyn Any + Send>>, Failure> {
        self.begin().await.map_err(Failure::Refused)?;
        let mut answers = Vec::with_capacity(group.len());
        for waiting in group {
            let Ok(answer) = run_caught(waiting.unit.as_ref(), &mut self.connection).await else {
                self.roll_back().await;
                return Err(Failure::Member);
            };
            answers.push(answer);
        }
        self.commit_or_roll_back().await.map_err(Failure::Refused)?;
        Ok(answers)
    }

    /// Each in its own transaction, after a group had to be rolled back.
    async fn one_by_one(&mut self, group: Drain<'_, Waiting>) -> Result<(), String> {
        for waiting in group {
            if waiting.deadline <= Instant::now() {
                self.too_late(waiting);
                continue;
            }
            if let Err(error) = self.begin().await {
                self.refuse(iter::once(waiting), error)?;
                continue;
            }
            let answer = match run_caught(waiting.unit.as_ref(), &mut self.connection).await {
                Ok(answer) => match self.commit_or_roll_back().await {
                    Ok(()) => Ok(answer),
                    Err(error) => {
                        self.refuse(iter::once(waiting), error)?;
                        continue;
                    }
                },
                Err(error) => {
                    self.roll_back().await;
                    Err(error)
                }
            };
            let _ = waiting.answer.send(answer);
        }
        Ok(())
    }

    /// Its time was over before its turn came.
    fn too_late(&self, waiting: Waiting) {
        if waiting.since.is_some() {
            self.meters.late();
        }
        let _ = waiting.answer.send(Err(StoreError::Busy));
    }

    /// Tells everybody in a group that nothing was changed. A disk that lost data is fatal.
    fn refuse(
        &self,
        group: impl ExactSizeIterator<Item = Waiting>,
        error: sqlx::Error,
    ) -> Result<(), String> {
        let fatal =
            is_fatal(&error).then(|| format!("the disk did not keep the database: {error}"));
        let shared = Arc::new(store_error(error));
        self.meters.refused(&shared, group.len());
        for waiting in group {
            let answer = match shared.as_ref() {
                StoreError::Busy => StoreError::Busy,
                StoreError::Full => StoreError::Full,
                _ => StoreError::Backend(Box::new(Shared(Arc::clone(&shared)))),
            };
            let _ = waiting.answer.send(Err(answer));
        }
        fatal.map_or(Ok(()), Err)
    }

    /// Statements, not sqlx's `Transaction`: after an error that made `SQLite` roll back by itself (a
    /// full disk), sqlx would still count a transaction as open and never begin another.
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("begin immediate")
            .execute(&mut self.connection)
            .await
            .map(drop)
    }

    async fn commit_or_roll_back(&mut self) -> Result<(), sqlx::Error> {
        let committed = sqlx::raw_sql("commit").execute(&mut self.connection).await;
        if committed.is_err() {
            self.roll_back().await;
        }
        committed.map(drop)
    }

    /// Fails only if there is nothing to roll back any more.
    async fn roll_back(&mut self) {
        let _ = sqlx::raw_sql("rollback")
            .execute(&mut self.connection)
            .await;
    }
}

/// A panic in a unit of work is its own failure, not the end of every write of the process.
async fn run_caught(unit: &dyn Unit, connection: &mut SqliteConnection) -> Answer {
    AssertUnwindSafe(unit.run(connection))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(StoreError::Backend("a unit of work panicked".into())))
}

/// One error for many callers.
#[derive(Debug, thiserror::Error)]
#[error("the transaction failed")]
struct Shared(#[source] Arc<StoreError>);
