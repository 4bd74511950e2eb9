//! `POST /api/notes/batch/`: merges edits that were made offline.

use axum::extract::State;
use axum::{Extension, Json};
use domain::id::UserId;
use domain::notes::batch::{Delete, Deletion, Merged, Upsert};
use domain::notes::chain::{self, Among, Below, Edit, Link};
use domain::notes::device::Device;
use domain::notes::{Note, NoteId, Written};
use domain::store::StoreError;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::edits::{Unread, device_of, edits_of, legible, read};
use super::response::NoteBody;
use super::restores;
use crate::AppState;
use crate::auth::session::Authenticated;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::json::JsonValue;
use crate::long::aside;
use crate::openapi::notes::{BatchRequest, EditCode, EditStatus};
use crate::request::RequestContext;

/// The response size in bytes after which no further edit is tried.
const ANSWER: usize = 4 * 1024 * 1024;

/// The results of a batch.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchResults {
    /// One result for each edit, in order.
    #[schema(value_type = Vec<EditResult>)]
    results: Vec<Box<RawValue>>,
}

/// The result of an edit.
#[derive(Default, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EditResult {
    /// The id of the note as sent; `null` if the edit has none.
    id: Option<String>,
    /// `created`, `updated`, `deleted`, `unchanged`, `conflict` or `error`.
    #[schema(value_type = EditStatus)]
    status: &'static str,
    /// The current note; in the trash if it has `trashed_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    note: Option<NoteBody>,
    /// After a conflict, the edit as a separate note, unless that was permanently deleted since.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    copy: Option<NoteBody>,
    /// The reason of a refusal, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    /// The reason of a refusal, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<EditCode>)]
    code: Option<String>,
    /// The errors of the edit's fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<std::collections::HashMap<String, Vec<String>>>)]
    fields: Option<Map<String, Value>>,
}

impl EditResult {
    /// The outcome of an edit of that version.
    fn fate(&self, base: Option<i64>) -> Fate {
        let version = self.note.as_ref().map(|note| note.version);
        match self.status {
            "conflict" | "error" => Fate::Refused,
            "created" | "updated" => Fate::Written(version),
            // Only if it is the version that was edited; else the edit was written before and
            // overwritten.
            _ => Fate::Written(version.filter(|version| base == Some(*version))),
        }
    }
}

/// Merge edits
///
/// Applies edits that were made offline, each on its own and in their order. An edit names the version that it is an
/// edit of; where the note has another by now and says something else, both are kept: the note as it is, and the edit
/// as a copy, linked by `conflict_of`. A note in the trash stays there then; an edit of the text that lies there takes it
/// out. Once the answer has more than 4 MiB, the edits that follow are not tried and have
/// the code `answer_too_large`: send them again in another batch. Those that only make sense beside an edit that was tried
/// are tried, but `note` is left out. Edits of one note may stand on one another, each naming the version that the one
/// before it will make; if that one was not written, they are in conflict as well. The same batch sent again changes
/// nothing; where others have changed a note since, what an edit says is kept as a copy, too. A batch may name its
/// `device`: then an edit is no conflict if that device itself wrote every version since the one it is an edit of, as
/// when an answer got lost and the device has gone on editing. An edit that it has sent before is no such one.
#[utoipa::path(
    post,
    path = "/api/notes/batch/",
    operation_id = "mergeEdits",
    tag = "Notes",
    request_body = BatchRequest,
    responses(
        (status = 200, description = "What came of each edit.", body = BatchResults),
        (status = 400, description = "There are no edits, or more than 100, or `device` is no name: `Fields`. Nothing was changed."),
    ),
)]
pub(super) async fn batch(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    Fields(fields): Fields,
) -> Result<Json<BatchResults>, ApiError> {
    let (sent, device) = (edits_of(&fields)?, device_of(&fields)?);
    let edits: Vec<_> = sent.iter().map(read).collect();
    let writes =
        |edit: &&Result<Edit, Unread>| edit.as_ref().is_ok_and(|edit| edit.draft.is_some());
    let writing = edits.iter().filter(writes).count();
    state
        .writes
        .notes(session.user.id, u32::try_from(writing).unwrap_or(u32::MAX))?;
    let links = chain::of(edits.iter().map(legible));
    // What stands on another edit names a version that the device has worked out rather than been told.
    let alone = edits
        .iter()
        .zip(&links)
        .filter(|(_, link)| link.below.is_none());
    let bases = alone.filter_map(|(edit, _)| edit.as_ref().ok()?.named());
    restores::named(&state, &context, session.user.id, bases).await?;
    let mut answer = BatchResponse::default();
    let mut unwritten = 0;
    for (n, (edit, link)) in edits.into_iter().zip(links).enumerate() {
        let is_tried = answer.has_room() || answer.must_have(&link);
        let among = Among {
            below: answer.below(&link),
            undoes: link.undone.is_some(),
            end: link.end,
        };
        let (result, fate) = match edit {
            edit if !is_tried => {
                unwritten += u32::from(writes(&&edit));
                (untried(&sent[n]), Fate::Untried)
            }
            Ok(edit) => merge(&state, &context, session.user.id, edit, among, device).await,
            Err(unread) => (unread_result(&sent[n], unread.fields), Fate::Refused),
        };
        answer.add(result, fate);
    }
    state.writes.untried(session.user.id, unwritten);
    Ok(Json(BatchResults {
        results: answer.results,
    }))
}

