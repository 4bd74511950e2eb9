//! Notes that were folded by older rules, or written by an older program.

use domain::notes::port::{OutdatedNote, Refolded};
use domain::notes::words::FOLDING;
use domain::store::StoreError;
use sqlx::SqliteConnection;

use super::tag_keys;
use crate::error::{store_error, unreadable};

/// Notes that are read at once at most.
const NOTES: i64 = 200;

/// Bytes of contents after which no further note is read: what is folded in one piece of work and written in one
/// transaction, for which others wait.
const BYTES: i64 = 128 * 1024;

pub(super) async fn outdated(
    connection: &mut SqliteConnection,
) -> Result<Vec<OutdatedNote>, StoreError> {
    // The condition is that of the index, number and all.
    let rows = sqlx::query!(
        r#"select row_id as "row_id!", change as "change!", title as "title!", content as "content!", tags as "tags!"
           from notes where row_id in (
               select found from (
                   select found, coalesce(sum(bytes) over (rows between unbounded preceding and 1 preceding), 0) as before
                   from (select row_id as found, octet_length(content) as bytes
                         from notes indexed by notes_to_refold where folded <> 8 * change + 1 limit ?1))
               where before < ?2)"#,
        NOTES,
        BYTES
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            Ok(OutdatedNote {
                row: row.row_id,
                change: row.change,
                title: row.title,
                content: row.content,
                tags: serde_json::from_str(&row.tags).map_err(unreadable)?,
            })
        })
        .collect()
}

pub(super) async fn write(
    connection: &mut SqliteConnection,
    note: &Refolded,
) -> Result<(), StoreError> {
    let keys = tag_keys(&note.tags)?;
    sqlx::query!(
        "update notes set words = ?3, tag_keys = ?4, folded = 8 * change + ?5 where row_id = ?1 and change = ?2",
        note.row,
        note.change,
        note.words,
        keys,
        FOLDING
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
