//! Rows that are dated in the future: the clock was ahead when they were written, and has been corrected since.
//!
//! Without a correction they would stay in force until that time. The purge removes rows that only count, and changes
//! the dates of rows that users rely on. The queue's maintenance reschedules mails.

use domain::clock::AHEAD;
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::error::store_error;
use crate::executor::micros;
use crate::retention::BATCH;

/// Corrects some rows of each kind that are dated later than `ahead`. Returns how many.
pub(crate) async fn redate(
    connection: &mut SqliteConnection,
    ahead: Timestamp,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let (ahead, now) = (micros(ahead), micros(now));
    Ok(removed(connection, ahead).await?
        + codes(connection, now, ahead).await?
        + sessions(connection, now, ahead).await?
        + memories(connection, now, ahead).await?)
}

/// Removes counts of limits and suppressed addresses.
async fn removed(connection: &mut SqliteConnection, ahead: i64) -> Result<u64, StoreError> {
    let hits = sqlx::query!(
        "delete from limit_hits where (key, at, n) in
             (select key, at, n from limit_hits where at > ? order by at limit ?)",
        ahead,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let suppressions = sqlx::query!(
        "delete from suppressions where recipient_key in
             (select recipient_key from suppressions
              where until_at > ?1 and since_at > ?1 order by until_at limit ?2)",
        ahead,
        BATCH
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(hits.rows_affected() + suppressions.rows_affected())
}

/// Dates pending registrations and codes as if they had been requested now. They stay valid, since their mails may be in
/// flight.
async fn codes(connection: &mut SqliteConnection, now: i64, ahead: i64) -> Result<u64, StoreError> {
    // Whatever was created in the future ends there, too. The codes of registrations go first, while these still show
    // which they are.
    let of_registrations = sqlx::query!(
        "update challenges set expires_at = ?1 + expires_at - created_at, created_at = ?1
         where created_at > ?2 and registration_id in
             (select id from registrations where expires_at > ?2 and created_at > ?2 order by expires_at limit ?3)",
        now,
        ahead,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let registrations = sqlx::query!(
        "update registrations set expires_at = ?1 + expires_at - created_at, created_at = ?1
         where id in
             (select id from registrations where expires_at > ?2 and created_at > ?2 order by expires_at limit ?3)",
        now,
        ahead,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let others = sqlx::query!(
        "update challenges set expires_at = ?1 + expires_at - created_at, created_at = ?1
         where id in
             (select id from challenges indexed by challenges_by_expiry
              where registration_id is null and expires_at > ?2 and created_at > ?2 limit ?3)",
        now,
        ahead,
        BATCH
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(of_registrations.rows_affected() + registrations.rows_affected() + others.rows_affected())
}

/// Dates sessions as if they had been opened now.
async fn sessions(
    connection: &mut SqliteConnection,
    now: i64,
    ahead: i64,
) -> Result<u64, StoreError> {
    let dated = sqlx::query!(
        "update sessions set
             last_used_at = min(last_used_at, ?1),
             expires_at = iif(created_at > ?2, ?1 + expires_at - created_at, expires_at),
             created_at = min(created_at, ?1)
         where id in (select id from sessions where created_at > ?2 or last_used_at > ?2 limit ?3)",
        now,
        ahead,
        BATCH
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(dated.rows_affected())
}

/// Dates wrong guesses and known clients as of now; they still count.
async fn memories(
    connection: &mut SqliteConnection,
    now: i64,
    ahead: i64,
) -> Result<u64, StoreError> {
    let tries = sqlx::query!(
        "update open_tries set counted_at = ?1 where (email_key, purpose) in
             (select email_key, purpose from open_tries where counted_at > ?2 limit ?3)",
        now,
        ahead,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let runs = sqlx::query!(
        "update guess_runs set at = ?1 where key in
             (select key from guess_runs where at > ?2 order by at limit ?3)",
        now,
        ahead,
        BATCH
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let clients = sqlx::query!(
        "update known_clients set seen_at = ?1 where (user_id, client) in
             (select user_id, client from known_clients where seen_at > ?2 limit ?3)",
        now,
        ahead,
        BATCH
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(tries.rows_affected() + runs.rows_affected() + clients.rows_affected())
}

/// How many rows of each kind are dated in the future.
pub(crate) async fn counts(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<(&'static str, u64)>, StoreError> {
    let ahead = micros(now + AHEAD);
    let row = sqlx::query!(
        r#"select
             (select count(*) from limit_hits where at > ?1) as "hits!: u32",
             (select count(*) from registrations where created_at > ?1) as "registrations!: u32",
             (select count(*) from challenges where created_at > ?1) as "challenges!: u32",
             (select count(*) from sessions where created_at > ?1 or last_used_at > ?1) as "sessions!: u32",
             (select count(*) from suppressions where since_at > ?1) as "suppressions!: u32",
             (select count(*) from mails where created_at > ?1 and finished_at is null) as "mails!: u32""#,
        ahead
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    let kinds = [
        ("counts of limits", row.hits),
        ("pending registrations", row.registrations),
        ("codes", row.challenges),
        ("sessions", row.sessions),
        ("suppressed addresses", row.suppressions),
        ("mails", row.mails),
    ];
    Ok(kinds
        .into_iter()
        .filter(|(_, rows)| *rows > 0)
        .map(|(kind, rows)| (kind, rows.into()))
        .collect())
}
