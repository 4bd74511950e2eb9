//! `POST /api/notes/`: creates a note.
//!
//! The statement that inserts it also checks the token, because a separate look-up would cost
//! nearly as much again and notes are written all the time. Only if nothing was inserted is the
//! reason looked up.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use domain::notes::create::{Create, CreateAtOnce, new_note};
use domain::notes::port::NoteOwner;
use domain::notes::{Draft, NoteId};
use domain::token::SecretHash;
use jiff::Timestamp;

use super::refused;
use super::request::{NoteFields, NoteForm};
use super::response::{self, NoteBody};
use crate::AppState;
use crate::auth::session::{Authenticated, BearerToken, noted_every};
use crate::error::ApiError;
use crate::long::aside;
use crate::openapi::notes::NewNoteRequest;
use crate::request::RequestContext;

/// Create a note
///
/// The client may choose the `id`; then a repeated request creates no second note.
#[utoipa::path(
    post,
    path = "/api/notes/",
    operation_id = "createNote",
    tag = "Notes",
    request_body = NewNoteRequest,
    responses(
        (status = 201, description = "The new note, with its `Location`.", body = NoteBody),
        (status = 200, description = "The note already exists with the same content; it is in the trash if it has `trashed_at`.", body = NoteBody),
        (status = 400, description = "A field has errors: `Fields`."),
        (status = 403, description = "`note_limit_reached`: the plan holds no more notes; `storage_limit_reached`: no more bytes of them, those in the trash included.", body = crate::openapi::notes::NoteLimitReached),
        (status = 409, description = "`taken`: another note has this `id`."),
    ),
)]
pub(super) async fn create(
    State(state): State<AppState>,
    BearerToken { token, user }: BearerToken,
    Extension(context): Extension<RequestContext>,
    fields: Result<NoteFields, ApiError>,
) -> Result<Response, ApiError> {
    let sent = fields.and_then(|fields| read(&fields));
    if let Ok(Sending { id, made, draft }) = &sent {
        state.writes.notes(user, 1)?;
        let bytes = draft.content.len();
        let (id, made, draft, owner) = (*id, *made, draft.clone(), bearer(token, &state));
        let (limits, now) = (state.policies.notes, state.clock.now());
        let fold = move || new_note(owner, id, draft, limits, now).made(made);
        let new = aside(bytes, fold).await?;
        let added = state
            .store
            .write_by(&context.ticket, CreateAtOnce(new))
            .await?;
        if let Some(note) = added {
            return Ok(response::created(note));
        }
    }
    // Boxed, because it is rare and would otherwise enlarge every request's future.
    Box::pin(step_by_step(state, context, token, sent)).await
}

/// The slow path for errors and repeated requests. A wrong token is reported before everything
/// else.
async fn step_by_step(
    state: AppState,
    context: RequestContext,
    token: SecretHash,
    sent: Result<Sending, ApiError>,
) -> Result<Response, ApiError> {
    let Authenticated(session) = Authenticated::by(token, Some(&context), &state).await?;
    let Sending { id, made, draft } = sent?;
    let (user, limits, now) = (session.user.id, state.policies.notes, state.clock.now());
    let bytes = draft.content.len();
    let fold = move || Create::new(user, id, draft, limits, now).made(made);
    let create = aside(bytes, fold).await?;
    let written = state.store.write_by(&context.ticket, create).await?;
    Ok(response::written(written.map_err(refused)?))
}

/// The note in the request.
struct Sending {
    /// The id, if the client has chosen one.
    id: Option<NoteId>,
    /// When the client created it, if given.
    made: Option<Timestamp>,
    draft: Draft,
}

fn read(fields: &NoteFields) -> Result<Sending, ApiError> {
    let mut form = NoteForm::new(fields);
    let note = Sending {
        id: form.id(),
        made: form.made(),
        draft: form.draft(),
    };
    form.finish().map_err(ApiError::Fields)?;
    Ok(note)
}

/// The bearer of the token, if its session needs no update. The use of a session that was unused
/// for some minutes is recorded by [`Authenticated`].
fn bearer(token: SecretHash, state: &AppState) -> NoteOwner {
    NoteOwner::Bearer {
        token,
        used_since: state.clock.now() - noted_every(state.policies.session.idle),
    }
}
