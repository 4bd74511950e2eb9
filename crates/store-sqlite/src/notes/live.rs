//! Writing a note: adding one, and writing over one, live or in the trash. The plan's limits hold here and nowhere else:
//! as conditions of the statements that write, so that they count what is committed.

use domain::id::UserId;
use domain::notes::Note;
use domain::notes::port::{NewNote, NoteOwner};
use domain::notes::words::{ChangedWords, FOLDING};
use domain::plans::NoteLimits;
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{Columns, of_title};
use crate::error::store_error;
use crate::executor::micros;

/// The limits of notes and of bytes as the statements compare them, on the free plan and on premium: any number is as
/// high as there are numbers.
fn limits(limits: NoteLimits) -> ([i64; 2], [i64; 2]) {
    let premium = limits.premium.map_or(i64::MAX, i64::from);
    let bytes = |limit: Option<u64>| limit.and_then(|limit| i64::try_from(limit).ok());
    let storage = [limits.storage.free, limits.storage.premium];
    (
        [i64::from(limits.free), premium],
        storage.map(|limit| bytes(limit).unwrap_or(i64::MAX)),
    )
}

/// What a note counts for beside its texts, in bytes, as in the triggers on `notes`.
const OVERHEAD: usize = 512;

/// One statement; what follows from it, triggers do.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    new: &NewNote,
) -> Result<Option<i64>, StoreError> {
    let note = &new.note;
    let row = Columns::of(note)?;
    let words = new.words.searched();
    let size = OVERHEAD
        + [
            &note.draft.title,
            &new.words.title.key,
            &row.tags,
            &words,
            &note.draft.content,
        ]
        .map(String::len)
        .iter()
        .sum::<usize>();
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let ([free, premium], [free_bytes, premium_bytes]) = limits(new.limits);
    let (created, now) = (micros(note.created), micros(note.updated));
    let conflict_of = note.conflict_of.map(|id| id.to_string());
    let (user, token, used_since) = match &new.owner {
        NoteOwner::User(user) => (Some(user.0), None, None),
        NoteOwner::Bearer { token, used_since } => {
            (None, Some(token.as_bytes()), Some(micros(*used_since)))
        }
    };
    // Under an identifier that a device has chosen there may have been another text before a restore from a backup.
    let id_may_be_known = !new.id_is_fresh && note.conflict_of.is_none();
    let added = sqlx::query!(
        "insert into notes (row_id, user_id, id, title, title_key, tags, is_pinned, is_archived, created_at,
               updated_at, version, change, conflict_of, words, content, tag_keys, folded)
           select iif(book.user_id < 2147483648, (book.user_id << 32) + book.made, null), book.user_id, ?2, ?3, ?4, ?5, ?6, ?7, ?19, ?8,
               max(coalesce((select version + 1 from note_tombstones as old
                             where old.user_id = book.user_id and old.id = ?2), 1),
                   iif(?20, book.jumped_to + 1, 1)),
               book.last_change + 1, ?9, ?10, ?11, ?21, 8 * (book.last_change + 1) + ?22
           from note_books as book
           where book.user_id = coalesce(?1, (
                     select sessions.user_id from sessions join users on users.id = sessions.user_id
                     where token_hash = ?14 and expires_at > ?8 and last_used_at >= ?15 and is_active = 1))
             and iif(exists (
                     select 1 from plan_grants
                     where plan_grants.user_id = book.user_id and (until_at is null or until_at > ?8)),
                 book.live < ?13 and book.bytes <= ?18 - ?16, book.live < ?12 and book.bytes <= ?17 - ?16)
           on conflict do nothing",
        user,
        row.id,
        note.draft.title,
        new.words.title.key,
        row.tags,
        note.draft.pinned,
        note.draft.archived,
        now,
        conflict_of,
        words,
        note.draft.content,
        free,
        premium,
        token,
        used_since,
        size,
        free_bytes,
        premium_bytes,
        created,
        id_may_be_known,
        row.tag_keys,
        FOLDING
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    match added.rows_affected() {
        0 => Ok(None),
        _ if new.id_is_fresh => Ok(Some(1)),
        _ => version_of(connection, &row.id).await.map(Some),
    }
}

/// Apart from the statement that adds the note: returning it there makes `SQLite` keep it in a table of its own first.
async fn version_of(connection: &mut SqliteConnection, id: &str) -> Result<i64, StoreError> {
    sqlx::query_scalar!("select version from notes where id = ?", id)
        .fetch_one(connection)
        .await
        .map_err(store_error)
}

/// Writes over a note. A plain `update`: one with `from` makes `SQLite` keep every new text in a table of its own first.
pub(super) async fn rewrite(
    connection: &mut SqliteConnection,
    user: UserId,
    note: &Note,
    words: ChangedWords<'_>,
    allowed: NoteLimits,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let row = Columns::of(note)?;
    let (title_key, title_words) = of_title(words);
    let ([free, premium], [free_bytes, premium_bytes]) = limits(allowed);
    let now = micros(now);
    let written = sqlx::query!(
        "update notes set title = ?3, title_key = coalesce(?4, title_key), content = ?5, tags = ?6,
             is_pinned = ?7, is_archived = ?8, updated_at = ?9, version = ?10, trashed_at = null,
             words = coalesce(?11, substr(words, 1, instr(words, char(10)) - 1)) || char(10)
                 || coalesce(?12, substr(words, instr(words, char(10)) + 1)),
             change = (select last_change + 1 from note_books where note_books.user_id = ?1),
             tag_keys = ?18,
             folded = iif(folded = 8 * change + ?19 or (?11 is not null and ?12 is not null),
                 8 * (select last_change + 1 from note_books where note_books.user_id = ?1) + ?19, 0)
         where user_id = ?1 and id = ?2
           and (trashed_at is null
                or (select live from note_books where note_books.user_id = ?1) < iif(exists (
                        select 1 from plan_grants
                        where plan_grants.user_id = ?1 and (until_at is null or until_at > ?15)), ?14, ?13))
           and octet_length(?3) - octet_length(title) + octet_length(?5) - octet_length(content)
                   + octet_length(?6) - octet_length(tags)
                   + iif(?4 is null, 0, octet_length(?4) - octet_length(title_key))
                   + iif(?11 is null, 0,
                         octet_length(?11) - octet_length(substr(words, 1, instr(words, char(10)) - 1)))
                   + iif(?12 is null, 0,
                         octet_length(?12) - octet_length(substr(words, instr(words, char(10)) + 1)))
               <= max(0, iif(exists (
                        select 1 from plan_grants
                        where plan_grants.user_id = ?1 and (until_at is null or until_at > ?15)), ?17, ?16)
                    - (select bytes from note_books where note_books.user_id = ?1))",
        user.0,
        row.id,
        note.draft.title,
        title_key,
        note.draft.content,
        row.tags,
        note.draft.pinned,
        note.draft.archived,
        row.updated,
        note.version,
        title_words,
        words.content,
        free,
        premium,
        now,
        free_bytes,
        premium_bytes,
        row.tag_keys,
        FOLDING
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(written.rows_affected() == 1)
}
