//! The feed of changes: notes and tombstones by the numbers of their newest changes.
//!
//! Numbers are given out under the lock of the one writer, so they are committed in their order: a reader that has
//! seen a number has seen all below it.

use domain::id::UserId;
use domain::notes::Draft;
use domain::notes::changes::{ChangePage, NoteChange};
use domain::notes::list::{self, PAGE_BYTES};
use domain::notes::numbers::Numbers;
use domain::store::StoreError;
use serde::Deserialize;
use sqlx::SqliteConnection;

use super::NoteRow;
use crate::error::{store_error, unreadable};
use crate::executor::time;

/// A change: its number, the identifier and version, and the note unless it is deleted.
#[derive(Deserialize)]
struct ChangeRow(i64, String, i64, Option<NoteRow>);

/// What the statement answers.
struct Found {
    last_change: i64,
    forgotten_change: i64,
    jumped_from: i64,
    jumped_to: i64,
    jumped_at: Option<i64>,
    /// The changes that have room on the page, and how many would be on it if all had.
    changes: String,
}

pub(super) async fn page(
    connection: &mut SqliteConnection,
    user: UserId,
    after: i64,
    limit: u32,
) -> Result<ChangePage, StoreError> {
    // One more than asked for tells whether there are more.
    let Some(row) = find(connection, user, after, i64::from(limit) + 1).await? else {
        return Ok(ChangePage::default());
    };
    let (mut found, all): (Vec<ChangeRow>, usize) =
        serde_json::from_str(&row.changes).map_err(unreadable)?;
    found.truncate(limit as usize);
    let numbers: Vec<_> = found.iter().map(|ChangeRow(number, ..)| *number).collect();
    let mut changes = found
        .into_iter()
        .map(read)
        .collect::<Result<Vec<_>, StoreError>>()?;
    changes.truncate(with_room(&changes));
    let more = changes.len() < all;
    let last = changes.len().checked_sub(1);
    let upto = last.map_or(after, |last| numbers[last]);
    Ok(ChangePage {
        changes,
        upto,
        more,
        numbers: Numbers {
            newest: row.last_change,
            jumped_from: row.jumped_from,
            jumped_to: row.jumped_to,
            jumped_at: row.jumped_at.map(time),
        },
        forgotten: row.forgotten_change,
    })
}

/// The changes after a number. A note is read only if those before it leave room on the page; its lengths stand in front
/// of its texts.
async fn find(
    connection: &mut SqliteConnection,
    user: UserId,
    after: i64,
    limit: i64,
) -> Result<Option<Found>, StoreError> {
    sqlx::query_as!(
        Found,
        r#"with found as (
               select number, id, version, note, bytes from (
                   select change as number, id, version, iif(trashed_at is null, row_id, null) as note,
                          iif(trashed_at is null,
                              octet_length(title) + octet_length(tags) + octet_length(content), 0) as bytes
                   from notes where notes.user_id = ?1 and change > ?2 order by change limit ?3 + 0)
               union all
               select number, id, version, null, 0 from (
                   select change as number, id, version
                   from note_tombstones where note_tombstones.user_id = ?1 and change > ?2
                   order by change limit ?3 + 0)
               order by number limit ?3 + 0),
             sized as (
               select number, id, version, note,
                      coalesce(sum(bytes) over (rows between unbounded preceding and 1 preceding), 0) < ?4 as fits
               from found)
           select note_books.last_change, note_books.forgotten_change, jumped_from, jumped_to, jumped_at,
               (select json_array(
                    json_group_array(json_array(number, sized.id, sized.version,
                        iif(notes.id is null, null,
                            json_array(notes.id, title, content, json(tags), is_pinned, is_archived, created_at,
                                updated_at, notes.version, trashed_at, conflict_of)))) filter (where fits),
                    count(*))
                from sized left join notes on fits and row_id = note) as "changes!: String"
           from note_books where note_books.user_id = ?1"#,
        user.0,
        after,
        limit,
        PAGE_BYTES
    )
    .fetch_optional(connection)
    .await
    .map_err(store_error)
}

fn read(ChangeRow(_, id, version, note): ChangeRow) -> Result<NoteChange, StoreError> {
    Ok(match note {
        Some(note) => NoteChange::Written(Box::new(note.read()?)),
        None => NoteChange::Deleted {
            id: id.parse().map_err(unreadable)?,
            version,
        },
    })
}

/// How many changes have room on a page.
fn with_room(changes: &[NoteChange]) -> usize {
    let gone = Draft::default();
    let drafts = changes.iter().map(|change| match change {
        NoteChange::Written(note) => &note.draft,
        NoteChange::Deleted { .. } => &gone,
    });
    list::with_room(drafts, PAGE_BYTES)
}