/// The outcome of an edit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was written, or changed nothing. Contains the resulting version for edits based on it, if
    /// known.
    Written(Option<i64>),
    /// It was not written.
    Refused,
    /// It must be sent again.
    Untried,
}

/// The results so far, serialised, so that their length is known.
#[derive(Default)]
struct BatchResponse {
    results: Vec<Box<RawValue>>,
    fates: Vec<Fate>,
    bytes: usize,
}

impl BatchResponse {
    fn has_room(&self) -> bool {
        self.bytes <= ANSWER
    }

    /// Whether an edit is tried without room for it: sent again by itself, it would mean something else. What it stands
    /// on was refused, so that its base is another version's number by chance; or the deletion that it undoes was
    /// applied, so that it would pass for an older edit.
    fn must_have(&self, link: &Link) -> bool {
        let fate = |place: Option<usize>| place.map(|place| self.fates[place]);
        fate(link.below) == Some(Fate::Refused)
            || matches!(fate(link.undone), Some(Fate::Written(_)))
    }

    /// The outcome of the edit that another one is based on.
    fn below(&self, link: &Link) -> Below {
        match link.below.map(|below| self.fates[below]) {
            None | Some(Fate::Written(None)) => Below::Nothing,
            Some(Fate::Written(Some(version))) => Below::Left(version),
            Some(Fate::Refused | Fate::Untried) => Below::Unwritten,
        }
    }

    /// If the response is full, the current note is left out. A copy has no more text than was
    /// sent.
    fn add(&mut self, mut result: EditResult, fate: Fate) {
        if !self.has_room() {
            result.note = None;
        }
        let sent = to_raw_value(&result).expect("results are plain data");
        self.bytes += sent.get().len();
        self.fates.push(fate);
        self.results.push(sent);
    }
}

/// Applies an edit. A failure affects only this edit; earlier ones are done.
async fn merge(
    state: &AppState,
    context: &RequestContext,
    user: UserId,
    edit: Edit,
    among: Among,
    device: Option<Device>,
) -> (EditResult, Fate) {
    let (id, base) = (edit.id, among.base(edit.base));
    let (result, fate) = match edit.draft {
        Some(_) => {
            let result = upsert(state, context, user, edit, among, device).await;
            let fate = result.fate(base);
            (result, fate)
        }
        None => delete(state, context, user, edit, among, device).await,
    };
    let id = Some(id.to_string());
    (EditResult { id, ..result }, fate)
}

