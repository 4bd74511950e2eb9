//! Holding the jobs of paused kinds.
//!
//! While a kind is paused, its jobs that come due are held: their `run_at` is put out of reach, so that they cost no later
//! claim anything and wake no worker, and the one they had is kept in the mail's row. The command that resumes the kind
//! gives it back; should the command be cut off, a worker's purge does.

use domain::store::StoreError;
use sqlx::SqliteConnection;

use super::{OUT_OF_REACH, QUEUE, json};
use crate::error::store_error;

/// Mails that one transaction gives back at most.
const BATCH: i64 = 500;

/// The kinds of mail that are paused.
pub(super) async fn paused_kinds(
    connection: &mut SqliteConnection,
) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar!("select kind from pauses where ended_at is null")
        .fetch_all(connection)
        .await
        .map_err(store_error)
}

/// Holds due jobs of paused kinds, of the first and last `most` that are due. Returns how many.
pub(super) async fn hold_jobs(
    connection: &mut SqliteConnection,
    kinds: &[String],
    rank: i64,
    most: u32,
    seconds: i64,
) -> Result<u64, StoreError> {
    let kinds = json(kinds)?;
    let held = sqlx::query_scalar!(
        "select due.id from
             (select id from (
                  select id from Jobs indexed by idx_jobs_pending
                  where job_type = ?1 and status = 'Pending' and lock_by is null and priority = ?2 and run_at <= ?3
                  order by run_at, id limit ?4 + 0) as due
              union select id from (
                  select id from Jobs indexed by idx_jobs_pending
                  where job_type = ?1 and status = 'Pending' and lock_by is null and priority = ?2 and run_at <= ?3
                  order by run_at desc, id desc limit ?4 + 0) as due) as due
         cross join mails on mails.id = due.id
         where mails.kind in (select value from json_each(?5))",
        QUEUE,
        rank,
        seconds,
        most,
        kinds
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    if !held.is_empty() {
        put_out_of_reach(connection, &held).await?;
    }
    Ok(held.len() as u64)
}

async fn put_out_of_reach(
    connection: &mut SqliteConnection,
    held: &[String],
) -> Result<(), StoreError> {
    let held = json(held)?;
    sqlx::query!(
        "update mails set again_at = null, held_run_at = (select run_at from Jobs where Jobs.id = mails.id)
         where id in (select value from json_each(?))",
        held
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "update Jobs set run_at = ? where id in (select value from json_each(?))",
        OUT_OF_REACH,
        held
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// Gives back some of what was held by pauses that have ended, and removes those that hold nothing any more.
pub(crate) async fn release_held(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let kinds = sqlx::query_scalar!("select kind from pauses where ended_at is not null")
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
    let mut released = 0;
    for kind in kinds {
        let ids = sqlx::query_scalar!(
            "select id from mails indexed by mails_held
             where held_run_at is not null and kind = ? limit ?",
            kind,
            BATCH
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
        give_back(connection, &ids).await?;
        released += u64::try_from(ids.len()).unwrap_or(u64::MAX);
        if i64::try_from(ids.len()).is_ok_and(|ids| ids >= BATCH) {
            break;
        }
        sqlx::query!(
            "delete from pauses where kind = ? and ended_at is not null",
            kind
        )
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    }
    Ok(released)
}

async fn give_back(connection: &mut SqliteConnection, ids: &[String]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids = json(ids)?;
    sqlx::query!(
        "update Jobs set run_at = (select held_run_at from mails where mails.id = Jobs.id)
         where id in (select value from json_each(?)) and +status = 'Pending'",
        ids
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "update mails set held_run_at = null where id in (select value from json_each(?))",
        ids
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
