//! `POST /api/notes/`: a new note.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::notes::create::Create;
use domain::notes::{NoteId, Written};

use super::body::{NoteBody, answer};
use super::form::NoteForm;
use super::refused;
use crate::AppState;
use crate::auth::session::Authenticated;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::openapi::notes::NewNoteRequest;
use crate::request::Origin;

/// Make a note
///
/// The client may choose its `id`; then the same request sent again makes no second note.
#[utoipa::path(
    post,
    path = "/api/notes/",
    operation_id = "createNote",
    tag = "Notes",
    request_body = NewNoteRequest,
    responses(
        (status = 201, description = "The note; `Location` says where it is.", body = NoteBody),
        (status = 200, description = "The note was there already and says the same.", body = NoteBody),
        (status = 400, description = "A field is wrong: `Fields`."),
        (status = 403, description = "`note_limit_reached`: the plan holds no more notes.", body = crate::openapi::notes::NoteLimitReached),
        (status = 409, description = "`taken`: another note has this `id`."),
    ),
)]
pub(super) async fn create(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    Fields(fields): Fields,
) -> Result<Response, ApiError> {
    let mut form = NoteForm::new(&fields);
    let (id, draft) = (form.id(), form.draft());
    form.finish().map_err(ApiError::Fields)?;
    let create = Create::new(
        session.user.id,
        id.unwrap_or_else(NoteId::generate),
        draft,
        state.rules.notes,
        state.clock.now(),
    );
    let written = state.store.write_by(origin.write_by, create).await?;
    Ok(match written.map_err(refused)? {
        Written::Created(note) => answer(StatusCode::CREATED, note),
        Written::Changed(note) | Written::Unchanged(note) => answer(StatusCode::OK, note),
    })
}
