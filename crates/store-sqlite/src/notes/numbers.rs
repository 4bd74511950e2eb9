//! The numbers of a book, and their jump after a restore from a backup.

use domain::id::UserId;
use domain::notes::NoteId;
use domain::notes::numbers::{Jump, LEAST, MOST, Numbers};
use domain::notes::port::VersionAhead;
use domain::store::StoreError;
use sqlx::SqliteConnection;

use crate::error::{store_error, unreadable};
use crate::executor::{micros, time};

pub(super) async fn of(
    connection: &mut SqliteConnection,
    user: UserId,
) -> Result<Option<Numbers>, StoreError> {
    let row = sqlx::query!(
        "select last_change, jumped_from, jumped_to, jumped_at from note_books where user_id = ?",
        user.0
    )
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    Ok(row.map(|row| Numbers {
        newest: row.last_change,
        jumped_from: row.jumped_from,
        jumped_to: row.jumped_to,
        jumped_at: row.jumped_at.map(time),
    }))
}

/// A second jump right after the first one extends it. After changes it begins anew, and devices that know less than
/// those start over: one gap is kept.
pub(super) async fn jump(
    connection: &mut SqliteConnection,
    jump: &Jump,
) -> Result<u64, StoreError> {
    let (user, now) = (jump.user.map(|user| user.0), micros(jump.now));
    let jumped = sqlx::query!(
        "update note_books set
             forgotten_change = iif(last_change > jumped_to, max(forgotten_change, jumped_to), forgotten_change),
             jumped_from = iif(last_change > jumped_to, last_change, jumped_from),
             jumped_to = max(?2, last_change + ?3),
             last_change = max(?2, last_change + ?3),
             jumped_at = ?4, jumped_alone = ?5
         where (?1 is null or user_id = ?1) and max(?2, last_change + ?3) <= ?6",
        user,
        jump.to,
        LEAST,
        now,
        jump.alone,
        MOST
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(jumped.rows_affected())
}

/// A note that is neither there nor remembered as deleted never had a version, unless the memory of it is gone, or the
/// note is another user's.
pub(super) async fn version_ahead(
    connection: &mut SqliteConnection,
    user: UserId,
    named: &[(NoteId, i64)],
) -> Result<Option<VersionAhead>, StoreError> {
    let named: Vec<_> = named
        .iter()
        .map(|(id, version)| (id.to_string(), version))
        .collect();
    let named = serde_json::to_string(&named).map_err(unreadable)?;
    let row = sqlx::query!(
        r#"select version as "version!: i64",
                  known is not null or forgotten_change = 0 or version > last_change as "certain!: bool"
           from (
               select named.version, last_change, forgotten_change,
                      coalesce(
                          (select notes.version from notes where notes.user_id = ?1 and notes.id = named.id),
                          (select old.version from note_tombstones as old
                           where old.user_id = ?1 and old.id = named.id)) as known,
                      exists (select 1 from notes where notes.id = named.id and notes.user_id <> ?1
                              and notes.user_id not in (select id from deleted_users)) as is_anothers
               from (select value ->> 0 as id, value ->> 1 as version from json_each(?2)) as named
               join note_books as book on book.user_id = ?1
               where named.version > book.jumped_to)
           where version > coalesce(known, 0) and not is_anothers
           order by 2 desc, 1 desc limit 1"#,
        user.0,
        named
    )
    .fetch_optional(connection)
    .await
    .map_err(store_error)?;
    Ok(row.map(|row| VersionAhead {
        version: row.version,
        certain: row.certain,
    }))
}
