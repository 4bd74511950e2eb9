//! `POST /api/notes/batch/`: edits that were made offline.

use axum::extract::State;
use axum::{Extension, Json};
use domain::id::UserId;
use domain::notes::batch::{Delete, Deletion, EDITS, Merged, Upsert};
use domain::notes::chain::{self, Among, Edit, Legible, Link};
use domain::notes::{Draft, Note, NoteId, Written};
use domain::store::StoreError;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::body::NoteBody;
use super::form::{NO_UUID, NoteForm};
use crate::AppState;
use crate::auth::session::Authenticated;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::long::aside;
use crate::openapi::notes::{BatchRequest, EditCode, EditStatus};
use crate::request::Origin;
use crate::sent::{Members, Sent};

/// Bytes of an answer after which no further edit is tried.
const ANSWER: usize = 4 * 1024 * 1024;

/// What came of a batch.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchResults {
    /// One for each edit, in their order.
    #[schema(value_type = Vec<EditResult>)]
    results: Vec<Box<RawValue>>,
}

/// What came of an edit.
#[derive(Default, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EditResult {
    /// The note that it is about, whatever it was called; `null` if the edit names none.
    id: Option<String>,
    /// `created`, `updated`, `deleted`, `unchanged`, `conflict` or `error`.
    #[schema(value_type = EditStatus)]
    status: &'static str,
    /// The note as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    note: Option<NoteBody>,
    /// In a conflict, the edit as a note of its own, unless it was deleted for good since.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    copy: Option<NoteBody>,
    /// Why it was refused, for a person to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<String>,
    /// Why it was refused, for a program.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<EditCode>)]
    code: Option<String>,
    /// What is wrong with which field of the edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<std::collections::HashMap<String, Vec<String>>>)]
    fields: Option<Map<String, Value>>,
}

impl EditResult {
    fn fate(&self) -> Fate {
        match self.status {
            "conflict" | "error" => Fate::Refused,
            _ => Fate::Written,
        }
    }
}

/// Merge edits
///
/// Applies edits that were made offline, each on its own and in their order. An edit names the version that it is an
/// edit of; where the note has another by now and says something else, both are kept: the note as it is, and the edit
/// as a copy, linked by `conflict_of`. Once the answer has more than 4 MiB, the edits that follow are not tried and have
/// the code `answer_too_large`: send them again in another batch. Those that only make sense beside an edit that was tried
/// are tried, but `note` is left out. Edits of one note may stand on one another, each naming the version that the one
/// before it will make; if that one was not written, they are in conflict as well. The same batch sent again changes
/// nothing; where others have changed a note since, what an edit says is kept as a copy, too.
#[utoipa::path(
    post,
    path = "/api/notes/batch/",
    operation_id = "mergeEdits",
    tag = "Notes",
    request_body = BatchRequest,
    responses(
        (status = 200, description = "What came of each edit.", body = BatchResults),
        (status = 400, description = "There are no edits, or more than 100: `Fields`. Nothing was changed."),
    ),
)]
pub(super) async fn batch(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    Fields(fields): Fields,
) -> Result<Json<BatchResults>, ApiError> {
    let sent = edits_of(&fields)?;
    let edits: Vec<_> = sent.iter().map(read).collect();
    let writes =
        |edit: &&Result<Edit, Unread>| edit.as_ref().is_ok_and(|edit| edit.draft.is_some());
    let writing = edits.iter().filter(writes).count();
    state
        .writes
        .notes(session.user.id, u32::try_from(writing).unwrap_or(u32::MAX))?;
    let links = chain::of(edits.iter().map(legible));
    let mut answer = Answer::default();
    let mut unwritten = 0;
    for (n, (edit, link)) in edits.into_iter().zip(links).enumerate() {
        let is_tried = answer.has_room() || answer.must_have(&link);
        let among = Among {
            on_nothing: link
                .below
                .is_some_and(|below| answer.fates[below] != Fate::Written),
            undoes: link.undone.is_some(),
            end: link.end,
        };
        let (result, fate) = match edit {
            edit if !is_tried => {
                unwritten += u32::from(writes(&&edit));
                (untried(&sent[n]), Fate::Untried)
            }
            Ok(edit) => {
                let result = merge(&state, &origin, session.user.id, edit, among).await;
                let fate = result.fate();
                (result, fate)
            }
            Err(unread) => (unread_result(&sent[n], unread.fields), Fate::Refused),
        };
        answer.add(result, fate);
    }
    state.writes.untried(session.user.id, unwritten);
    Ok(Json(BatchResults {
        results: answer.results,
    }))
}

