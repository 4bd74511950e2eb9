//! A note as it is sent: fields of a body as a draft, with a message for each that is wrong.

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
use crate::sent::{Members, Sent};

/// What is said of an identifier that is none.
pub const NO_UUID: &str = "Must be a valid UUID.";

/// What is said of a time that is none.
const NO_TIME: &str = "Must be a time with an offset, like 2026-11-30T08:00:00Z (RFC 3339).";

/// What is said of a note without a word.
pub const BLANK: &str = "A note needs a title or a content.";

const NOT_TEXT: &str = "Not a valid string.";
const NOT_BOOL: &str = "Must be a valid boolean.";
const NOT_LIST: &str = "Expected a list of items.";

/// The fields of a body, and whether its values have types: in a form all of them are texts.
pub struct NoteFields {
    members: Members,
    typed: bool,
}

impl<S: Send + Sync> FromRequest<S> for NoteFields {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Self::of(request.extensions(), request.headers()).await
    }
}

impl NoteFields {
    /// Those of a request with these.
    pub async fn of(extensions: &Extensions, headers: &HeaderMap) -> Result<Self, ApiError> {
        let typed = extract::is_json(headers);
        let Fields(members) = Fields::of(extensions, headers).await?;
        Ok(Self { members, typed })
    }
}

/// The fields of a note being read, and what was found wrong with them so far.
pub struct NoteForm<'a> {
    fields: &'a Members,
    typed: bool,
    errors: Map<String, Value>,
}

impl<'a> NoteForm<'a> {
    /// The names of the fields of a note.
    pub const FIELDS: [&'static str; 6] = [
        "title",
        "content",
        "tags",
        "is_pinned",
        "is_archived",
        "created_at",
    ];

    /// Reads these.
    pub fn new(fields: &'a NoteFields) -> Self {
        Self {
            typed: fields.typed,
            ..Self::of_json(&fields.members)
        }
    }

    /// Reads these, which are values of a JSON document.
    pub fn of_json(fields: &'a Members) -> Self {
        Self {
            fields,
            typed: true,
            errors: Map::new(),
        }
    }

    /// The identifier, if the client has chosen one.
    pub fn id(&mut self) -> Option<NoteId> {
        let id = match self.fields.get("id")? {
            Sent::Null => return None,
            Sent::Text(text) => text.parse().map_err(|_| NO_UUID.to_owned()),
            _ => Err(NO_UUID.to_owned()),
        };
        self.noted("id", id)
    }

    /// When the client made the note, if it says so.
    pub fn made(&mut self) -> Option<Timestamp> {
        let made = match self.fields.get("created_at")? {
            Sent::Null => return None,
            Sent::Text(text) if text.is_empty() && !self.typed => return None,
            Sent::Text(text) => time(text).ok_or_else(|| NO_TIME.to_owned()),
            _ => Err(NO_TIME.to_owned()),
        };
        self.noted("created_at", made)
    }

    /// A whole note: what is not named is as in an empty one.
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

    /// Parts of a note: what is named.
    pub fn patch(&mut self) -> Patch {
        Patch {
            title: self.text("title", TITLE_LENGTH),
            content: self.text("content", CONTENT_LENGTH),
            tags: self.tags(),
            pinned: self.flag("is_pinned"),
            archived: self.flag("is_archived"),
        }
    }

    /// What was found wrong, if anything was.
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
            Sent::Bool(flag) => Ok(*flag),
            Sent::Text(text) if !self.typed => {
                fields::flag(text).ok_or_else(|| NOT_BOOL.to_owned())
            }
            _ => Err(NOT_BOOL.to_owned()),
        };
        self.noted(field, flag)
    }

    fn tags(&mut self) -> Option<Vec<String>> {
        let tags = match self.fields.get("tags")? {
            Sent::List(items) if items.len() > TAGS => Err(format!(
                "Ensure this field has no more than {TAGS} elements."
            )),
            Sent::List(items) => items
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

/// A text, byte for byte.
pub fn text(sent: &Sent, most: usize) -> Result<String, String> {
    match sent {
        Sent::LoneSurrogate(half) => Err(fields::lone_surrogate(*half)),
        Sent::Text(text) if text.contains('\0') => Err(fields::NUL_CHARACTER.to_owned()),
        Sent::Text(text) if text.chars().count() > most => Err(fields::at_most(most)),
        Sent::Text(text) => Ok(text.clone()),
        _ => Err(NOT_TEXT.to_owned()),
    }
}
