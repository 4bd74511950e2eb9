//! `GET /api/notes/`: many notes, page by page.

use axum::Json;
use axum::extract::{RawQuery, State};
use domain::id::UserId;
use domain::notes::list::{Key, NotePage, NoteQuery, Order, PAGE_BYTES, Place};
use domain::notes::{TAG_LENGTH, words};
use domain::store::{StoreError, View};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::NoteBody;
use super::cursor;
use super::found;
use super::links::Base;
use super::query::{Query, SEARCH_LENGTH};
use crate::AppState;
use crate::auth::session::Authenticated;
use crate::error::ApiError;
use crate::request::ReadTicket;

const PATH: &str = "/api/notes/";

/// Notes that are read at once where all are, and bytes of them: what a slow client makes the process hold.
const AT_ONCE: u32 = 100;
const BYTES_AT_ONCE: u32 = 64 * 1024;

/// The orders, as the query names them.
const ORDERS: [&str; 6] = [
    "-updated_at",
    "updated_at",
    "-created_at",
    "created_at",
    "-title",
    "title",
];

/// A page of notes.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteList {
    /// How many notes the whole list has.
    count: u64,
    /// Where the next page is.
    next: Option<String>,
    /// Where the page before is.
    previous: Option<String>,
    /// The notes.
    results: Vec<NoteBody>,
}

/// List notes
///
/// The user's notes, those changed last first. `next` and `previous` lead to the other pages; notes that come or go
/// meanwhile make none appear twice or get lost. A page of long notes ends early, after 512 KiB of text as JSON writes it: `next` tells whether
/// there are more, not the number of notes. `search` finds notes that have, for each of its words, one that begins
/// with it, in the title or the content, whatever the case and the accents; those that fit best come first, each with a
/// `snippet`. Signs separate words, so that `todo:milk` finds what `todo milk` does. Text of a script without spaces
/// (Chinese, Japanese, Thai, Lao, Khmer, Burmese) is found anywhere in a run.
#[utoipa::path(
    get,
    path = "/api/notes/",
    operation_id = "listNotes",
    tag = "Notes",
    params(
        ("cursor" = Option<String>, Query, description = "The place of the page: the `cursor` in the query of the URL that `next` or `previous` is."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "The most notes of a page; 20 unless given."),
        ("ordering" = Option<String>, Query, pattern = "^(-?(updated_at|created_at|title))?$", description = "By what; `-` puts the highest first.", example = "-updated_at"),
        ("tag" = Option<String>, Query, max_length = 50, pattern = r"^[^\u0000]*$", description = "Notes with this tag, in any case and normal form (NFC)."),
        ("is_pinned" = Option<bool>, Query, description = "Pinned notes, or the others."),
        ("is_archived" = Option<bool>, Query, description = "Archived notes, or the others."),
        ("trashed" = Option<bool>, Query, description = "Notes in the trash instead of live ones."),
        ("search" = Option<String>, Query, max_length = 200, pattern = r"^[^\u0000]*$", description = "Words, or the beginnings of words. The first 20 count."),
    ),
    responses(
        (status = 200, description = "A page of notes.", body = NoteList),
        (status = 400, description = "Something in the query is wrong: `Fields`."),
    ),
)]
pub(super) async fn list(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    ReadTicket(ticket): ReadTicket,
    base: Base,
    RawQuery(raw): RawQuery,
) -> Result<Json<NoteList>, ApiError> {
    let mut query = Query::new(raw.as_deref());
    let asked = read(session.user.id, &mut query);
    query.check()?;
    let (asked, searching) = asked;
    let page = if searching && asked.words.is_empty() {
        NotePage::default()
    } else {
        let mut view = state.store.view_by(&ticket).await?;
        let page = view.notes(&asked).await?;
        view.done();
        page
    };
    let [next, previous] = neighbours(&asked, &page).map(|neighbour| {
        let cursor = match neighbour? {
            Neighbour::First => None,
            Neighbour::At(place) => Some(cursor::of_list(asked.user, asked.order, place)),
        };
        Some(base.page(PATH, query.without_cursor(), cursor.as_deref()))
    });
    let results = if searching {
        found::with_snippets(page.notes, asked.words).await?
    } else {
        let plain = page.notes.into_iter();
        plain.map(|listed| listed.note.into()).collect()
    };
    Ok(Json(NoteList {
        count: page.count,
        next,
        previous,
        results,
    }))
}

