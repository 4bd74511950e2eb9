//! Lists of notes: the plain one over an index in its order, every other over all of the owner's notes once.
//!
//! Either way only the owner's rows are read, which lie together. There is no index of words: one that all owners
//! share would make each search pay for everybody's notes, and a search through thousands of one's own takes
//! milliseconds.

use domain::notes::list::{Key, ListPosition, Listed, NotePage, NoteQuery, with_room};
use domain::notes::tags;
use domain::notes::words::{self, FOLDING};
use domain::store::StoreError;
use serde::Deserialize;
use sqlx::SqliteConnection;

use super::NoteRow;
use crate::error::{store_error, unreadable};

/// Words that a statement compares one by one; further ones come as a list.
const SLOTS: usize = 4;

/// Greater than every text that begins with a Unicode character.
const LAST_TEXT: &str = "\u{10ffff}\u{10ffff}";

/// The most bytes of a content that is read before it is known how many bytes the page has: a page of such notes has
/// no more than [`domain::notes::list::PAGE_BYTES`] of contents in any case.
const SHORT: i64 = 4 * 1024;

/// A note with its rank.
#[derive(Deserialize)]
struct ListedRow(i64, NoteRow);

/// The same where a long note is left out.
#[derive(Deserialize)]
struct ShortRow(i64, Option<NoteRow>);

/// What a statement answers: the notes that have room on the page, how many would be on it if all had, how many the
/// list has, and the owner's newest change.
struct Found {
    notes: String,
    candidates: i64,
    count: i64,
    newest: i64,
}

/// What the statement for short notes answers.
struct Short {
    notes: String,
    count: i64,
    newest: i64,
}

