//! `GET /api/notes/`: lists notes in pages.

use axum::Json;
use axum::extract::{RawQuery, State};
use domain::id::UserId;
use domain::notes::list::{Key, ListPosition, NotePage, NoteQuery, Order};
use domain::store::{Reader, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::links::Base;
use super::query::Query;
use super::reading::Reading;
use super::response::NoteBody;
use super::snippets;
use crate::AppState;
use crate::auth::session::Authenticated;
use crate::error::ApiError;
use crate::request::ReadTicket;

const PATH: &str = "/api/notes/";

/// The number of notes read at once for an export, and their bytes, which a slow client makes the
/// process hold.
const AT_ONCE: u32 = 100;
const BYTES_AT_ONCE: u32 = 64 * 1024;

/// A page of notes.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoteList {
    /// The number of notes in the whole list.
    count: u64,
    /// The URL of the next page.
    next: Option<String>,
    /// The URL of the previous page.
    previous: Option<String>,
    /// The notes of the page.
    results: Vec<NoteBody>,
}

/// List notes
///
/// The user's notes, those changed last first. `next` and `previous` lead to the other pages; notes that come or go
/// meanwhile make none appear twice or get lost. Notes that were edited meanwhile follow on the last page where an edit
/// changes the order (`-updated_at`, `title`, `-title`, a search): one may appear twice there, none is lost. A page of long notes ends early, after 512 KiB of text as JSON writes it: `next` tells whether
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
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "The maximum number of notes of a page; default 20."),
        ("ordering" = Option<String>, Query, pattern = "^(-?(updated_at|created_at|title))?$", description = "The order; `-` means descending.", example = "-updated_at"),
        ("tag" = Option<String>, Query, max_length = 50, pattern = r"^[^\u0000]*$", description = "Only notes with this tag, ignoring case and normal form (NFC)."),
        ("is_pinned" = Option<bool>, Query, description = "Only pinned notes, or only others."),
        ("is_archived" = Option<bool>, Query, description = "Only archived notes, or only others."),
        ("trashed" = Option<bool>, Query, description = "The notes in the trash instead of the live ones."),
        ("search" = Option<String>, Query, max_length = 200, pattern = r"^[^\u0000]*$", description = "Words or prefixes of words. Only the first 20 are used."),
    ),
    responses(
        (status = 200, description = "A page of notes.", body = NoteList),
        (status = 400, description = "The query has errors: `Fields`."),
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
    let reading = Reading::of(session.user.id, &mut query);
    query.check()?;
    let (page, edited) = if reading.searching && reading.asked.words.is_empty() {
        (NotePage::default(), false)
    } else {
        let mut reader = state.store.reader_by(&ticket).await?;
        let page = reading.page(&mut *reader).await?;
        reader.done();
        page
    };
    let [next, previous] = reading.neighbours(&page, edited).map(|neighbour| {
        let cursor = reading.cursor(&page, neighbour?);
        Some(base.page(PATH, query.without_cursor(), cursor.as_deref()))
    });
    let results = if reading.searching {
        snippets::with_snippets(page.notes, reading.asked.words).await?
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

/// Some notes of a user, live or in the trash, in order of creation, and the position to continue
/// from if there are more.
pub async fn some_of_all(
    reader: &mut dyn Reader,
    user: UserId,
    trashed: bool,
    place: Option<ListPosition>,
) -> Result<(Vec<NoteBody>, Option<ListPosition>), StoreError> {
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
    let page = reader.notes(&query).await?;
    let last = page.notes.last().filter(|_| page.more);
    let next = last.map(|last| last.place(Key::Created, false));
    let notes = page.notes.into_iter();
    Ok((notes.map(|listed| listed.note.into()).collect(), next))
}
