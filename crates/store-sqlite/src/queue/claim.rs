//! Claiming: as many due mails as the worker has free hands, the most urgent first.

use std::time::Duration;

use domain::mail::{Lane, MailKind, Priority};
use domain::otp::KeyId;
use domain::queue::{Claimed, Keys, Turn};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::claimed::load;
use super::due_jobs::{self, From, due_jobs};
use super::pause::{Paused, hold, paused};
use super::{sign_of_life, whole_second};
use crate::error::{store_error, unreadable};

/// Why a mail that this version can't read waits, and for how long.
const UNREADABLE: &str = "this version of the worker can't read it";
const UNREADABLE_PAUSE: Duration = Duration::from_mins(1);

pub(super) async fn claim(
    connection: &mut SqliteConnection,
    worker: &str,
    turn: &Turn,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    if turn.claim == 0 && turn.slow == 0 {
        return Ok(Vec::new());
    }
    let paused = paused(connection).await?;
    if matches!(paused, Paused::All) {
        return Ok(Vec::new());
    }
    let claiming = Claiming {
        worker,
        paused: &paused,
        keys: key_list(&turn.keys)?,
        now,
    };
    let mut ids = Vec::new();
    for priority in Priority::ORDER {
        let free = i64::from(turn.claim) - length(&ids);
        ids.extend(if turn.trial {
            claiming.take_for_trial(connection, priority, free).await?
        } else {
            let newest = free.min(turn.newest.into());
            claiming
                .take_both(connection, priority, free, newest)
                .await?
        });
    }
    let slow = claiming
        .take_slow(connection, turn.slow.into(), turn.slow_first.into())
        .await?;
    ids.extend(slow.iter().map(|(id, _)| id.clone()));
    let mut claimed = claimed(connection, ids, now).await?;
    for mail in claimed.iter_mut().filter(|_| !slow.is_empty()) {
        let id = mail.claim.mail.to_string();
        let lane = slow.iter().find(|(slow, _)| *slow == id);
        mail.lane = lane.map_or(Lane::Main, |(_, lane)| *lane);
    }
    Ok(claimed)
}

fn length<T>(ids: &[T]) -> i64 {
    i64::try_from(ids.len()).unwrap_or(i64::MAX)
}

/// What bears on every class of jobs that one turn claims.
struct Claiming<'a> {
    worker: &'a str,
    paused: &'a Paused,
    keys: Option<String>,
    now: Timestamp,
}

impl Claiming<'_> {
    /// Takes the oldest jobs, and up to `newest` of the newest.
    async fn take_both(
        &self,
        connection: &mut SqliteConnection,
        priority: Priority,
        limit: i64,
        newest: i64,
    ) -> Result<Vec<String>, StoreError> {
        let rank = priority.rank_in(Lane::Main);
        let oldest = limit - newest;
        let mut taken = self.take(connection, rank, From::Oldest, oldest).await?;
        taken.extend(self.take(connection, rank, From::Newest, newest).await?);
        Ok(taken)
    }

    /// Takes jobs that are to show whether a relay works: of the newest mails that have not been tried, else the oldest.
    async fn take_for_trial(
        &self,
        connection: &mut SqliteConnection,
        priority: Priority,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        if limit <= 0 {
            return Ok(Vec::new());
        }
        let (keys, mut untried) = (self.keys.as_deref(), Vec::new());
        for kind in MailKind::ALL {
            if kind.priority() == priority && !self.paused.is_paused(kind) {
                untried.extend(due_jobs::untried(connection, kind, limit, keys, self.now).await?);
            }
        }
        // Ids grow with time.
        untried.sort_unstable_by(|one, other| other.cmp(one));
        untried.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let list = serde_json::to_string(&untried).map_err(unreadable)?;
        lock_jobs(connection, self.worker, &list, self.now).await?;
        let (rank, rest) = (priority.rank_in(Lane::Main), limit - length(&untried));
        untried.extend(self.take(connection, rank, From::Oldest, rest).await?);
        Ok(untried)
    }

    /// Takes jobs of the slow lane: so many, and up to `first` of them without an attempt before the others.
    async fn take_slow(
        &self,
        connection: &mut SqliteConnection,
        limit: i64,
        first: i64,
    ) -> Result<Vec<(String, Lane)>, StoreError> {
        let mut taken = Vec::new();
        for (lane, from, most) in [
            (Lane::SlowFirst, From::NewestRequest, first),
            (Lane::Slow, From::LeastClaimed, limit),
            (Lane::SlowFirst, From::NewestRequest, limit),
        ] {
            for priority in Priority::ORDER {
                let free = most - length(&taken);
                let rank = priority.rank_in(lane);
                let ids = self.take(connection, rank, from, free).await?;
                taken.extend(ids.into_iter().map(|id| (id, lane)));
            }
        }
        Ok(taken)
    }

    /// Takes some jobs of one class, unless more of them belong to paused kinds than one transaction holds.
    async fn take(
        &self,
        connection: &mut SqliteConnection,
        rank: i64,
        from: From,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        if limit <= 0 {
            return Ok(Vec::new());
        }
        if let Paused::Kinds(kinds) = self.paused
            && !hold(connection, kinds, rank, limit, self.now.as_second()).await?
        {
            return Ok(Vec::new());
        }
        let due = due_jobs(
            connection,
            rank,
            from,
            limit,
            self.keys.as_deref(),
            self.now,
        )
        .await?;
        lock_jobs(connection, self.worker, &due, self.now).await?;
        serde_json::from_str(&due).map_err(unreadable)
    }
}

