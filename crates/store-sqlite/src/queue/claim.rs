//! Locking jobs for a worker, and beginning the attempts of their mails.

use domain::queue::JobId;
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{json, sign_of_life};
use crate::error::store_error;

pub(super) async fn lock_jobs(
    connection: &mut SqliteConnection,
    worker: &str,
    jobs: &[JobId],
    now: Timestamp,
) -> Result<(), StoreError> {
    let ids = json(jobs)?;
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

pub(super) async fn begin_attempts(
    connection: &mut SqliteConnection,
    jobs: &[JobId],
) -> Result<u64, StoreError> {
    let ids = json(jobs)?;
    let begun = sqlx::query!(
        "update mails set claim_no = claim_no + 1, state = 'sending', again_at = null
         where id in (select value from json_each(?)) and finished_at is null",
        ids
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(begun.rows_affected())
}

/// Ends jobs that something else has put into the queue: they have no open mail.
pub(super) async fn set_foreign_aside(
    connection: &mut SqliteConnection,
    jobs: &[JobId],
    now: Timestamp,
) -> Result<u64, StoreError> {
    let ids = json(jobs)?;
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
    Ok(set_aside.rows_affected())
}