async fn upsert(
    state: &AppState,
    context: &RequestContext,
    user: UserId,
    edit: Edit,
    among: Among,
    device: Option<Device>,
) -> EditResult {
    let (limits, now) = (state.policies.notes, state.clock.now());
    let draft = edit.draft.unwrap_or_default();
    let bytes = draft.content.len();
    let fold = move || {
        let upsert = Upsert::new(user, edit.id, draft, edit.base, limits, now);
        upsert.made(edit.made).among(among).from_device(device)
    };
    let merged = async {
        let upsert = aside(bytes, fold).await?;
        let merged = state.store.write_by(&context.ticket, upsert).await?;
        merged.map_err(super::refused)
    };
    merged.await.map_or_else(|refused| error(&refused), done)
}

async fn delete(
    state: &AppState,
    context: &RequestContext,
    user: UserId,
    edit: Edit,
    among: Among,
    device: Option<Device>,
) -> (EditResult, Fate) {
    let is_on_unwritten = among.below == Below::Unwritten;
    let delete = Delete {
        user,
        id: edit.id,
        base: edit.base,
        among,
        device,
        now: state.clock.now(),
    };
    let deleted = match state.store.write_by(&context.ticket, delete).await {
        Ok(deleted) => deleted,
        Err(busy) => return (error(&busy.into()), Fate::Refused),
    };
    let result = deletion(state, context, user, edit.id, deleted).await;
    let result = result.unwrap_or_else(|failed| error(&failed.into()));
    let fate = match deleted {
        Deletion::Done(version) => Fate::Written(Some(version)),
        // Edits based on it are based on an unwritten version, too.
        Deletion::Absent if is_on_unwritten => Fate::Refused,
        Deletion::Absent | Deletion::Conflict => result.fate(None),
    };
    (result, fate)
}

fn done(merged: Merged) -> EditResult {
    let (status, note, copy) = match merged {
        Merged::Written(Written::Created(note)) => ("created", note, None),
        Merged::Written(Written::Changed(note)) => ("updated", note, None),
        Merged::Written(Written::Unchanged(note)) => ("unchanged", note, None),
        Merged::Conflict { theirs, copy } => ("conflict", theirs, copy),
    };
    EditResult {
        status,
        note: Some(note.into()),
        copy: copy.map(Into::into),
        ..EditResult::default()
    }
}

/// A deletion that is in conflict is shown the note as it is by now; if it is gone by now, there is none to delete.
async fn deletion(
    state: &AppState,
    context: &RequestContext,
    user: UserId,
    id: NoteId,
    deleted: Deletion,
) -> Result<EditResult, StoreError> {
    let (status, note) = match deleted {
        Deletion::Done(_) => ("deleted", None),
        Deletion::Absent => ("unchanged", None),
        Deletion::Conflict => {
            let mut reader = state.store.reader_by(&context.ticket).await?;
            let theirs = reader.note(user, id).await?.filter(Note::is_live);
            let status = theirs.as_ref().map_or("unchanged", |_| "conflict");
            (status, theirs)
        }
    };
    Ok(EditResult {
        status,
        note: note.map(Into::into),
        ..EditResult::default()
    })
}

fn error(why: &ApiError) -> EditResult {
    let (error, code) = why.words();
    EditResult {
        status: "error",
        error: Some(error),
        code: Some(code),
        ..EditResult::default()
    }
}

/// The result of an edit that can't be read.
fn unread_result(sent: &JsonValue, fields: Map<String, Value>) -> EditResult {
    EditResult {
        id: name(sent),
        status: "error",
        error: Some("The edit can't be read.".to_owned()),
        code: Some("invalid".to_owned()),
        fields: Some(fields),
        ..EditResult::default()
    }
}

/// The result of an edit after the response has become too large.
fn untried(sent: &JsonValue) -> EditResult {
    EditResult {
        id: name(sent),
        status: "error",
        error: Some("The answer is too large. Send this edit again in another batch.".to_owned()),
        code: Some("answer_too_large".to_owned()),
        ..EditResult::default()
    }
}

/// The id in an edit, in lower case if it is a valid UUID.
fn name(sent: &JsonValue) -> Option<String> {
    let JsonValue::Object(members) = sent else {
        return None;
    };
    let id = members.get("id").and_then(JsonValue::as_str)?;
    Some(
        id.parse::<NoteId>()
            .map_or(id.to_owned(), |id| id.to_string()),
    )
}
