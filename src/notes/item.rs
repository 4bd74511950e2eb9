//! `/api/notes/{id}/`: one note.

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::notes::edit::{Replace, UpdateNote};
use domain::notes::remove::{Remove, Restore};
use domain::notes::{Note, NoteId, Refused, Written};
use domain::store::Write;

use super::conditions::condition;
use super::query::Query;
use super::request::{NoteFields, NoteForm};
use super::response::{self, NoteBody, REVALIDATE, etag};
use super::{id_of, refused};
use crate::AppState;
use crate::auth::session::Authenticated;
use crate::error::ApiError;
use crate::long::aside;
use crate::openapi::notes::{NoteChanged, NoteLimitReached, NoteRequest, PatchRequest};
use crate::request::{ReadTicket, RequestContext};

type Id = Result<Path<String>, PathRejection>;

/// Show a note
///
/// `ETag` is its version; with `If-None-Match` it is sent only if it has another. A note in the trash is shown in the
/// list of the trash alone.
#[utoipa::path(
    get,
    path = "/api/notes/{id}/",
    operation_id = "showNote",
    tag = "Notes",
    params(
        ("id" = String, Path, pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", description = "The note's `id`.", example = "01935b5e-6a3c-7c1e-9d1a-0f6f2b8c4d5e"),
        ("If-None-Match" = Option<String>, Header, description = "Versions that the client already has.", example = "\"3\""),
    ),
    responses(
        (status = 200, description = "The note.", body = NoteBody),
        (status = 304, description = "The client has this version."),
        (status = 400, description = "The `id` is not a UUID: `Fields`."),
        (status = 404, description = "`not_found`: the user has no such note."),
    ),
)]
pub(super) async fn show(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    ReadTicket(ticket): ReadTicket,
    headers: HeaderMap,
    id: Id,
) -> Result<Response, ApiError> {
    let id = id_of(id)?;
    let mut reader = state.store.reader_by(&ticket).await?;
    let note = reader.note(session.user.id, id).await?;
    reader.done();
    let note = note.filter(Note::is_live).ok_or(ApiError::NotFound)?;
    let condition = condition(&headers);
    let known = condition
        .none_of
        .is_some_and(|known| known.name(Some(note.version)));
    let mut response = if known {
        let tag = [(header::ETAG, etag(note.version))];
        (StatusCode::NOT_MODIFIED, tag).into_response()
    } else {
        response::found(note)
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, REVALIDATE);
    Ok(response)
}

/// Put a note
///
/// Replaces the note, or makes one with this `id`; also over one that is in the trash. What is not named is as in an
/// empty note. With `If-Match` only if the note has that version, with `If-None-Match: *` only if there is none, not
/// even in the trash.
#[utoipa::path(
    put,
    path = "/api/notes/{id}/",
    operation_id = "putNote",
    tag = "Notes",
    params(
        ("id" = String, Path, pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", description = "The note's `id`.", example = "01935b5e-6a3c-7c1e-9d1a-0f6f2b8c4d5e"),
        ("If-Match" = Option<String>, Header, description = "Versions that may be replaced.", example = "\"3\""),
        ("If-None-Match" = Option<String>, Header, description = "Versions that may not, or `*`.", example = "*"),
    ),
    request_body = NoteRequest,
    responses(
        (status = 200, description = "The note as it is now.", body = NoteBody),
        (status = 201, description = "The note, which is new.", body = NoteBody),
        (status = 400, description = "A field has errors: `Fields`."),
        (status = 403, description = "`note_limit_reached`: the plan holds no more notes; `storage_limit_reached`: no more bytes of them, those in the trash included.", body = NoteLimitReached),
        (status = 404, description = "`not_found`: the `id` is that of no note this user could have."),
        (status = 412, description = "`note_changed`: the note is another than expected.", body = NoteChanged),
    ),
)]
pub(super) async fn replace(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    id: Id,
    fields: NoteFields,
) -> Result<Response, ApiError> {
    let (id, (draft, made)) = read(id, &fields, |form| (form.draft(), form.made()))?;
    state.writes.notes(session.user.id, 1)?;
    let (user, limits, now) = (session.user.id, state.policies.notes, state.clock.now());
    let (bytes, expected) = (draft.content.len(), condition(&headers));
    let fold = move || Replace::new(user, id, draft, expected, limits, now).made(made);
    let replace = aside(bytes, fold).await?;
    write(&state, &context, replace).await
}