/// A few notes of a user, live or in the trash, in the order in which they were made; and the place to go on from, if
/// there are more.
pub async fn some_of_all(
    view: &mut dyn View,
    user: UserId,
    trashed: bool,
    place: Option<Place>,
) -> Result<(Vec<NoteBody>, Option<Place>), StoreError> {
    let query = NoteQuery {
        user,
        trashed,
        tag: None,
        pinned: None,
        archived: None,
        words: Vec::new(),
        order: Order {
            key: Key::Created,
            descending: false,
        },
        place,
        limit: AT_ONCE,
        bytes: BYTES_AT_ONCE,
    };
    let page = view.notes(&query).await?;
    let last = page.notes.last().filter(|_| page.more);
    let next = last.map(|last| last.place(Key::Created, false));
    let notes = page.notes.into_iter();
    Ok((notes.map(|listed| listed.note.into()).collect(), next))
}

/// What is asked, and whether it is a search.
fn read(user: UserId, query: &mut Query) -> (NoteQuery, bool) {
    let search = query.text("search", SEARCH_LENGTH);
    let order = order(query, search.is_some());
    let asked = NoteQuery {
        user,
        trashed: query.flag("trashed").unwrap_or(false),
        tag: query.text("tag", TAG_LENGTH),
        pinned: query.flag("is_pinned"),
        archived: query.flag("is_archived"),
        words: search.as_deref().map(words::of_search).unwrap_or_default(),
        order,
        place: query.cursor(|given| cursor::in_list(user, order, given)),
        limit: query.page_size(),
        bytes: PAGE_BYTES,
    };
    (asked, search.is_some())
}

/// The order that is asked for; without one a search is ordered by how well a note fits.
fn order(query: &mut Query, searching: bool) -> Order {
    let named = query.text("ordering", 20);
    let word = named.as_deref().unwrap_or("-updated_at");
    let (bare, descending) = match word.strip_prefix('-') {
        Some(bare) => (bare, true),
        None => (word, false),
    };
    let key = match bare {
        _ if searching && named.is_none() => Key::Rank,
        "updated_at" => Key::Updated,
        "created_at" => Key::Created,
        "title" => Key::Title,
        _ => {
            query.wrong(
                "ordering",
                &format!("Must be one of {}.", ORDERS.join(", ")),
            );
            Key::Updated
        }
    };
    Order { key, descending }
}

/// A page beside another.
enum Neighbour {
    /// The first of the list.
    First,
    /// That at a place.
    At(Place),
}

/// The next page and the one before.
fn neighbours(asked: &NoteQuery, page: &NotePage) -> [Option<Neighbour>; 2] {
    let (came_from_start, backwards) = match &asked.place {
        None => (true, false),
        Some(place) => (false, place.before),
    };
    let [Some(first), Some(last)] = [page.notes.first(), page.notes.last()] else {
        return beside_nothing(asked, page);
    };
    let (beyond_last, beyond_first) = if backwards {
        (true, page.more)
    } else {
        (page.more, !came_from_start)
    };
    let key = asked.order.key;
    [
        beyond_last.then(|| Neighbour::At(last.place(key, false))),
        beyond_first.then(|| Neighbour::At(first.place(key, true))),
    ]
}

/// The same for a page that deletions have emptied. If there are any notes, all of them lie on the other side of its
/// place, up to the note that the place names: the way to them begins at that end of the list.
fn beside_nothing(asked: &NoteQuery, page: &NotePage) -> [Option<Neighbour>; 2] {
    match &asked.place {
        Some(place) if page.count > 0 && place.before => [Some(Neighbour::First), None],
        Some(_) if page.count > 0 => [None, Some(Neighbour::At(Place::end(asked.order)))],
        _ => [None, None],
    }
}
