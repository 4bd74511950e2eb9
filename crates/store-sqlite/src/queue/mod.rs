//! The mail queue on apalis's tables.
//!
//! apalis brings the tables, their indexes and the statement that adds a job. Claiming,
//! settling and rescuing are statements of our own, since the stock ones lose wake-ups,
//! retry at once and let two workers run one job. Each is set-wise: one statement for a
//! group, over `json_each` or `jsonb_each` (which spares reading each element's text again for each of its fields).

mod claim;
mod claimed;
mod due_jobs;
mod fence;
mod pause;
mod rescue;
mod settle;
mod standings;
mod tend;
mod watch;

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::mail::{Lane, Priority};
use domain::queue::{Beat, Due, JobQueue, Keep, Keys, Rescued, Tended, Turn, TurnReport, Watch};
use domain::relay::{PostedStanding, RelayStanding};
use domain::store::{Caller, StoreError, Ticket};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::Sqlite;
use crate::access::micros;
use crate::checkpoint::empty_wal;
use crate::error::{store_error, unreadable};
use crate::sweep::Sweep;
use crate::writer::Unit;

use fence::Fence;

pub(crate) use claimed::life;
pub(crate) use pause::release_held;

/// The queue's name: apalis's `job_type`.
pub const QUEUE: &str = "mail";

/// The last second of the year 9999. A job put there is kept back on purpose: it waits for no time.
const OUT_OF_REACH: i64 = 253_402_300_799;

/// What the `Workers` table says of where a worker's jobs are kept.
const STORAGE: &str = "smart-notes";

/// How long the queue's own writes wait for their turn.
const PATIENCE: Duration = Duration::from_secs(5);

#[async_trait]
impl JobQueue for Sqlite {
    async fn turn(
        &self,
        worker: &str,
        turn: Arc<Turn>,
        now: Timestamp,
    ) -> Result<TurnReport, StoreError> {
        let worker = worker.to_owned();
        self.queue_write(TakeTurn { worker, turn, now }).await
    }

    async fn due(&self, keys: &Keys, now: Timestamp) -> Result<Due, StoreError> {
        let ranks = ranks(&[Lane::Main, Lane::SlowFirst, Lane::Slow]);
        let ranks = serde_json::to_string(&ranks).map_err(unreadable)?;
        let (keys, at) = (claim::key_list(keys)?, micros(now));
        // When the first mail of each rank is due. The condition on keys is that of the claim.
        let row = sqlx::query!(
            r#"select json_group_array((
                          select run_at from Jobs indexed by idx_jobs_pending
                          where job_type = ?1 and status = 'Pending' and lock_by is null and priority = rank.value
                            and (?3 is null or not exists (
                                    select 1 from mails join challenges on challenges.id = mails.challenge_id
                                    where mails.id = Jobs.id and challenges.used_at is null
                                      and challenges.ended_at is null and challenges.superseded_at is null
                                      and challenges.decoy = 0 and challenges.expires_at > ?4
                                      and challenges.key_id not in (select value from json_each(?3))))
                          order by run_at limit 1)) as "firsts!: String",
                      exists (select 1 from pauses where kind = '' and ended_at is null) as "paused!: bool"
               from json_each(?2) as rank"#,
            QUEUE,
            ranks,
            keys,
            at
        )
        .fetch_one(&self.readers)
        .await
        .map_err(store_error)?;
        let firsts: Vec<Option<i64>> = serde_json::from_str(&row.firsts).map_err(unreadable)?;
        let (main, slow) = firsts.split_at(Priority::ORDER.len());
        // The commit that ends the pause wakes whoever watches.
        let first = |firsts: &[Option<i64>]| {
            let first = firsts.iter().flatten().min();
            first
                .copied()
                .filter(|at| !row.paused && *at < OUT_OF_REACH)
        };
        let time = |at| Timestamp::from_second(at).ok();
        let (next, now) = (first(main), now.as_second());
        Ok(Due {
            now: next.is_some_and(|at| at <= now),
            next: next.filter(|at| *at > now).and_then(time),
            slow: first(slow).and_then(time),
        })
    }

    async fn beat(&self, worker: &str, now: Timestamp) -> Result<(), StoreError> {
        let worker = worker.to_owned();
        self.queue_write(SignOfLife { worker, now }).await
    }

    async fn beats(&self) -> Result<Vec<Beat>, StoreError> {
        let rows = sqlx::query!(
            "select id, last_seen from Workers where worker_type = ?",
            QUEUE
        )
        .fetch_all(&self.readers)
        .await
        .map_err(store_error)?;
        Ok(rows
            .into_iter()
            .map(|row| Beat {
                worker: row.id,
                seen: row.last_seen,
            })
            .collect())
    }

    async fn tend(&self, keys: &Keys, now: Timestamp) -> Result<Tended, StoreError> {
        let mut reader = self.readers.acquire().await.map_err(store_error)?;
        if tend::Found::look(&mut reader, keys, now)
            .await?
            .is_nothing()
        {
            return Ok(Tended::default());
        }
        drop(reader);
        let keys = keys.clone();
        self.queue_write(tend::Tend { keys, now }).await
    }

    async fn post_relays(
        &self,
        worker: &str,
        standings: &[RelayStanding],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (worker, standings) = (worker.to_owned(), standings.to_vec());
        let post = standings::Post {
            worker,
            standings,
            now,
        };
        self.queue_write(post).await
    }

    async fn relays(&self) -> Result<Vec<PostedStanding>, StoreError> {
        standings::posted(&self.readers).await
    }

    async fn rescue(&self, dead: &[String], now: Timestamp) -> Result<Vec<Rescued>, StoreError> {
        let dead = dead.to_vec();
        self.queue_write(rescue::Rescue { dead, now }).await
    }

    async fn sweep(&self, keep: Keep, now: Timestamp) -> Result<u64, StoreError> {
        let removed = self.queue_write(Sweep { keep, now }).await?;
        if removed == 0 {
            empty_wal(&self.options).await?;
        }
        Ok(removed)
    }

    async fn leave(&self, worker: &str) -> Result<(), StoreError> {
        let worker = worker.to_owned();
        self.queue_write(Leave { worker }).await
    }

    async fn watch(&self) -> Result<Box<dyn Watch>, StoreError> {
        Ok(Box::new(watch::WalWatch::start(&self.options).await?))
    }
}

