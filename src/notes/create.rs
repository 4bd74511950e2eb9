//! `POST /api/notes/`: a new note.
//!
//! The one statement that adds it looks the token up, too: a look before would cost nearly as much again, and notes are
//! written all the time. Only when nothing was added is asked why.

use axum::Extension;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use domain::notes::create::{Create, CreateAtOnce, new_note};
use domain::notes::port::Owner;
use domain::notes::{Draft, NoteId, Written};

use super::body::{NoteBody, answer};
use super::form::{NoteFields, NoteForm};
use super::refused;
use crate::AppState;
use crate::auth::session::{Authenticated, TOUCH_EVERY, presented};
use crate::error::ApiError;
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
        (status = 409, description = "`taken`: another note has this `id`.", body = crate::openapi::answers::Error),
    ),
)]
pub(super) async fn create(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut head, _) = request.into_parts();
    let sent = NoteFields::of(&head.extensions, &head.headers).await;
    let sent = sent.and_then(|fields| read(&fields));
    let (limits, now) = (state.rules.notes, state.clock.now());
    if let (Ok((id, draft)), Some(owner)) = (&sent, bearer(&head, &state)) {
        let new = CreateAtOnce(new_note(owner, *id, draft.clone(), limits, now));
        if let Some(note) = state.store.write_by(origin.write_by, new).await? {
            return Ok(answer(StatusCode::CREATED, note));
        }
    }
    // Something is wrong, or there is nothing new. If it is the token, that comes before all else.
    let Authenticated(session) = Authenticated::from_request_parts(&mut head, &state).await?;
    let (id, draft) = sent?;
    let create = Create::new(session.user.id, id, draft, limits, now);
    let written = state.store.write_by(origin.write_by, create).await?;
    Ok(match written.map_err(refused)? {
        Written::Created(note) => answer(StatusCode::CREATED, note),
        Written::Changed(note) | Written::Unchanged(note) => answer(StatusCode::OK, note),
    })
}

/// The note that is sent, with an identifier in any case.
fn read(fields: &NoteFields) -> Result<(NoteId, Draft), ApiError> {
    let mut form = NoteForm::new(fields);
    let (id, draft) = (form.id(), form.draft());
    form.finish().map_err(ApiError::Fields)?;
    Ok((id.unwrap_or_else(NoteId::generate), draft))
}

/// Whoever has the request's token, if its session needs no more than to be looked at: a session that was not used
/// for some minutes is noted to be, which is [`Authenticated`]'s business.
fn bearer(head: &Parts, state: &AppState) -> Option<Owner> {
    let noted = TOUCH_EVERY.min(state.rules.session.idle);
    Some(Owner::Bearer {
        token: presented(&head.headers).ok()?,
        used_since: state.clock.now() - noted,
    })
}
