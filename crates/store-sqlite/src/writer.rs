//! The one writing connection, and the task that owns it.
//!
//! Queued units of work go into one `BEGIN IMMEDIATE`, in the turns of their callers, until the queue is empty or the group is full
//! ([`GROUP`], [`GROUP_TIME`]), and is committed once, with `synchronous = FULL`; that makes a durable insert four
//! times as cheap as one commit each. If a member of a group fails, the group is rolled back and run again one by
//! one, so no failure harms its neighbours. A unit of work whose deadline has passed is never
//! begun, and one that was begun is finished even if its caller has gone away.

use std::any::Any;
use std::io;
use std::iter;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec::Drain;

use domain::store::{Caller, DynWrite, StoreError, Ticket};
use futures_util::FutureExt;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{oneshot, watch};

use crate::database_file::DatabaseFile;
use crate::error::{is_fatal, store_error};
use crate::executor::Executor;
use crate::metrics::Metrics;
use crate::write_queue::{Doubt, OpenQueue, WriteQueue};

/// The most units of work in one transaction.
pub const GROUP: usize = 64;

/// A transaction that runs so long already takes in no more units of work. Sixty-four small ones take a quarter of
/// it, and a caller whose own are long does not keep the next one waiting for all of them.
pub const GROUP_TIME: Duration = Duration::from_millis(20);

/// How long a trial of whether the database can be written waits for its turn.
const PROBE_WITHIN: Duration = Duration::from_secs(1);

type WorkResult = Result<Box<dyn Any + Send>, StoreError>;

/// A piece of work for the task.
pub(crate) enum Work {
    /// A use case, inside a transaction.
    Write(Box<dyn DynWrite>),
    /// Writes something that changes nothing: the database's own version number, which is not used, as it is. A number
    /// that is written takes a page, as every change does.
    Probe,
    /// Nothing: it is answered, not run.
    Ping,
}

impl Work {
    fn name(&self) -> &'static str {
        match self {
            Self::Write(write) => write.name(),
            Self::Probe => "the probe",
            Self::Ping => "the ping",
        }
    }

    /// Does the work inside a transaction. May be called again after an error.
    async fn run(&self, connection: &mut SqliteConnection) -> WorkResult {
        match self {
            Self::Write(write) => write.apply_dyn(&mut Executor(connection)).await,
            Self::Probe => {
                let written = sqlx::raw_sql("pragma user_version = 0").execute(connection);
                written.await.map_err(store_error)?;
                Ok(Box::new(()))
            }
            Self::Ping => Ok(Box::new(())),
        }
    }
}

pub(crate) struct QueuedWork {
    work: Work,
    /// When it was queued; `None` for a ping, which no metric counts.
    since: Option<Instant>,
    /// Kept until it has ended, as is the ticket's slot.
    ticket: Ticket,
    answer: oneshot::Sender<WorkResult>,
}

/// Hands units of work to the task that owns the connection.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: Arc<OpenQueue>,
    metrics: Metrics,
    closed: watch::Receiver<bool>,
}

impl Writer {
    pub(crate) fn start(
        connection: SqliteConnection,
        file: DatabaseFile,
        pause: Duration,
        metrics: Metrics,
        on_fatal: Arc<dyn Fn(String) + Send + Sync>,
    ) -> Self {
        let queue = OpenQueue::new();
        let (closed_sender, closed) = watch::channel(false);
        let task = WriterTask {
            connection,
            file,
            pause,
            metrics: metrics.clone(),
            on_fatal,
            queue: queue.queue(),
        };
        tokio::spawn(async move {
            task.serve().await;
            let _ = closed_sender.send(true);
        });
        Self {
            queue: Arc::new(queue),
            metrics,
            closed,
        }
    }

    pub(crate) async fn run(&self, work: Work, ticket: Ticket) -> WorkResult {
        self.ask(work, Some(Instant::now()), ticket).await
    }

    /// Returns once the task has reached this call, so it is responsive. Needs no lock.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        // Work past its deadline is answered at once and not begun.
        let late = Ticket::new(Caller::Process, Instant::now());
        match self.ask(Work::Ping, None, late).await {
            Ok(_) | Err(StoreError::Busy) => Ok(()),
            Err(gone) => Err(gone),
        }
    }

    /// Whether the database can be written; tried only after a write has failed because of the disk. A disk that was full
    /// has to have some room: on one that nearly is, short writes still succeed.
    pub(crate) async fn writable(&self, file: &DatabaseFile) -> Result<(), StoreError> {
        let queue = self.queue.queue();
        let Some(doubt) = queue.doubt() else {
            return Ok(());
        };
        let ticket = Ticket::new(Caller::Process, Instant::now() + PROBE_WITHIN);
        match self.run(Work::Probe, ticket).await {
            Ok(_) if doubt == Doubt::Full && !file.has_room() => Err(StoreError::Full),
            Ok(_) => {
                queue.trust();
                Ok(())
            }
            // A probe that waits behind other work proves nothing.
            Err(StoreError::Busy) if doubt == Doubt::Failed => Ok(()),
            Err(StoreError::Busy) => Err(StoreError::Full),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, work: Work, since: Option<Instant>, ticket: Ticket) -> WorkResult {
        let (answer, result) = oneshot::channel();
        let waiting = QueuedWork {
            work,
            since,
            ticket,
            answer,
        };
        let queue = self.queue.queue();
        match queue.push(waiting.ticket.caller.clone(), waiting) {
            Ok(()) => result.await.unwrap_or_else(|_| Err(gone())),
            Err(refused) => {
                if matches!(refused, StoreError::Busy) {
                    self.metrics.queue_full();
                }
                Err(refused)
            }
        }
    }

    /// Finishes what is queued and closes the connection.
    pub(crate) async fn close(&self) {
        self.queue.queue().close();
        let mut closed = self.closed.clone();
        let _ = closed.wait_for(|closed| *closed).await;
    }
}

