//! A note as it is answered.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::notes::{Note, Written};
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::headers;

/// A note.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Note)]
pub struct NoteBody {
    /// Which: a UUID in lower case.
    #[schema(
        pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
        example = "01935b5e-6a3c-7c1e-9d1a-0f6f2b8c4d5e"
    )]
    id: String,
    /// The title.
    title: String,
    /// The content.
    content: String,
    /// The tags, in their order.
    tags: Vec<String>,
    /// Whether it stands above others.
    is_pinned: bool,
    /// Whether it is put away.
    is_archived: bool,
    /// When it was made, in UTC, to the microsecond.
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "microseconds")]
    created_at: Timestamp,
    /// When it was changed last, in UTC, to the microsecond.
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "microseconds")]
    updated_at: Timestamp,
    /// From 1, higher with every change.
    #[schema(minimum = 1)]
    pub(super) version: i64,
    /// The note whose newer version this is an older edit of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
        nullable = false
    )]
    conflict_of: Option<String>,
    /// When it was put into the trash.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_microseconds"
    )]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    trashed_at: Option<Timestamp>,
    /// In what a search finds: a piece of the content around what was searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    snippet: Option<String>,
}

/// Six digits after the second, whatever they are, so that texts have the order of times.
const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

fn microseconds<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&PRINTER.timestamp_to_string(time))
}

#[expect(clippy::ref_option, reason = "what serde hands over")]
fn maybe_microseconds<S: Serializer>(
    time: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => microseconds(time, serializer),
        None => serializer.serialize_none(),
    }
}

impl From<Note> for NoteBody {
    fn from(note: Note) -> Self {
        let draft = note.draft;
        Self {
            id: note.id.to_string(),
            title: draft.title,
            content: draft.content,
            tags: draft.tags,
            is_pinned: draft.pinned,
            is_archived: draft.archived,
            created_at: note.created,
            updated_at: note.updated,
            version: note.version,
            conflict_of: note.conflict_of.map(|id| id.to_string()),
            trashed_at: note.trashed,
            snippet: None,
        }
    }
}

impl NoteBody {
    /// The same as an entry of what was found.
    pub(super) fn with_snippet(self, snippet: String) -> Self {
        Self {
            snippet: Some(snippet),
            ..self
        }
    }
}

/// The tag of a version, as `ETag` has it.
pub fn etag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("a number in quotes is plain")
}

/// May be kept by the client, to be asked about again; by nobody between.
pub const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// What came of writing a note.
pub fn written(written: Written) -> Response {
    match written {
        Written::Created(note) => created(note),
        Written::Changed(note) | Written::Unchanged(note) => found(note),
    }
}

/// A new note, with its place.
pub fn created(note: Note) -> Response {
    let place = HeaderValue::try_from(format!("/api/notes/{}/", note.id));
    let mut response = found(note);
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// A note, with its tag.
pub fn found(note: Note) -> Response {
    let tag = etag(note.version);
    let mut response = json(&NoteBody::from(note));
    response.headers_mut().insert(header::ETAG, tag);
    response
}

/// What a note takes beside its title, its content and its tags.
const FRAME: usize = 400;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The same as [`axum::Json`] with room for everything: to grow step by step takes longer than to write.
fn json(note: &NoteBody) -> Response {
    let tags: usize = note.tags.iter().map(|tag| tag.len() + 3).sum();
    let room = FRAME + note.title.len() + note.content.len() + tags;
    let mut body = Vec::with_capacity(room);
    serde_json::to_writer(&mut body, note).expect("texts, numbers and times are JSON");
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.reserve(headers::USUAL);
    headers.insert(header::CONTENT_TYPE, JSON);
    response
}