/// What became of an edit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was written, or said nothing new.
    Written,
    /// It was not written.
    Refused,
    /// It is to be sent again.
    Untried,
}

/// The results so far, each as it is sent, so that their length is known.
#[derive(Default)]
struct Answer {
    results: Vec<Box<RawValue>>,
    fates: Vec<Fate>,
    bytes: usize,
}

impl Answer {
    fn has_room(&self) -> bool {
        self.bytes <= ANSWER
    }

    /// Whether an edit is tried without room for it: sent again by itself, it would mean something else. What it stands
    /// on was refused, so that its base is another version's number by chance; or the deletion that it undoes was
    /// applied, so that it would pass for an older edit.
    fn must_have(&self, link: &Link) -> bool {
        let was = |place: Option<usize>, fate| place.is_some_and(|place| self.fates[place] == fate);
        was(link.below, Fate::Refused) || was(link.undone, Fate::Written)
    }

    /// Without room, the note as it is is left out. A copy has no more text than was sent.
    fn add(&mut self, mut result: EditResult, fate: Fate) {
        if !self.has_room() {
            result.note = None;
        }
        let sent = to_raw_value(&result).expect("a result is plain data");
        self.bytes += sent.get().len();
        self.fates.push(fate);
        self.results.push(sent);
    }
}

/// The edits that were sent, unread.
fn edits_of(fields: &Members) -> Result<&[Sent], ApiError> {
    match fields.get("edits") {
        None => Err(Form::wrong("edits", "This field is required.")),
        Some(Sent::List(edits)) if edits.len() <= EDITS => Ok(edits),
        Some(Sent::List(_)) => {
            let message = format!("Ensure this field has no more than {EDITS} elements.");
            Err(Form::wrong("edits", &message))
        }
        Some(_) => Err(Form::wrong("edits", "Expected a list of items.")),
    }
}