/// The plain list: live notes without any filter, by the time of their last change. In the place of a long one stands
/// `null`; then `plain_sized` is asked instead. Most pages have none, and this costs them nothing.
macro_rules! plain {
    ($beyond:literal, $order:literal, $user:expr, $at:expr, $limit:expr) => {
        sqlx::query_as!(
            Short,
            r#"select
                 (select json_group_array(json_array(0, iif(octet_length(content) > ?5, null,
                             json_array(id, title, content, json(tags), is_pinned, is_archived, created_at,
                                 updated_at, version, trashed_at, conflict_of))))
                  from (select * from notes
                        where notes.user_id = ?1 and trashed_at is null and (updated_at, id) "#
                + $beyond
                + " (?2, ?3) order by updated_at "
                + $order
                + ", id "
                + $order
                + r#" limit ?4 + 0)) as "notes!: String",
                 (select live from note_books where note_books.user_id = ?1) as "count!: i64",
                 (select last_change from note_books where note_books.user_id = ?1) as "newest!: i64""#,
            $user,
            $at.number,
            $at.id,
            $limit,
            SHORT
        )
    };
}

/// The plain list with long notes: the lengths are looked at first, and the texts are read of those notes alone that
/// have room on the page.
macro_rules! plain_sized {
    ($beyond:literal, $order:literal, $query:expr, $at:expr, $limit:expr) => {
        sqlx::query_as!(
            Found,
            r#"with sized as (
                 select row_id as found,
                   coalesce(sum(bytes) over (rows between unbounded preceding and 1 preceding), 0) < ?5 as fits
                 from (select row_id, octet_length(title) + octet_length(tags) + octet_length(content) as bytes
                       from notes where notes.user_id = ?1 and trashed_at is null and (updated_at, id) "#
                + $beyond
                + " (?2, ?3) order by updated_at "
                + $order
                + ", id "
                + $order
                + r#" limit ?4 + 0))
             select
                 json_group_array(json_array(0, json_array(notes.id, title, content, json(tags), is_pinned,
                     is_archived, created_at, updated_at, version, trashed_at, conflict_of)))
                     filter (where fits) as "notes!: String",
                 count(*) as "candidates!: i64",
                 (select live from note_books where note_books.user_id = ?1) as "count!: i64",
                 (select last_change from note_books where note_books.user_id = ?1) as "newest!: i64"
             from sized left join notes on fits and row_id = found"#,
            $query.user.0,
            $at.number,
            $at.id,
            $limit,
            $query.bytes
        )
    };
}

/// Any other list: what fits the filters is found in one go, then counted, ordered and cut. What does not count in the
/// order is the same for all. The rank looks at the title alone for a second time, and at whole words where there are
/// some: to look through the words of thousands of notes takes milliseconds.
macro_rules! matched {
    ($beyond:literal, $order:literal, $filter:expr, $at:expr, $limit:expr) => {
        sqlx::query_as!(
            Found,
            r#"with matched as materialized (
                 select row_id as found, id,
                   case ?11 when 'rank' then
                       iif(?6 is null, 0, 2 * (instr(substr(words, 1, instr(words, char(10))), ?6) > 0)
                           + iif(?6 like ' %', instr(words, ?6 || ' ') > 0, 0))
                       + iif(?7 is null, 0, 2 * (instr(substr(words, 1, instr(words, char(10))), ?7) > 0)
                           + iif(?7 like ' %', instr(words, ?7 || ' ') > 0, 0))
                       + iif(?8 is null, 0, 2 * (instr(substr(words, 1, instr(words, char(10))), ?8) > 0)
                           + iif(?8 like ' %', instr(words, ?8 || ' ') > 0, 0))
                       + iif(?9 is null, 0, 2 * (instr(substr(words, 1, instr(words, char(10))), ?9) > 0)
                           + iif(?9 like ' %', instr(words, ?9 || ' ') > 0, 0))
                     when 'change' then iif(version > 1, change, 0) else 0 end as rank,
                   case ?11 when 'created' then created_at when 'title' then 0 when 'change' then 0 else updated_at end as number,
                   iif(?11 = 'title', title_key, '') as title_key,
                   octet_length(title) + octet_length(tags) + octet_length(content) as bytes
                 from notes
                 where notes.user_id = ?1 and (trashed_at is not null) = ?2
                   and (?3 is null or is_pinned = ?3) and (?4 is null or is_archived = ?4)
                   and (?5 is null or exists (
                           select 1 from json_each(
                               iif(octet_length(notes.tags) > length(notes.tags) and notes.folded = 8 * notes.change + ?18,
                                   notes.tag_keys, lower(notes.tags)))
                           where value = ?5))
                   and (?6 is null or instr(words, ?6) > 0) and (?7 is null or instr(words, ?7) > 0)
                   and (?8 is null or instr(words, ?8) > 0) and (?9 is null or instr(words, ?9) > 0)
                   and (?10 is null or not exists (
                           select 1 from json_each(?10) as further where instr(notes.words, further.value) = 0))),
             sized as (
                 select found, rank,
                   coalesce(sum(bytes) over (rows between unbounded preceding and 1 preceding), 0) < ?17 as fits
                 from (select found, rank, bytes from matched where (rank, number, title_key, id) "#
                + $beyond
                + " (?12, ?13, ?14, ?15) order by "
                + $order
                + r#" limit ?16 + 0))
             select
                 json_group_array(json_array(rank, json_array(notes.id, title, content, json(tags), is_pinned,
                     is_archived, created_at, updated_at, version, trashed_at, conflict_of)))
                     filter (where fits) as "notes!: String",
                 count(*) as "candidates!: i64",
                 (select count(*) from matched) as "count!: i64",
                 (select last_change from note_books where note_books.user_id = ?1) as "newest!: i64"
             from sized left join notes on fits and row_id = found"#,
            $filter.user,
            $filter.trashed,
            $filter.pinned,
            $filter.archived,
            $filter.tag,
            $filter.words[0],
            $filter.words[1],
            $filter.words[2],
            $filter.words[3],
            $filter.further,
            $filter.key,
            $at.rank,
            $at.number,
            $at.title,
            $at.id,
            $limit,
            $filter.bytes,
            FOLDING
        )
    };
}

pub(super) async fn page(
    connection: &mut SqliteConnection,
    query: &NoteQuery,
) -> Result<NotePage, StoreError> {
    let backwards = query.place.as_ref().is_some_and(|place| place.before);
    let descending = query.order.descending != backwards;
    let at = Beyond::of(query.place.as_ref(), descending);
    // One more than asked for tells whether there are more.
    let limit = i64::from(query.limit) + 1;
    let (rows, candidates, [count, newest]) = if is_plain(query) {
        plain(connection, query, &at, descending, limit).await?
    } else {
        let found = matched(connection, query, &at, descending, limit).await?;
        read(&found)?
    };
    let mut notes = rows
        .into_iter()
        .map(|ListedRow(rank, row)| {
            Ok(Listed {
                note: row.read()?,
                rank,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    notes.truncate(query.limit as usize);
    let drafts = notes.iter().map(|listed| &listed.note.draft);
    notes.truncate(with_room(drafts, query.bytes));
    let more = notes.len() < candidates;
    if backwards {
        notes.reverse();
    }
    Ok(NotePage {
        notes,
        more,
        count: u64::try_from(count).unwrap_or(0),
        newest,
    })
}

fn is_plain(query: &NoteQuery) -> bool {
    let unfiltered = query.tag.is_none() && query.pinned.is_none() && query.archived.is_none();
    query.order.key == Key::Updated && unfiltered && !query.trashed && query.words.is_empty()
}

/// The place that a page lies beyond. From the beginning, it lies beyond everything in the other direction.
struct Beyond {
    rank: i64,
    number: i64,
    title: String,
    id: String,
}

impl Beyond {
    fn of(place: Option<&ListPosition>, descending: bool) -> Self {
        let (number, text) = if descending {
            (i64::MAX, LAST_TEXT)
        } else {
            (i64::MIN, "")
        };
        place.map_or_else(
            || Self {
                rank: number,
                number,
                title: text.to_owned(),
                id: text.to_owned(),
            },
            |place| Self {
                rank: place.rank,
                number: place.number,
                title: place.title.clone(),
                id: place.id.to_string(),
            },
        )
    }
}

/// The notes, how many would be on the page if all had room on it, how many the list has, and the newest change.
type Rows = (Vec<ListedRow>, usize, [i64; 2]);

fn read(found: &Found) -> Result<Rows, StoreError> {
    let rows = serde_json::from_str(&found.notes).map_err(unreadable)?;
    let candidates = usize::try_from(found.candidates).map_err(unreadable)?;
    Ok((rows, candidates, [found.count, found.newest]))
}

async fn plain(
    connection: &mut SqliteConnection,
    query: &NoteQuery,
    at: &Beyond,
    descending: bool,
    limit: i64,
) -> Result<Rows, StoreError> {
    let short = if descending {
        plain!("<", "desc", query.user.0, at, limit)
            .fetch_one(&mut *connection)
            .await
    } else {
        plain!(">", "asc", query.user.0, at, limit)
            .fetch_one(&mut *connection)
            .await
    }
    .map_err(store_error)?;
    let rows: Vec<ShortRow> = serde_json::from_str(&short.notes).map_err(unreadable)?;
    let candidates = rows.len();
    let all_short: Option<_> = rows
        .into_iter()
        .map(|ShortRow(rank, row)| Some(ListedRow(rank, row?)))
        .collect();
    if let Some(rows) = all_short {
        return Ok((rows, candidates, [short.count, short.newest]));
    }
    let found = if descending {
        plain_sized!("<", "desc", query, at, limit)
            .fetch_one(connection)
            .await
    } else {
        plain_sized!(">", "asc", query, at, limit)
            .fetch_one(connection)
            .await
    };
    read(&found.map_err(store_error)?)
}

/// The filters as the statements take them.
struct Filter {
    user: i64,
    trashed: bool,
    pinned: Option<bool>,
    archived: Option<bool>,
    tag: Option<String>,
    /// As [`words::pattern`] has them.
    words: [Option<String>; SLOTS],
    further: Option<String>,
    key: &'static str,
    bytes: u32,
}

impl Filter {
    fn of(query: &NoteQuery) -> Result<Self, StoreError> {
        let mut patterns = query.words.iter().map(|word| words::pattern(word));
        let words = std::array::from_fn(|_| patterns.next());
        let further: Vec<String> = patterns.collect();
        let further = (!further.is_empty())
            .then(|| serde_json::to_string(&further))
            .transpose()
            .map_err(unreadable)?;
        Ok(Self {
            user: query.user.0,
            trashed: query.trashed,
            pinned: query.pinned,
            archived: query.archived,
            tag: query.tag.as_deref().map(tags::key),
            words,
            further,
            key: match query.order.key {
                Key::Updated => "updated",
                Key::Created => "created",
                Key::Title => "title",
                Key::Rank => "rank",
                Key::Change => "change",
            },
            bytes: query.bytes,
        })
    }
}

async fn matched(
    connection: &mut SqliteConnection,
    query: &NoteQuery,
    at: &Beyond,
    descending: bool,
    limit: i64,
) -> Result<Found, StoreError> {
    let filter = Filter::of(query)?;
    if descending {
        matched!(
            "<",
            "rank desc, number desc, title_key desc, id desc",
            filter,
            at,
            limit
        )
        .fetch_one(connection)
        .await
    } else {
        matched!(">", "rank, number, title_key, id", filter, at, limit)
            .fetch_one(connection)
            .await
    }
    .map_err(store_error)
}

#[cfg(test)]
mod plans;
