//! A note as a response.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::notes::{Note, Written};
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::headers;

/// A note of the user.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Note)]
pub struct NoteBody {
    /// The id: a UUID in lower case.
    #[schema(
        pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
        example = "01935b5e-6a3c-7c1e-9d1a-0f6f2b8c4d5e"
    )]
    id: String,
    /// The title of the note.
    title: String,
    /// The content of the note.
    content: String,
    /// The tags of the note, in order.
    tags: Vec<String>,
    /// Whether the note is pinned.
    is_pinned: bool,
    /// Whether the note is archived.
    is_archived: bool,
    /// When it was created, in UTC, to the microsecond.
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "microseconds")]
    created_at: Timestamp,
    /// When it was last changed, in UTC, to the microsecond.
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "microseconds")]
    updated_at: Timestamp,
    /// The version: starts at 1 and grows with every change.
    #[schema(minimum = 1)]
    pub(super) version: i64,
    /// The note that this one is a conflict copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
        nullable = false
    )]
    conflict_of: Option<String>,
    /// When it was moved to the trash.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "maybe_microseconds"
    )]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    trashed_at: Option<Timestamp>,
    /// In search results: an excerpt of the content around the match.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    snippet: Option<String>,
}

/// Always six fractional digits, so that texts sort like times.
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
    /// Adds the snippet of a search result.
    pub(super) fn with_snippet(self, snippet: String) -> Self {
        Self {
            snippet: Some(snippet),
            ..self
        }
    }
}

/// The `ETag` of a version.
pub fn etag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("a number in quotes is plain")
}

/// The client may cache the response but must revalidate it; shared caches must not store it.
pub const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The response to a write.
pub fn written(written: Written) -> Response {
    match written {
        Written::Created(note) => created(note),
        Written::Changed(note) | Written::Unchanged(note) => found(note),
    }
}

/// The response with a new note and its Location.
pub fn created(note: Note) -> Response {
    let place = HeaderValue::try_from(format!("/api/notes/{}/", note.id));
    let mut response = found(note);
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// The response with a note and its entity tag.
pub fn found(note: Note) -> Response {
    let tag = etag(note.version);
    let mut response = json(&NoteBody::from(note));
    response.headers_mut().insert(header::ETAG, tag);
    response
}

/// The size of a serialised note besides its title, content and tags, in bytes.
const FRAME: usize = 400;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Like [`axum::Json`], with a preallocated buffer: growing it step by step takes longer than
/// writing.
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