impl Sqlite {
    /// Hands a unit of work to the writer and gives its answer its type back.
    pub(crate) async fn queue_write<U: QueueWrite>(&self, unit: U) -> Result<U::Out, StoreError> {
        let ticket = Ticket::new(Caller::Process, Instant::now() + PATIENCE);
        let answer = self.writer.run(Box::new(Erased(unit)), ticket).await?;
        Ok(*answer
            .downcast()
            .expect("a unit of work answers with its own type"))
    }
}

/// A write of the queue: statements on the writer's connection, inside a transaction.
#[async_trait]
pub(crate) trait QueueWrite: Send + Sync + 'static {
    type Out: Send + 'static;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<Self::Out, StoreError>;
}

/// A [`QueueWrite`] whose answer's type has been forgotten.
struct Erased<U>(U);

#[async_trait]
impl<U: QueueWrite> Unit for Erased<U> {
    async fn run(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Box<dyn Any + Send>, StoreError> {
        Ok(Box::new(self.0.apply(connection).await?))
    }
}

struct TakeTurn {
    worker: String,
    turn: Arc<Turn>,
    now: Timestamp,
}

#[async_trait]
impl QueueWrite for TakeTurn {
    type Out = TurnReport;

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<TurnReport, StoreError> {
        let Self { worker, turn, now } = self;
        let fence = Fence::look(connection, turn, *now).await?;
        let (settling, late): (Vec<_>, Vec<_>) =
            (turn.settlements.iter()).partition(|settlement| fence.lets_settle(settlement));
        settle::settle(connection, worker, &settling).await?;
        settle::wake(connection, &turn.woken, *now).await?;
        let marks = settle::mark(connection, &turn.marks, &fence, *now).await?;
        let mut void = settle::release(connection, worker, &turn.releases).await?;
        void.extend(late.iter().map(|settlement| settlement.claim));
        let lost = fence::losses(connection, void).await?;
        let claimed = claim::claim(connection, worker, turn, *now).await?;
        Ok(TurnReport {
            claimed,
            marks,
            lost,
        })
    }
}

struct SignOfLife {
    worker: String,
    now: Timestamp,
}

#[async_trait]
impl QueueWrite for SignOfLife {
    type Out = ();

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        sign_of_life(connection, &self.worker, self.now).await
    }
}

/// The ranks of all mails in some lanes.
pub(crate) fn ranks(lanes: &[Lane]) -> Vec<i64> {
    let of = |lane: &Lane| Priority::ORDER.map(|priority| priority.rank_in(*lane));
    lanes.iter().flat_map(of).collect()
}

/// A time for another try, in seconds since 1970-01-01 UTC. apalis's `run_at` knows only whole ones:
/// rounded up, never before its time. Our rows get the same, so that no one is told an earlier one.
fn whole_second(time: Timestamp) -> i64 {
    -(-micros(time)).div_euclid(1_000_000)
}

/// Jobs refer to their worker's row, so it is there before the first claim and again if others struck it off.
async fn sign_of_life(
    connection: &mut SqliteConnection,
    worker: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = now.as_second();
    sqlx::query!(
        "insert into Workers (id, worker_type, storage_name, layers, last_seen, started_at)
         values (?1, ?2, ?3, '', ?4, ?4)
         on conflict (id) do update set last_seen = excluded.last_seen",
        worker,
        QUEUE,
        STORAGE,
        now
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

struct Leave {
    worker: String,
}

#[async_trait]
impl QueueWrite for Leave {
    type Out = ();

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        standings::forget(connection, std::slice::from_ref(&self.worker)).await?;
        sqlx::query!(
            "delete from Workers where id = ?1 and not exists (select 1 from Jobs where lock_by = ?1)",
            self.worker
        )
        .execute(connection)
        .await
        .map_err(store_error)?;
        Ok(())
    }
}
