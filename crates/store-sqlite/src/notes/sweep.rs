//! Emptying the trash, and forgetting tombstones that no device asks about any more.

use domain::store::StoreError;
use sqlx::SqliteConnection;

use super::bury;
use crate::error::store_error;

/// Notes that one transaction takes out of the trash at most: each is several statements.
const TRASH: i64 = 50;

/// Tombstones that one transaction forgets at most.
const TOMBSTONES: i64 = 200;

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
        bury(connection, note.user_id, &note.id, now).await?;
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
