//! `GET /api/notes/changes/`: the feed of changes, for devices that store notes.

use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use domain::notes::changes::{ChangePage, NoteChange};
use serde::Serialize;
use utoipa::ToSchema;

use super::cursor::{self, FeedPlace};
use super::query::Query;
use super::response::NoteBody;
use super::restores;
use crate::AppState;
use crate::auth::session::Authenticated;
use crate::error::ApiError;
use crate::request::{ReadTicket, RequestContext};

/// A page of the feed.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeList {
    /// The changes in commit order.
    changes: Vec<ChangeEntry>,
    /// The cursor of the next page.
    cursor: String,
    /// Whether there are more changes.
    has_more: bool,
}

/// The latest change of a note.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeEntry {
    /// The id of the note.
    #[schema(pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")]
    id: String,
    /// The current version. That of a deleted note is higher than all before.
    #[schema(minimum = 1)]
    version: i64,
    /// Whether the note is in the trash or permanently deleted.
    deleted: bool,
    /// The current note, unless it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    note: Option<NoteBody>,
}

impl From<NoteChange> for ChangeEntry {
    fn from(change: NoteChange) -> Self {
        match change {
            NoteChange::Written(note) => Self {
                id: note.id.to_string(),
                version: note.version,
                deleted: false,
                note: Some((*note).into()),
            },
            NoteChange::Deleted { id, version } => Self {
                id: id.to_string(),
                version,
                deleted: true,
                note: None,
            },
        }
    }
}

/// Follow the changes
///
/// Every change of the user's notes since the cursor, in the order in which they were made; a note that was changed
/// several times stands under its last change. A part with long notes ends early, after 512 KiB of text as JSON writes it: go by `has_more`.
/// Without a cursor, from the beginning. What was deleted is told for 90
/// days, unless the server says otherwise; an older cursor is refused with 410, and the client starts over. So is one
/// that was given after the backup from which the server has been restored.
#[utoipa::path(
    get,
    path = "/api/notes/changes/",
    operation_id = "followChanges",
    tag = "Notes",
    params(
        ("cursor" = Option<String>, Query, description = "The `cursor` of the previous page."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "The maximum number of changes of a page; default 20."),
    ),
    responses(
        (status = 200, description = "A page of the feed.", body = ChangeList),
        (status = 400, description = "The query has errors: `Fields`."),
        (status = 410, description = "`cursor_expired`: start over, without a cursor."),
    ),
)]
pub(super) async fn changes(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    ReadTicket(ticket): ReadTicket,
    Extension(context): Extension<RequestContext>,
    RawQuery(raw): RawQuery,
) -> Result<Json<ChangeList>, ApiError> {
    let user = session.user.id;
    let mut query = Query::new(raw.as_deref());
    let place = query.cursor(|given| cursor::in_feed(user, given));
    let limit = query.page_size();
    query.check()?;
    let after = place.map_or(0, |place| place.change);
    let mut reader = state.store.reader_by(&ticket).await?;
    let page = reader.note_changes(user, after, limit).await?;
    reader.done();
    if let Some(place) = place.filter(|place| !is_good(*place, &page)) {
        if place.latest() > page.numbers.newest {
            restores::noticed(&state, &context, user, place.latest(), true).await?;
        }
        return Err(ApiError::CursorExpired);
    }
    let newest = page.numbers.newest;
    let place = FeedPlace {
        change: page.upto,
        began: place.map_or(newest, |place| place.began),
        newest: if page.more { newest } else { page.upto },
    };
    Ok(Json(ChangeList {
        changes: page.changes.into_iter().map(Into::into).collect(),
        cursor: cursor::of_feed(user, place),
        has_more: page.more,
    }))
}

/// Whether the reader can go on: every deletion since is remembered, and what was read is what happened, rather than
/// what got lost when a backup was put back.
fn is_good(place: FeedPlace, page: &ChangePage) -> bool {
    let read = [place.knows(), place.latest()];
    page.forgotten <= place.knows() && read.iter().all(|change| page.numbers.include(*change))
}
