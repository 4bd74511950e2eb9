//! A note as it is stored, with what decides whether an edit of it is a conflict, and of which version the next one is.
//!
//! Notes are found with their user's book alone: those of a deleted user stay until the purge, and the book does not.

use domain::id::UserId;
use domain::notes::NoteId;
use domain::notes::device::DeviceRun;
use domain::notes::port::{Revision, StoredNote};
use domain::store::StoreError;
use sqlx::SqliteConnection;

use super::NoteRow;
use crate::error::{store_error, unreadable};

pub(super) async fn stored(
    connection: &mut SqliteConnection,
    user: UserId,
    id: NoteId,
) -> Result<Option<StoredNote>, StoreError> {
    let id = id.to_string();
    // Column by column: the writer reads notes, too, and JSON of a long text takes a hundred times as long.
    let row = sqlx::query!(
        r#"select title, content, tags, is_pinned as "pinned: u8", is_archived as "archived: u8", created_at,
                  updated_at, version, trashed_at, conflict_of, device_run,
                  jumped_to + 1 as "floor!: i64"
           from notes join note_books on note_books.user_id = notes.user_id
           where notes.user_id = ?1 and notes.id = ?2"#,
        user.0,
        id
    )
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let revision = Revision {
        version: row.version,
        floor: row.floor,
        run: row.device_run.as_deref().and_then(DeviceRun::from_bytes),
    };
    let note = NoteRow(
        id,
        row.title,
        row.content,
        serde_json::from_str(&row.tags).map_err(unreadable)?,
        row.pinned,
        row.archived,
        row.created_at,
        row.updated_at,
        row.version,
        row.trashed_at,
        row.conflict_of,
    );
    let note = note.read()?;
    Ok(Some(StoredNote { note, revision }))
}

pub(super) async fn live(
    connection: &mut SqliteConnection,
    user: UserId,
    id: NoteId,
) -> Result<Option<Revision>, StoreError> {
    let id = id.to_string();
    let row = sqlx::query!(
        r#"select version, device_run, jumped_to + 1 as "floor!: i64"
           from notes join note_books on note_books.user_id = notes.user_id
           where notes.user_id = ?1 and notes.id = ?2 and trashed_at is null"#,
        user.0,
        id
    )
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    Ok(row.map(|row| Revision {
        version: row.version,
        floor: row.floor,
        run: row.device_run.as_deref().and_then(DeviceRun::from_bytes),
    }))
}

pub(super) async fn keep_run(
    connection: &mut SqliteConnection,
    user: UserId,
    id: NoteId,
    run: &DeviceRun,
) -> Result<(), StoreError> {
    let (id, run) = (id.to_string(), run.to_bytes());
    sqlx::query!(
        "update notes set device_run = ?3 where user_id = ?1 and id = ?2",
        user.0,
        id,
        run
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
