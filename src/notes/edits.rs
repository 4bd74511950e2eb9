//! A batch request: its edits and its device, with a message for each wrong field.

use domain::notes::batch::EDITS;
use domain::notes::chain::{Edit, Legible};
use domain::notes::device::{Device, LONGEST, SHORTEST};
use domain::notes::{Draft, NoteId};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::request::{NO_UUID, NoteForm};
use crate::error::ApiError;
use crate::fields::Form;
use crate::json::{JsonObject, JsonValue};

/// An example of a batch, for error messages.
const EXAMPLE: &str =
    r#"{"edits": [{"op": "upsert", "id": "…", "base_version": 3, "note": {"title": "…"}}]}"#;

/// The edits of the request, unparsed.
pub(super) fn edits_of(fields: &JsonObject) -> Result<&[JsonValue], ApiError> {
    match fields.get("edits") {
        None => Err(no_edits(fields)),
        Some(JsonValue::List(edits)) if edits.len() <= EDITS => Ok(edits),
        Some(JsonValue::List(_)) => {
            let message = format!("Ensure this field has no more than {EDITS} elements.");
            Err(Form::wrong("edits", &message))
        }
        Some(_) => Err(Form::wrong("edits", "Expected a list of items.")),
    }
}

/// The device of the request, if given.
pub(super) fn device_of(fields: &JsonObject) -> Result<Option<Device>, ApiError> {
    let device = match fields.get("device") {
        None | Some(JsonValue::Null) => return Ok(None),
        Some(JsonValue::Text(name)) => Device::of(name),
        Some(_) => None,
    };
    let message = format!("Must be a text of {SHORTEST} to {LONGEST} characters.");
    device
        .map(Some)
        .ok_or_else(|| Form::wrong("device", &message))
}

/// The error if `edits` is missing; misplaced fields get a hint.
fn no_edits(fields: &JsonObject) -> ApiError {
    let required = Value::from(vec!["This field is required."]);
    let mut errors = Map::from_iter([("edits".to_owned(), required)]);
    let of_edits = ["op", "id", "base_version", "note"].into_iter();
    for field in of_edits.chain(NoteForm::FIELDS) {
        if fields.contains_key(field) {
            let message = format!("Belongs into an edit: {EXAMPLE}.");
            errors.insert(field.to_owned(), vec![message].into());
        }
    }
    ApiError::Fields(errors)
}

/// The errors of an edit, and its note and version as far as they can be read.
pub(super) struct Unread {
    pub fields: Map<String, Value>,
    of: Option<(NoteId, Option<i64>)>,
}

pub(super) fn legible(edit: &Result<Edit, Unread>) -> Legible<'_> {
    match edit {
        Ok(edit) => Legible::Whole(edit),
        Err(Unread { of, .. }) => of.map_or(Legible::Nothing, |(id, base)| Legible::Base(id, base)),
    }
}

pub(super) fn read(sent: &JsonValue) -> Result<Edit, Unread> {
    let (members, id, base) = of_what(sent).map_err(|fields| Unread { fields, of: None })?;
    let written = match members.get("op").and_then(JsonValue::as_str) {
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

/// The note and version of an edit.
fn of_what(sent: &JsonValue) -> Result<(&JsonObject, NoteId, Option<i64>), Map<String, Value>> {
    let JsonValue::Object(members) = sent else {
        return Err(wrong("non_field_errors", "Expected an object."));
    };
    if members.contains_key("device") {
        return Err(wrong(
            "device",
            "Belongs beside `edits`, once for all of them.",
        ));
    }
    let id = match members.get("id") {
        None => return Err(wrong("id", "This field is required.")),
        Some(id) => id.as_str().and_then(|id| id.parse().ok()),
    };
    let id = id.ok_or_else(|| wrong("id", NO_UUID))?;
    Ok((members, id, base(members)?))
}

/// The content of an edit, and when the client created the note, if given.
fn written(members: &JsonObject) -> Result<(Draft, Option<Timestamp>), Map<String, Value>> {
    let empty = JsonObject::new();
    let note = match members.get("note") {
        Some(JsonValue::Object(note)) => note,
        Some(_) => return Err(wrong("note", "Expected an object.")),
        None => misplaced(members).map_or(Ok(&empty), Err)?,
    };
    let mut form = NoteForm::of_json(note);
    let written = (form.draft(), form.made());
    form.finish()?;
    Ok(written)
}

/// The errors for fields of a note that are placed in the edit itself.
fn misplaced(edit: &JsonObject) -> Option<Map<String, Value>> {
    let fields = NoteForm::FIELDS.into_iter();
    let fields = fields.filter(|field| edit.contains_key(*field));
    let errors: Map<_, _> = fields
        .map(|field| {
            let message = format!("Belongs into `note`: {{\"note\": {{\"{field}\": …}}}}.");
            (field.to_owned(), Value::from(vec![message]))
        })
        .collect();
    (!errors.is_empty()).then_some(errors)
}

/// The version that was edited, if given.
fn base(members: &JsonObject) -> Result<Option<i64>, Map<String, Value>> {
    match members.get("base_version") {
        None | Some(JsonValue::Null) => Ok(None),
        Some(JsonValue::Number(number)) if number.as_i64().is_some_and(|version| version >= 0) => {
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
        let members = |json: &str| match JsonValue::parse(json.as_bytes()).unwrap() {
            JsonValue::Object(members) => members,
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