/// Change a note
///
/// What is named is changed, the rest stays. With `If-Match` only if the note has that version.
#[utoipa::path(
    patch,
    path = "/api/notes/{id}/",
    operation_id = "changeNote",
    tag = "Notes",
    params(
        ("id" = String, Path, pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", description = "The note's `id`.", example = "01935b5e-6a3c-7c1e-9d1a-0f6f2b8c4d5e"),
        ("If-Match" = Option<String>, Header, description = "Versions that may be changed.", example = "\"3\""),
    ),
    request_body = Option<PatchRequest>,
    responses(
        (status = 200, description = "The note as it is now.", body = NoteBody),
        (status = 400, description = "A field is wrong, or nothing would be left of the note: `Fields`."),
        (status = 403, description = "`storage_limit_reached`: the note would be longer, and the plan holds no more bytes of notes.", body = NoteLimitReached),
        (status = 404, description = "`not_found`: the user has no such note."),
        (status = 412, description = "`note_changed`: the note is another than expected.", body = NoteChanged),
    ),
)]
pub(super) async fn change(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    id: Id,
    fields: NoteFields,
) -> Result<Response, ApiError> {
    let (id, patch) = read(id, &fields, NoteForm::patch)?;
    state.writes.notes(session.user.id, 1)?;
    let (user, limits, now) = (session.user.id, state.policies.notes, state.clock.now());
    let expected = condition(&headers);
    let bytes = patch.content.as_ref().map_or(0, String::len);
    let fold = move || UpdateNote::new(user, id, patch, expected, limits, now);
    let change = aside(bytes, fold).await?;
    write(&state, &context, change).await
}

/// Delete a note
///
/// The note goes into the trash, where it stays for 30 days unless the server says otherwise; one that is there stays
/// there, so that a DELETE may be repeated. With `permanent=true` it is gone for good, wherever it is.
#[utoipa::path(
    delete,
    path = "/api/notes/{id}/",
    operation_id = "deleteNote",
    tag = "Notes",
    params(
        ("id" = String, Path, pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", description = "The note's `id`.", example = "01935b5e-6a3c-7c1e-9d1a-0f6f2b8c4d5e"),
        ("permanent" = Option<bool>, Query, description = "Whether to delete permanently."),
        ("If-Match" = Option<String>, Header, description = "Versions that may be deleted.", example = "\"3\""),
    ),
    responses(
        (status = 204, description = "The note is in the trash or permanently deleted."),
        (status = 400, description = "The `id` is not a UUID, or `permanent` is not a boolean: `Fields`."),
        (status = 404, description = "`not_found`: the user has no such note."),
        (status = 412, description = "`note_changed`: the note is another than expected.", body = NoteChanged),
    ),
)]
pub(super) async fn remove(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    id: Id,
) -> Result<StatusCode, ApiError> {
    let id = id_of(id)?;
    let mut query = Query::new(query.as_deref());
    let permanent = query.flag("permanent").unwrap_or(false);
    query.check()?;
    let remove = Remove {
        user: session.user.id,
        id,
        permanent,
        condition: condition(&headers),
        now: state.clock.now(),
    };
    let removed = state.store.write_by(&context.ticket, remove).await?;
    removed.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Restore a note
///
/// Restores the note from the trash. A live note stays unchanged.
#[utoipa::path(
    post,
    path = "/api/notes/{id}/restore/",
    operation_id = "restoreNote",
    tag = "Notes",
    params(
        ("id" = String, Path, pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$", description = "The note's `id`.", example = "01935b5e-6a3c-7c1e-9d1a-0f6f2b8c4d5e"),
        ("If-Match" = Option<String>, Header, description = "Versions that may be restored.", example = "\"3\""),
    ),
    responses(
        (status = 200, description = "The note as it is now.", body = NoteBody),
        (status = 400, description = "The `id` is not a UUID: `Fields`."),
        (status = 403, description = "`note_limit_reached`: the plan holds no more notes; `storage_limit_reached`: no more bytes of them, those in the trash included.", body = NoteLimitReached),
        (status = 404, description = "`not_found`: the user has no such note."),
        (status = 412, description = "`note_changed`: the note is another than expected.", body = NoteChanged),
    ),
)]
pub(super) async fn restore(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    id: Id,
) -> Result<Response, ApiError> {
    let id = id_of(id)?;
    state.writes.notes(session.user.id, 1)?;
    let restore = Restore {
        user: session.user.id,
        id,
        condition: condition(&headers),
        limits: state.policies.notes,
        now: state.clock.now(),
    };
    write(&state, &context, restore).await
}

/// The note id of the path, and the note fields of the body.
fn read<'a, T>(
    id: Id,
    fields: &'a NoteFields,
    part: impl FnOnce(&mut NoteForm<'a>) -> T,
) -> Result<(NoteId, T), ApiError> {
    let id = id_of(id)?;
    let mut form = NoteForm::new(fields);
    let read = part(&mut form);
    form.finish().map_err(ApiError::Fields)?;
    Ok((id, read))
}

/// Writes, and responds with the current note.
async fn write(
    state: &AppState,
    context: &RequestContext,
    write: impl Write<Out = Result<Written, Refused>>,
) -> Result<Response, ApiError> {
    let written = state.store.write_by(&context.ticket, write).await?;
    Ok(response::written(written.map_err(refused)?))
}
