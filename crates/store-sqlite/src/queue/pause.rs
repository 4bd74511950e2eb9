//! Pauses, as a claim sees them.
//!
//! While the whole queue is paused nothing is claimed. While a kind is, its jobs that come due are held: their
//! `run_at` is put out of reach, so that they cost no later claim anything and wake nobody, and the one they had
//! is kept in the mail's row. Who resumes the kind gives it back; should the command be cut off, a worker's
//! sweep does.

use domain::mail::MailKind;
use domain::store::StoreError;
use sqlx::SqliteConnection;

use super::{OUT_OF_REACH, QUEUE};
use crate::error::{store_error, unreadable};

/// Due jobs that one look takes in at least.
const LOOK: i64 = 256;

/// Looks in one transaction: then the rest waits for the next turn, so that nobody waits long for the lock.
const LOOKS: u32 = 8;

/// Mails that one transaction gives back at most.
const BATCH: i64 = 500;

/// What is paused.
pub(super) enum Paused {
    Nothing,
    All,
    /// Kinds of mail, as a JSON list.
    Kinds(String),
}

impl Paused {
    pub(super) fn is_paused(&self, kind: MailKind) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Kinds(kinds) => kinds.contains(&format!("\"{}\"", kind.as_str())),
        }
    }
}

pub(super) async fn paused(connection: &mut SqliteConnection) -> Result<Paused, StoreError> {
    let kinds = sqlx::query_scalar!("select kind from pauses where ended_at is null")
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    if kinds.is_empty() {
        return Ok(Paused::Nothing);
    }
    if kinds.iter().any(String::is_empty) {
        return Ok(Paused::All);
    }
    serde_json::to_string(&kinds)
        .map(Paused::Kinds)
        .map_err(unreadable)
}

/// Holds due jobs of paused kinds, until the first and the last `limit` of those that are due may all be claimed.
/// False: there are more of them than one transaction holds.
pub(super) async fn hold(
    connection: &mut SqliteConnection,
    kinds: &str,
    rank: i64,
    limit: i64,
    seconds: i64,
) -> Result<bool, StoreError> {
    let look = limit.max(LOOK);
    for _ in 0..LOOKS {
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
            look,
            kinds
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
        if held.is_empty() {
            return Ok(true);
        }
        put_out_of_reach(connection, &held).await?;
    }
    Ok(false)
}

async fn put_out_of_reach(
    connection: &mut SqliteConnection,
    held: &[String],
) -> Result<(), StoreError> {
    let held = serde_json::to_string(held).map_err(unreadable)?;
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

/// Gives back some of what was held by pauses that have ended, and strikes off those that hold nothing any more.
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
    let ids = serde_json::to_string(ids).map_err(unreadable)?;
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