/// Applies an edit. What fails here fails for it alone; what came before it is done.
async fn merge(
    state: &AppState,
    origin: &Origin,
    user: UserId,
    edit: Edit,
    among: Among,
) -> EditResult {
    let Edit {
        id,
        base,
        draft,
        made,
    } = edit;
    let (limits, now) = (state.rules.notes, state.clock.now());
    let result = if let Some(draft) = draft {
        let bytes = draft.content.len();
        let fold = move || {
            let upsert = Upsert::new(user, id, draft, base, limits, now);
            upsert.made(made).among(among)
        };
        let merged = async {
            let upsert = aside(bytes, fold).await?;
            let merged = state.store.write_by(&origin.ticket, upsert).await?;
            merged.map_err(super::refused)
        };
        merged.await.map_or_else(|refused| error(&refused), done)
    } else {
        let delete = Delete {
            user,
            id,
            base,
            among,
            now,
        };
        let deleted = state.store.write_by(&origin.ticket, delete).await;
        let shown = match deleted {
            Ok(deleted) => deletion(state, origin, user, id, deleted).await,
            Err(busy) => Err(busy),
        };
        shown.unwrap_or_else(|failed| error(&failed.into()))
    };
    EditResult {
        id: Some(id.to_string()),
        ..result
    }
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
    origin: &Origin,
    user: UserId,
    id: NoteId,
    deleted: Deletion,
) -> Result<EditResult, StoreError> {
    let (status, note) = match deleted {
        Deletion::Done => ("deleted", None),
        Deletion::Absent => ("unchanged", None),
        Deletion::Conflict => {
            let mut view = state.store.view_by(&origin.ticket).await?;
            let theirs = view.note(user, id).await?.filter(Note::is_live);
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

/// What is said of an edit that can't be read.
fn unread_result(sent: &Sent, fields: Map<String, Value>) -> EditResult {
    EditResult {
        id: name(sent),
        status: "error",
        error: Some("The edit can't be read.".to_owned()),
        code: Some("invalid".to_owned()),
        fields: Some(fields),
        ..EditResult::default()
    }
}

/// What is said of an edit after the answer has become too large.
fn untried(sent: &Sent) -> EditResult {
    EditResult {
        id: name(sent),
        status: "error",
        error: Some("The answer is too large. Send this edit again in another batch.".to_owned()),
        code: Some("answer_too_large".to_owned()),
        ..EditResult::default()
    }
}

/// The note that an edit names, in our form if it is an identifier.
fn name(sent: &Sent) -> Option<String> {
    let Sent::Object(members) = sent else {
        return None;
    };
    let id = members.get("id").and_then(Sent::as_str)?;
    Some(
        id.parse::<NoteId>()
            .map_or(id.to_owned(), |id| id.to_string()),
    )
}

/// What is wrong with an edit, and of what it is one, as far as that can be read.
struct Unread {
    fields: Map<String, Value>,
    of: Option<(NoteId, Option<i64>)>,
}

fn legible(edit: &Result<Edit, Unread>) -> Legible<'_> {
    match edit {
        Ok(edit) => Legible::Whole(edit),
        Err(Unread { of, .. }) => of.map_or(Legible::Nothing, |(id, base)| Legible::Base(id, base)),
    }
}

fn read(sent: &Sent) -> Result<Edit, Unread> {
    let (members, id, base) = of_what(sent).map_err(|fields| Unread { fields, of: None })?;
    let written = match members.get("op").and_then(Sent::as_str) {
        Some("upsert") => written(members).map(|(draft, made)| (Some(draft), made)),
        Some("delete") => Ok((None, None)),
        _ => Err(wrong("op", "Must be upsert or delete.")),
    };
    match written {
        Ok((draft, made)) => Ok(Edit {
            id,
            base,
            draft,
            made,
        }),
        Err(fields) => Err(Unread {
            fields,
            of: Some((id, base)),
        }),
    }
}

/// Of which note and of which version an edit is one.
fn of_what(sent: &Sent) -> Result<(&Members, NoteId, Option<i64>), Map<String, Value>> {
    let Sent::Object(members) = sent else {
        return Err(wrong("non_field_errors", "Expected an object."));
    };
    let id = match members.get("id") {
        None => return Err(wrong("id", "This field is required.")),
        Some(id) => id.as_str().and_then(|id| id.parse().ok()),
    };
    let id = id.ok_or_else(|| wrong("id", NO_UUID))?;
    Ok((members, id, base(members)?))
}

/// What an edit writes, and when the client made the note, if it says so.
fn written(members: &Members) -> Result<(Draft, Option<Timestamp>), Map<String, Value>> {
    let empty = Members::new();
    let note = match members.get("note") {
        Some(Sent::Object(note)) => note,
        Some(_) => return Err(wrong("note", "Expected an object.")),
        None => &empty,
    };
    let mut form = NoteForm::of_json(note);
    let written = (form.draft(), form.made());
    form.finish()?;
    Ok(written)
}

/// The version that was edited, if the edit names one.
fn base(members: &Members) -> Result<Option<i64>, Map<String, Value>> {
    match members.get("base_version") {
        None | Some(Sent::Null) => Ok(None),
        Some(Sent::Number(number)) if number.as_i64().is_some_and(|version| version >= 0) => {
            Ok(number.as_i64())
        }
        Some(_) => Err(wrong("base_version", "A valid integer is required.")),
    }
}

fn wrong(field: &str, message: &str) -> Map<String, Value> {
    Map::from_iter([(field.to_owned(), Value::from(vec![message]))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_number_that_is_not_negative() {
        let members = |json: &str| match Sent::parse(json.as_bytes()).unwrap() {
            Sent::Object(members) => members,
            _ => unreachable!(),
        };

        assert_eq!(base(&members(r#"{"base_version":3}"#)), Ok(Some(3)));
        assert_eq!(base(&members(r#"{"base_version":null}"#)), Ok(None));
        for wrong in [r#""3""#, "-1", "1.5", "true", "[]", "9223372036854775808"] {
            let json = format!(r#"{{"base_version":{wrong}}}"#);
            assert!(base(&members(&json)).is_err(), "{wrong}");
        }
    }
}
