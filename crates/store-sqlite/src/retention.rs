//! Removing what is kept no longer, a few rows of each kind at a time, which keeps the lock short.

use domain::queue::retention::Cutoffs;
use domain::store::StoreError;
use sqlx::SqliteConnection;

use crate::error::store_error;
use crate::executor::micros;
use crate::notes;

/// Rows of one kind that one transaction removes at most.
pub(crate) const BATCH: i64 = 200;

pub(crate) async fn purge(
    connection: &mut SqliteConnection,
    cutoffs: &Cutoffs,
) -> Result<u64, StoreError> {
    let now = micros(cutoffs.now);
    let used = micros(cutoffs.session_used);
    let mut removed = accounts(connection, micros(cutoffs.ended), now, used).await?;
    removed += decoys(connection, now).await?;
    removed += mails(connection, micros(cutoffs.mails)).await?;
    removed += suppressions(connection, now).await?;
    removed += notes::purge::trash(connection, micros(cutoffs.trash), now).await?;
    removed += notes::purge::tombstones(connection, micros(cutoffs.tombstones)).await?;
    removed += notes::purge::of_deleted_users(connection).await?;
    removed += records(connection, cutoffs).await?;
    removed += payments(connection, micros(cutoffs.payment_bodies)).await?;
    Ok(removed)
}

/// Attempts with their challenges, other challenges, and sessions.
async fn accounts(
    connection: &mut SqliteConnection,
    ended: i64,
    now: i64,
    idle_since: i64,
) -> Result<u64, StoreError> {
    let attempts = sqlx::query!(
        "delete from registrations where id in
             (select id from registrations where expires_at < ? order by expires_at limit ?)",
        ended,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let challenges = sqlx::query!(
        "delete from challenges where id in
             (select id from challenges indexed by challenges_by_expiry
              where registration_id is null and expires_at < ? limit ?)",
        ended,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let sessions = sqlx::query!(
        "delete from sessions where id in
             (select id from sessions where expires_at <= ? or last_used_at <= ? limit ?)",
        now,
        idle_since,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    Ok(attempts.rows_affected() + challenges.rows_affected() + sessions.rows_affected())
}

/// Codes that were asked for at addresses without an account, with their mails and jobs: of people who have nothing to do
/// with this service, nothing is kept once such a code would have expired.
async fn decoys(connection: &mut SqliteConnection, now: i64) -> Result<u64, StoreError> {
    let mails = sqlx::query_scalar!(
        r#"select json_group_array(id) as "ids!: String" from (
               select mails.id from challenges indexed by challenges_of_no_account_by_expiry
               cross join mails on mails.challenge_id = challenges.id
               where challenges.no_account is not null and challenges.expires_at <= ?
                 and mails.finished_at is not null
               limit ?) as due"#,
        now,
        BATCH
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "delete from Jobs where id in (select value from json_each(?))",
        mails
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let mails = sqlx::query!(
        "delete from mails where id in (select value from json_each(?))",
        mails
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let challenges = sqlx::query!(
        "delete from challenges where id in
             (select id from challenges indexed by challenges_of_no_account_by_expiry
              where no_account is not null and expires_at <= ?
                and not exists (select 1 from mails where mails.challenge_id = challenges.id)
              limit ?)",
        now,
        BATCH
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(mails.rows_affected() + challenges.rows_affected())
}

/// Mails with their tries, and their jobs.
async fn mails(connection: &mut SqliteConnection, finished: i64) -> Result<u64, StoreError> {
    sqlx::query!(
        "delete from Jobs where id in
             (select id from mails where finished_at < ? order by finished_at limit ?)",
        finished,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let mails = sqlx::query!(
        "delete from mails where id in
             (select id from mails where finished_at < ? order by finished_at limit ?)",
        finished,
        BATCH
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(mails.rows_affected())
}

/// Addresses to which mails may go out again.
async fn suppressions(connection: &mut SqliteConnection, now: i64) -> Result<u64, StoreError> {
    let over = sqlx::query!(
        "delete from suppressions where recipient_key in
             (select recipient_key from suppressions where until_at <= ? order by until_at limit ?)",
        now,
        BATCH
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(over.rows_affected())
}

/// Counters, known clients and security events.
async fn records(connection: &mut SqliteConnection, cutoffs: &Cutoffs) -> Result<u64, StoreError> {
    let (counted, guessed) = (micros(cutoffs.counts), micros(cutoffs.streaks));
    let (known, audited) = (micros(cutoffs.known_clients), micros(cutoffs.audit));
    let hits = sqlx::query!(
        "delete from limit_hits where (key, at, n) in
             (select key, at, n from limit_hits where at < ? order by at limit ?)",
        counted,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let tries = sqlx::query!(
        "delete from open_tries where (email_key, purpose) in
             (select email_key, purpose from open_tries where counted_at < ? limit ?)",
        counted,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let runs = sqlx::query!(
        "delete from guess_runs where key in
             (select key from guess_runs where at < ? order by at limit ?)",
        guessed,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let clients = sqlx::query!(
        "delete from known_clients where (user_id, client) in
             (select user_id, client from known_clients where seen_at < ? limit ?)",
        known,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let events = sqlx::query!(
        "delete from audit where id in (select id from audit where at < ? order by at limit ?)",
        audited,
        BATCH
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(hits.rows_affected()
        + tries.rows_affected()
        + runs.rows_affected()
        + clients.rows_affected()
        + events.rows_affected())
}

/// Empties payment events without a user. Their rows stay, so that a repeat is recognised.
async fn payments(connection: &mut SqliteConnection, before: i64) -> Result<u64, StoreError> {
    let emptied = sqlx::query!(
        "update payment_events set body = '' where rowid in
             (select rowid from payment_events indexed by payment_bodies_of_nobody
              where user_id is null and body <> '' and received_at < ? order by received_at limit ?)",
        before,
        BATCH
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(emptied.rows_affected())
}
