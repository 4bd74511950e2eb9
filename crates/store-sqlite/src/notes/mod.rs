//! Notes' rows. What writes a note stands in [`live`], with the plan's limits; lists in [`list`], the feed in
//! [`changes`].
//!
//! A statement that finds several notes answers with all of them as one row of JSON. Each row that a statement returns is handed from
//! `SQLite`'s thread to another, which costs more than what stands in it.

mod changes;
mod list;
mod live;
mod numbers;
pub(crate) mod purge;
mod refold;
mod revisions;

use async_trait::async_trait;
use domain::id::UserId;
use domain::notes::changes::ChangePage;
use domain::notes::device::DeviceRun;
use domain::notes::list::{NotePage, NoteQuery};
use domain::notes::numbers::{Jump, Numbers};
use domain::notes::port::{
    NewNote, OutdatedNote, ReadNotes, Refolded, Revision, StoredNote, VersionAhead, WriteNotes,
};
use domain::notes::tags;
use domain::notes::words::{ChangedWords, FOLDING};
use domain::notes::{Draft, Note, NoteId};
use domain::plans::NoteLimits;
use domain::store::StoreError;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::SqliteConnection;

use crate::error::{store_error, unreadable};
use crate::executor::{ConnectionGuard, Executor, micros, time};

/// A note as the statements give it, its columns in their order.
#[derive(Deserialize)]
struct NoteRow(
    String,
    String,
    String,
    Vec<String>,
    u8,
    u8,
    i64,
    i64,
    i64,
    Option<i64>,
    Option<String>,
);

impl NoteRow {
    fn read(self) -> Result<Note, StoreError> {
        let Self(
            id,
            title,
            content,
            tags,
            pinned,
            archived,
            created,
            updated,
            version,
            trashed,
            conflict_of,
        ) = self;
        Ok(Note {
            id: id.parse().map_err(unreadable)?,
            draft: Draft {
                title,
                content,
                tags,
                pinned: pinned == 1,
                archived: archived == 1,
            },
            created: time(created),
            updated: time(updated),
            version,
            trashed: trashed.map(time),
            conflict_of: conflict_of
                .map(|id| id.parse())
                .transpose()
                .map_err(unreadable)?,
        })
    }
}

#[async_trait]
impl<C: ConnectionGuard> ReadNotes for Executor<C> {
    async fn note(&mut self, user: UserId, id: NoteId) -> Result<Option<Note>, StoreError> {
        let stored = revisions::stored(&mut self.0, user, id).await?;
        Ok(stored.map(|stored| stored.note))
    }

    async fn stored_note(
        &mut self,
        user: UserId,
        id: NoteId,
    ) -> Result<Option<StoredNote>, StoreError> {
        revisions::stored(&mut self.0, user, id).await
    }

    async fn live_revision(
        &mut self,
        user: UserId,
        id: NoteId,
    ) -> Result<Option<Revision>, StoreError> {
        revisions::live(&mut self.0, user, id).await
    }

    async fn note_version_ahead(
        &mut self,
        user: UserId,
        named: &[(NoteId, i64)],
    ) -> Result<Option<VersionAhead>, StoreError> {
        numbers::version_ahead(&mut self.0, user, named).await
    }

    async fn notes(&mut self, query: &NoteQuery) -> Result<NotePage, StoreError> {
        list::page(&mut self.0, query).await
    }

    async fn note_changes(
        &mut self,
        user: UserId,
        after: i64,
        limit: u32,
    ) -> Result<ChangePage, StoreError> {
        changes::page(&mut self.0, user, after, limit).await
    }

    async fn outdated_notes(&mut self) -> Result<Vec<OutdatedNote>, StoreError> {
        refold::outdated(&mut self.0).await
    }
}

#[async_trait]
impl<C: ConnectionGuard> WriteNotes for Executor<C> {
    async fn insert_note(&mut self, new: &NewNote) -> Result<Option<i64>, StoreError> {
        live::insert(&mut self.0, new).await
    }

    async fn note_was_deleted(&mut self, user: UserId, id: NoteId) -> Result<bool, StoreError> {
        let id = id.to_string();
        sqlx::query_scalar!(
            r#"select exists (
                   select 1 from note_tombstones where user_id = ? and id = ?) as "deleted!: bool""#,
            user.0,
            id
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(store_error)
    }

