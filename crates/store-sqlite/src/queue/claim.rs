//! Claiming: as many due mails as the worker has free hands, the most urgent first.

use std::time::Duration;

use domain::mail::Priority;
use domain::otp::KeyId;
use domain::queue::{Claimed, Keys, Turn};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::claimed::load;
use super::due_jobs::{From, due_jobs};
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
    let from_the_end = if turn.trial {
        From::Unfailed
    } else {
        From::Newest
    };
    let mut ids = Vec::new();
    for priority in Priority::ORDER {
        let free = i64::from(turn.claim) - length(&ids);
        let newest = if turn.trial {
            free
        } else {
            free.min(turn.newest.into())
        };
        let rank = i64::from(priority.rank());
        ids.extend(
            claiming
                .take(connection, rank, From::Oldest, free - newest)
                .await?,
        );
        ids.extend(
            claiming
                .take(connection, rank, from_the_end, newest)
                .await?,
        );
    }
    let mut slow = Vec::new();
    for priority in Priority::ORDER {
        let free = i64::from(turn.slow) - length(&slow);
        let rank = priority.slow_rank();
        slow.extend(
            claiming
                .take(connection, rank, From::LeastClaimed, free)
                .await?,
        );
    }
    ids.extend_from_slice(&slow);
    let mut claimed = claimed(connection, ids, now).await?;
    if !slow.is_empty() {
        for mail in &mut claimed {
            mail.slow = slow.contains(&mail.claim.mail.to_string());
        }
    }
    Ok(claimed)
}

fn length(ids: &[String]) -> i64 {
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
async fn set_strangers_aside(
    connection: &mut SqliteConnection,
    ids: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let seconds = now.as_second();
    let set_aside = sqlx::query!(
        r#"update Jobs set status = 'Killed', lock_by = null, lock_at = null, done_at = ?1,
               last_result = '{"Err":"no mail of this id waits"}'
           where id in (select value from json_each(?2))
             and not exists (select 1 from mails where mails.id = Jobs.id and mails.state = 'sending')"#,
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
