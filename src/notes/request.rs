//! A note in a request: parses fields of a body into a draft, with a message for each wrong field.

use axum::extract::{FromRequest, Request};
use axum::http::{Extensions, HeaderMap};
use domain::notes::edit::Patch;
use domain::notes::{CONTENT_LENGTH, Draft, NoteId, TAG_LENGTH, TAGS, TITLE_LENGTH, tags};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::extract::{self, Fields};
use crate::fields;
use crate::json::{JsonObject, JsonValue};

/// The message for an invalid id.
pub const NO_UUID: &str = "Must be a valid UUID.";

/// The message for an invalid time.
const NO_TIME: &str = "Must be a time with an offset, like 2026-11-30T08:00:00Z (RFC 3339).";

/// The message for a note without title and content.
pub const BLANK: &str = "A note needs a title or a content.";

const NOT_TEXT: &str = "Not a valid string.";
const NOT_BOOL: &str = "Must be a valid boolean.";
const NOT_LIST: &str = "Expected a list of items.";

/// The fields of a body, and whether its values have types: in a form, all values are texts.
pub struct NoteFields {
    members: JsonObject,
    typed: bool,
}

impl<S: Send + Sync> FromRequest<S> for NoteFields {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Self::of(request.extensions(), request.headers()).await
    }
}

impl NoteFields {
    /// The fields of a request with this head.
    pub async fn of(extensions: &Extensions, headers: &HeaderMap) -> Result<Self, ApiError> {
        let typed = extract::is_json(headers);
        let Fields(members) = Fields::of(extensions, headers).await?;
        Ok(Self { members, typed })
    }
}

/// The fields of a note being parsed, and their errors so far.
pub struct NoteForm<'a> {
    fields: &'a JsonObject,
    typed: bool,
    errors: Map<String, Value>,
}

impl<'a> NoteForm<'a> {
    /// The names of a note's fields.
    pub const FIELDS: [&'static str; 6] = [
        "title",
        "content",
        "tags",
        "is_pinned",
        "is_archived",
        "created_at",
    ];

    /// Parses these fields.
    pub fn new(fields: &'a NoteFields) -> Self {
        Self {
            typed: fields.typed,
            ..Self::of_json(&fields.members)
        }
    }

    /// Parses these fields of a JSON document.
    pub fn of_json(fields: &'a JsonObject) -> Self {
        Self {
            fields,
            typed: true,
            errors: Map::new(),
        }
    }

    /// The id, if the client has chosen one.
    pub fn id(&mut self) -> Option<NoteId> {
        let id = match self.fields.get("id")? {
            JsonValue::Null => return None,
            JsonValue::Text(text) => text.parse().map_err(|_| NO_UUID.to_owned()),
            _ => Err(NO_UUID.to_owned()),
        };
        self.noted("id", id)
    }

    /// When the client created the note, if given.
    pub fn made(&mut self) -> Option<Timestamp> {
        let made = match self.fields.get("created_at")? {
            JsonValue::Null => return None,
            JsonValue::Text(text) if text.is_empty() && !self.typed => return None,
            JsonValue::Text(text) => time(text).ok_or_else(|| NO_TIME.to_owned()),
            _ => Err(NO_TIME.to_owned()),
        };
        self.noted("created_at", made)
    }

    /// A whole note: missing fields get their defaults.
    pub fn draft(&mut self) -> Draft {
        let patch = self.patch();
        let draft = Draft {
            title: patch.title.unwrap_or_default(),
            content: patch.content.unwrap_or_default(),
            tags: patch.tags.unwrap_or_default(),
            pinned: patch.pinned.unwrap_or(false),
            archived: patch.archived.unwrap_or(false),
        };
        if self.errors.is_empty() && draft.is_blank() {
            self.wrong("content", BLANK.to_owned());
        }
        draft
    }

    /// A partial note: the fields that are present.
    pub fn patch(&mut self) -> Patch {
        Patch {
            title: self.text("title", TITLE_LENGTH),
            content: self.text("content", CONTENT_LENGTH),
            tags: self.tags(),
            pinned: self.flag("is_pinned"),
            archived: self.flag("is_archived"),
        }
    }

    /// The errors that were found.
    pub fn finish(self) -> Result<(), Map<String, Value>> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(self.errors)
        }
    }

    fn text(&mut self, field: &'static str, most: usize) -> Option<String> {
        let text = text(self.fields.get(field)?, most);
        self.noted(field, text)
    }

    fn flag(&mut self, field: &'static str) -> Option<bool> {
        let flag = match self.fields.get(field)? {
            JsonValue::Bool(flag) => Ok(*flag),
            JsonValue::Text(text) if !self.typed => {
                fields::flag(text).ok_or_else(|| NOT_BOOL.to_owned())
            }
            _ => Err(NOT_BOOL.to_owned()),
        };
        self.noted(field, flag)
    }

    fn tags(&mut self) -> Option<Vec<String>> {
        let tags = match self.fields.get("tags")? {
            JsonValue::List(items) if items.len() > TAGS => Err(format!(
                "Ensure this field has no more than {TAGS} elements."
            )),
            JsonValue::List(items) => items
                .iter()
                .map(|item| match text(item, TAG_LENGTH)? {
                    tag if tag.trim().is_empty() => Err("A tag may not be blank.".to_owned()),
                    tag => Ok(tag),
                })
                .collect::<Result<_, _>>()
                .map(tags::distinct),
            _ => Err(NOT_LIST.to_owned()),
        };
        self.noted("tags", tags)
    }

    fn noted<T>(&mut self, field: &'static str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.wrong(field, message)).ok()
    }

    fn wrong(&mut self, field: &'static str, message: String) {
        self.errors
            .insert(field.to_owned(), Value::from(vec![message]));
    }
}

/// A time whose year in UTC is one that clients read: from 1 to 9999 (RFC 3339, section 5.6).
fn time(text: &str) -> Option<Timestamp> {
    let time: Timestamp = text.parse().ok()?;
    let year = time.to_zoned(TimeZone::UTC).year();
    (1..=9999).contains(&year).then_some(time)
}

/// A text, unchanged.
pub fn text(sent: &JsonValue, most: usize) -> Result<String, String> {
    match sent {
        JsonValue::LoneSurrogate(half) => Err(fields::lone_surrogate(*half)),
        JsonValue::Text(text) if text.contains('\0') => Err(fields::NUL_CHARACTER.to_owned()),
        JsonValue::Text(text) if text.chars().count() > most => Err(fields::at_most(most)),
        JsonValue::Text(text) => Ok(text.clone()),
        _ => Err(NOT_TEXT.to_owned()),
    }
}