    async fn note_id_is_taken(&mut self, id: NoteId) -> Result<bool, StoreError> {
        let id = id.to_string();
        sqlx::query_scalar!(
            r#"select exists (
                   select 1 from notes
                   where id = ? and user_id not in (select id from deleted_users)) as "taken!: bool""#,
            id
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(store_error)
    }

    async fn rewrite_note(
        &mut self,
        user: UserId,
        note: &Note,
        words: ChangedWords<'_>,
        limits: NoteLimits,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        live::rewrite(&mut self.0, user, note, words, limits, now).await
    }

    async fn note_numbers(&mut self, user: UserId) -> Result<Option<Numbers>, StoreError> {
        numbers::of(&mut self.0, user).await
    }

    async fn jump_note_numbers(&mut self, jump: &Jump) -> Result<u64, StoreError> {
        numbers::jump(&mut self.0, jump).await
    }

    async fn keep_device_run(
        &mut self,
        user: UserId,
        id: NoteId,
        run: &DeviceRun,
    ) -> Result<(), StoreError> {
        revisions::keep_run(&mut self.0, user, id, run).await
    }

    async fn refold_note(&mut self, note: &Refolded) -> Result<(), StoreError> {
        refold::write(&mut self.0, note).await
    }

    async fn trash_note(
        &mut self,
        user: UserId,
        id: NoteId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, now) = (id.to_string(), micros(now));
        sqlx::query!(
            "update notes set trashed_at = ?3,
                 version = max(version + 1,
                     (select jumped_to + 1 from note_books where note_books.user_id = ?1)),
                 change = (select last_change + 1 from note_books where note_books.user_id = ?1),
                 folded = iif(folded = 8 * change + ?4,
                     8 * (select last_change + 1 from note_books where note_books.user_id = ?1) + ?4, 0)
             where user_id = ?1 and id = ?2",
            user.0,
            id,
            now,
            FOLDING
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn delete_note(
        &mut self,
        user: UserId,
        id: NoteId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, now) = (id.to_string(), micros(now));
        delete_permanently(&mut self.0, user.0, &id, now).await
    }
}

/// Deletes a note for good and puts a tombstone in its place.
async fn delete_permanently(
    connection: &mut SqliteConnection,
    user: i64,
    id: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update note_books
         set last_change = last_change + 1,
             live = live - (select trashed_at is null from notes where notes.user_id = ?1 and notes.id = ?2)
         where user_id = ?1 and exists (select 1 from notes where notes.user_id = ?1 and notes.id = ?2)",
        user,
        id
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "insert or replace into note_tombstones (user_id, id, version, change, deleted_at)
         select notes.user_id, notes.id, max(notes.version + 1, note_books.jumped_to + 1), note_books.last_change, ?3
         from notes join note_books on note_books.user_id = notes.user_id
         where notes.user_id = ?1 and notes.id = ?2",
        user,
        id,
        now
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!("delete from notes where user_id = ? and id = ?", user, id)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}

/// What of a note is stored in another form than the domain's.
struct Columns {
    id: String,
    tags: String,
    /// The tags as they are compared, unless that is in ASCII.
    tag_keys: Option<String>,
    updated: i64,
}

impl Columns {
    fn of(note: &Note) -> Result<Self, StoreError> {
        Ok(Self {
            id: note.id.to_string(),
            tags: serde_json::to_string(&note.draft.tags).map_err(unreadable)?,
            tag_keys: tag_keys(&note.draft.tags)?,
            updated: micros(note.updated),
        })
    }
}

/// Tags as they are compared, unless all are ASCII.
fn tag_keys(tags: &[String]) -> Result<Option<String>, StoreError> {
    if tags.iter().all(|tag| tag.is_ascii()) {
        return Ok(None);
    }
    let keys: Vec<_> = tags.iter().map(|tag| tags::key(tag)).collect();
    serde_json::to_string(&keys).map(Some).map_err(unreadable)
}

/// What a title is ordered by and its words, if they change.
fn of_title(words: ChangedWords<'_>) -> (Option<&str>, Option<&str>) {
    words
        .title
        .map(|title| (title.key.as_str(), title.words.as_str()))
        .unzip()
}
