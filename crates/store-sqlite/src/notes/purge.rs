//! The purge of notes: trash and tombstones past their retention, and the notes of deleted users.

use domain::store::StoreError;
use sqlx::SqliteConnection;

use super::delete_permanently;
use crate::error::store_error;

/// Notes that one transaction takes out of the trash at most: each is several statements.
const TRASH: i64 = 50;

/// Tombstones that one transaction forgets at most.
const TOMBSTONES: i64 = 200;

/// Notes of deleted users that one transaction removes at most, and how many of these users it looks at.
const OF_DELETED_USERS: i64 = 500;

/// Bytes of notes of deleted users after which a transaction removes no further one: removing overwrites them, for which
/// other writers wait, and takes as much room in the -wal, which a disk that is almost full must have.
const BYTES: i64 = 1024 * 1024;

/// Deletes notes for good that were put into the trash before `trashed`.
pub(crate) async fn trash(
    connection: &mut SqliteConnection,
    trashed: i64,
    now: i64,
) -> Result<u64, StoreError> {
    let old = sqlx::query!(
        r#"select user_id as "user_id!", id as "id!" from notes where trashed_at < ? order by trashed_at limit ?"#,
        trashed,
        TRASH
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    for note in &old {
        delete_permanently(connection, note.user_id, &note.id, now).await?;
    }
    Ok(old.len() as u64)
}

/// Forgets what was deleted before `deleted`, and writes down up to where each book has gaps now.
pub(crate) async fn tombstones(
    connection: &mut SqliteConnection,
    deleted: i64,
) -> Result<u64, StoreError> {
    sqlx::query!(
        "update note_books set forgotten_change = max(forgotten_change, old.change)
         from (select user_id, max(change) as change from (
                   select user_id, change from note_tombstones
                   where deleted_at < ? order by deleted_at, user_id, id limit ?)
               group by user_id) as old
         where note_books.user_id = old.user_id",
        deleted,
        TOMBSTONES
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let forgotten = sqlx::query!(
        "delete from note_tombstones where (user_id, id) in (
             select user_id, id from note_tombstones
             where deleted_at < ? order by deleted_at, user_id, id limit ?)",
        deleted,
        TOMBSTONES
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(forgotten.rows_affected())
}

/// Removes notes whose users were deleted, without tombstones, and forgets those users who have none left.
pub(crate) async fn of_deleted_users(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let notes = sqlx::query!(
        "delete from notes where row_id in (
             select found from (
                 select found, coalesce(sum(bytes) over (rows between unbounded preceding and 1 preceding), 0) as before
                 from (select notes.row_id as found,
                              512 + octet_length(notes.words) + octet_length(notes.content) as bytes
                       from deleted_users cross join notes on notes.user_id = deleted_users.id
                       order by deleted_users.id, notes.change limit ?1))
             where before < ?2)",
        OF_DELETED_USERS,
        BYTES
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    let users = sqlx::query!(
        "delete from deleted_users
         where id in (select id from deleted_users order by id limit ?)
           and not exists (select 1 from notes where notes.user_id = deleted_users.id)",
        OF_DELETED_USERS
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(notes.rows_affected() + users.rows_affected())
}