/// The mails of jobs that were locked.
async fn claimed(
    connection: &mut SqliteConnection,
    ids: Vec<String>,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let asked = ids.len() as u64;
    let ids = serde_json::to_string(&ids).map_err(unreadable)?;
    let ours = sqlx::query!(
        "update mails set claim_no = claim_no + 1, state = 'sending', again_at = null
         where id in (select value from json_each(?)) and finished_at is null",
        ids
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    if ours.rows_affected() < asked {
        set_strangers_aside(connection, &ids, now).await?;
    }
    load(connection, &ids, now).await
}

/// The keys as the statements read them; null stands for all.
pub(super) fn key_list(keys: &Keys) -> Result<Option<String>, StoreError> {
    let Keys::Only(keys) = keys else {
        return Ok(None);
    };
    let keys: Vec<&str> = keys.iter().map(KeyId::as_str).collect();
    serde_json::to_string(&keys).map(Some).map_err(unreadable)
}

/// Locks the jobs of a list.
async fn lock_jobs(
    connection: &mut SqliteConnection,
    worker: &str,
    ids: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    if ids == "[]" {
        return Ok(());
    }
    sign_of_life(connection, worker, now).await?;
    let seconds = now.as_second();
    sqlx::query!(
        "update Jobs set status = 'Running', lock_by = ?1, lock_at = ?2, attempts = attempts + 1
         where id in (select value from json_each(?3))",
        worker,
        seconds,
        ids
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// A job whose mail we don't know, or that is over, was put there by somebody else: set aside, never run.
pub(super) async fn set_strangers_aside(
    connection: &mut SqliteConnection,
    ids: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let seconds = now.as_second();
    let set_aside = sqlx::query!(
        r#"update Jobs set status = 'Killed', lock_by = null, lock_at = null, done_at = ?1,
               last_result = '{"Err":"no mail of this id waits"}'
           where id in (select value from json_each(?2))
             and not exists (select 1 from mails where mails.id = Jobs.id and mails.finished_at is null)"#,
        seconds,
        ids
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    if set_aside.rows_affected() > 0 {
        tracing::error!(
            jobs = set_aside.rows_affected(),
            "jobs without a mail were set aside: something else writes into this queue"
        );
    }
    Ok(())
}

/// A mail that this version can't read, written by a newer one perhaps, must not hold up the others.
pub(super) async fn put_off(
    connection: &mut SqliteConnection,
    id: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let run_at = whole_second(now + UNREADABLE_PAUSE);
    let again_at = run_at * 1_000_000;
    sqlx::query!(
        "update mails set state = 'waiting', again_at = ?, reason = ? where id = ?",
        again_at,
        UNREADABLE,
        id
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "update Jobs set status = 'Pending', lock_by = null, lock_at = null, run_at = ?,
             attempts = attempts - 1
         where id = ?",
        run_at,
        id
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
