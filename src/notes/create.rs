//! `POST /api/notes/`: a new note.
//!
//! The one statement that adds it looks the token up, too: a look before would cost nearly as much again, and notes are
//! written all the time. Only when nothing was added is asked why.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use domain::notes::create::{Create, CreateAtOnce, new_note};
use domain::notes::port::NoteOwner;
use domain::notes::{Draft, NoteId};
use domain::token::SecretHash;
use jiff::Timestamp;

use super::body::{self, NoteBody};
use super::form::{NoteFields, NoteForm};
use super::refused;
use crate::AppState;
use crate::auth::session::{Authenticated, Presented, noted_every};
use crate::error::ApiError;
use crate::long::aside;
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
        (status = 200, description = "The note was there already and says the same; it is in the trash if it has `trashed_at`.", body = NoteBody),
        (status = 400, description = "A field is wrong: `Fields`."),
        (status = 403, description = "`note_limit_reached`: the plan holds no more notes; `storage_limit_reached`: no more bytes of them, those in the trash included.", body = crate::openapi::notes::NoteLimitReached),
        (status = 409, description = "`taken`: another note has this `id`."),
    ),
)]
pub(super) async fn create(
    State(state): State<AppState>,
    Presented { token, user }: Presented,
    Extension(origin): Extension<Origin>,
    fields: Result<NoteFields, ApiError>,
) -> Result<Response, ApiError> {
    let sent = fields.and_then(|fields| read(&fields));
    if let Ok(Sending { id, made, draft }) = &sent {
        state.writes.notes(user, 1)?;
        let bytes = draft.content.len();
        let (id, made, draft, owner) = (*id, *made, draft.clone(), bearer(token, &state));
        let (limits, now) = (state.rules.notes, state.clock.now());
        let fold = move || new_note(owner, id, draft, limits, now).made(made);
        let new = aside(bytes, fold).await?;
        let added = state
            .store
            .write_by(&origin.ticket, CreateAtOnce(new))
            .await?;
        if let Some(note) = added {
            return Ok(body::created(note));
        }
    }
    // In a box: it is rare, and its room would be every request's.
    Box::pin(step_by_step(state, origin, token, sent)).await
}

/// When something is wrong, or nothing new. If the token is wrong, that comes before all else.
async fn step_by_step(
    state: AppState,
    origin: Origin,
    token: SecretHash,
    sent: Result<Sending, ApiError>,
) -> Result<Response, ApiError> {
    let Authenticated(session) = Authenticated::by(token, Some(&origin), &state).await?;
    let Sending { id, made, draft } = sent?;
    let (user, limits, now) = (session.user.id, state.rules.notes, state.clock.now());
    let bytes = draft.content.len();
    let fold = move || Create::new(user, id, draft, limits, now).made(made);
    let create = aside(bytes, fold).await?;
    let written = state.store.write_by(&origin.ticket, create).await?;
    Ok(body::written(written.map_err(refused)?))
}

/// The note that is sent.
struct Sending {
    /// Which it is to be, if the client has chosen.
    id: Option<NoteId>,
    /// When the client made it, if it says so.
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

/// Whoever has the token, if its session needs no more than to be looked at: a session that was not used
/// for some minutes is noted to be, which is [`Authenticated`]'s business.
fn bearer(token: SecretHash, state: &AppState) -> NoteOwner {
    NoteOwner::Bearer {
        token,
        used_since: state.clock.now() - noted_every(state.rules.session.idle),
    }
}
