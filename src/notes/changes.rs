//! `GET /api/notes/changes/`: what became of the notes, for devices that keep them.

use axum::Json;
use axum::extract::{RawQuery, State};
use domain::notes::changes::Change;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::NoteBody;
use super::cursor::{self, FeedPlace};
use super::query::Query;
use crate::AppState;
use crate::auth::session::Authenticated;
use crate::error::ApiError;
use crate::request::ReadTicket;

/// A part of the feed.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeList {
    /// The changes, in the order in which they were made.
    changes: Vec<ChangeEntry>,
    /// Where to go on.
    cursor: String,
    /// Whether there are more already.
    has_more: bool,
}

/// What became of a note.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeEntry {
    /// Which.
    #[schema(pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")]
    id: String,
    /// Its version now. That of a deleted note is higher than any it had.
    #[schema(minimum = 1)]
    version: i64,
    /// Whether it is in the trash, or gone.
    deleted: bool,
    /// The note as it is now, unless it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    note: Option<NoteBody>,
}

impl From<Change> for ChangeEntry {
    fn from(change: Change) -> Self {
        match change {
            Change::Written(note) => Self {
                id: note.id.to_string(),
                version: note.version,
                deleted: false,
                note: Some((*note).into()),
            },
            Change::Deleted { id, version } => Self {
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
/// days, unless the server says otherwise; an older cursor is refused with 410, and the client starts over.
#[utoipa::path(
    get,
    path = "/api/notes/changes/",
    operation_id = "followChanges",
    tag = "Notes",
    params(
        ("cursor" = Option<String>, Query, description = "The `cursor` of the part before."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "The most changes of a part; 20 unless given."),
    ),
    responses(
        (status = 200, description = "A part of the feed.", body = ChangeList),
        (status = 400, description = "Something in the query is wrong: `Fields`."),
        (status = 410, description = "`cursor_expired`: start over, without a cursor."),
    ),
)]
pub(super) async fn changes(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    ReadTicket(ticket): ReadTicket,
    RawQuery(raw): RawQuery,
) -> Result<Json<ChangeList>, ApiError> {
    let user = session.user.id;
    let mut query = Query::new(raw.as_deref());
    let place = query.cursor(|given| cursor::in_feed(user, given));
    let limit = query.page_size();
    query.check()?;
    let after = place.map_or(0, |place| place.change);
    let mut view = state.store.view_by(&ticket).await?;
    let page = view.note_changes(user, after, limit).await?;
    view.done();
    // A place that the book has not come to was given out before a backup was put back.
    let is_good = |place: FeedPlace| (page.forgotten..=page.newest).contains(&place.knows());
    if !place.is_none_or(is_good) {
        return Err(ApiError::CursorExpired);
    }
    let place = FeedPlace {
        change: page.upto,
        began: place.map_or(page.newest, |place| place.began),
    };
    Ok(Json(ChangeList {
        changes: page.changes.into_iter().map(Into::into).collect(),
        cursor: cursor::of_feed(user, place),
        has_more: page.more,
    }))
}