pub(crate) fn gone() -> StoreError {
    StoreError::Backend("the writer of the database has ended".into())
}

struct WriterTask {
    connection: SqliteConnection,
    file: DatabaseFile,
    pause: Duration,
    metrics: Metrics,
    on_fatal: Arc<dyn Fn(String) + Send + Sync>,
    queue: Arc<WriteQueue>,
}

/// The members of a transaction, with what each has come to.
#[derive(Default)]
struct Group {
    members: Vec<QueuedWork>,
    answers: Vec<Box<dyn Any + Send>>,
}

impl WriterTask {
    async fn serve(mut self) {
        let mut group = Group::default();
        while self.queue.has_some().await {
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

    /// The next piece of work whose deadline has not passed.
    fn next(&self) -> Option<QueuedWork> {
        loop {
            let next = self.queue.pop()?;
            let now = Instant::now();
            if next.ticket.deadline > now {
                if let Some(since) = next.since {
                    self.metrics.begins(now.duration_since(since));
                }
                return Some(next);
            }
            self.too_late(next);
        }
    }

    /// Runs a group and answers each member, which empties it. An error is fatal for the process.
    async fn commit(&mut self, group: &mut Group) -> Result<(), String> {
        let Some(first) = self.next() else {
            return Ok(());
        };
        let begun = Instant::now();
        if let Err(error) = self.begin().await {
            // Others would wait as long for the same.
            let others = iter::from_fn(|| self.next()).take(GROUP - 1);
            group.members.extend(iter::once(first).chain(others));
            return self.refuse(group.members.drain(..), error);
        }
        if self.run_all(first, group).await.is_err() {
            self.roll_back().await;
            group.answers.clear();
            return self.one_by_one(group.members.drain(..)).await;
        }
        if let Err(error) = self.commit_or_roll_back().await {
            group.answers.clear();
            return self.refuse(group.members.drain(..), error);
        }
        self.metrics.committed(begun.elapsed());
        for (waiting, answer) in group.members.drain(..).zip(group.answers.drain(..)) {
            let _ = waiting.answer.send(Ok(answer));
        }
        Ok(())
    }

    /// Runs one after the other inside a transaction, until one fails or the group ends.
    async fn run_all(&mut self, first: QueuedWork, group: &mut Group) -> Result<(), StoreError> {
        let mut next = Some(first);
        let begun = Instant::now();
        while let Some(waiting) = next {
            let answer = run_caught(&waiting.work, &mut self.connection).await;
            group.members.push(waiting);
            group.answers.push(answer?);
            let is_over = group.members.len() >= GROUP || begun.elapsed() >= GROUP_TIME;
            next = if is_over { None } else { self.next() };
        }
        Ok(())
    }

    /// Each in its own transaction, after a group had to be rolled back.
    async fn one_by_one(&mut self, group: Drain<'_, QueuedWork>) -> Result<(), String> {
        for waiting in group {
            if waiting.ticket.deadline <= Instant::now() {
                self.too_late(waiting);
                continue;
            }
            if let Err(error) = self.begin().await {
                self.refuse(iter::once(waiting), error)?;
                continue;
            }
            let answer = match run_caught(&waiting.work, &mut self.connection).await {
                Ok(answer) => match self.commit_or_roll_back().await {
                    Ok(()) => Ok(answer),
                    Err(error) => {
                        self.refuse(iter::once(waiting), error)?;
                        continue;
                    }
                },
                Err(error) => {
                    self.roll_back().await;
                    self.queue.learn(&error);
                    Err(error)
                }
            };
            let _ = waiting.answer.send(answer);
        }
        Ok(())
    }

    /// Refuses work whose deadline passed before its turn.
    fn too_late(&self, waiting: QueuedWork) {
        if waiting.since.is_some() {
            self.metrics.late();
        }
        let _ = waiting.answer.send(Err(StoreError::Busy));
    }

    /// Tells each member of a group that nothing was changed. A disk that lost data is fatal.
    fn refuse(
        &self,
        group: impl ExactSizeIterator<Item = QueuedWork>,
        error: sqlx::Error,
    ) -> Result<(), String> {
        let fatal =
            is_fatal(&error).then(|| format!("the disk did not keep the database: {error}"));
        let shared = Arc::new(store_error(error));
        self.queue.learn(&shared);
        self.metrics.refused(&shared, group.len());
        for waiting in group {
            let answer = match shared.as_ref() {
                StoreError::Busy => StoreError::Busy,
                StoreError::Full => StoreError::Full,
                StoreError::Moved(name) => StoreError::Moved(name.clone()),
                _ => StoreError::Backend(Box::new(Shared(Arc::clone(&shared)))),
            };
            let _ = waiting.answer.send(Err(answer));
        }
        fatal.map_or(Ok(()), Err)
    }

    /// Statements, not sqlx's `Transaction`: after an error that made `SQLite` roll back by itself (a
    /// full disk), sqlx would still count a transaction as open and never begin another.
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.file.check().map_err(io::Error::other)?;
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
async fn run_caught(work: &Work, connection: &mut SqliteConnection) -> WorkResult {
    AssertUnwindSafe(work.run(connection))
        .catch_unwind()
        .await
        .unwrap_or_else(|_| {
            Err(StoreError::Backend(
                format!("{} panicked", work.name()).into(),
            ))
        })
}

/// One error for many callers.
#[derive(Debug, thiserror::Error)]
#[error("the transaction failed")]
struct Shared(#[source] Arc<StoreError>);
