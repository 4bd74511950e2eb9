//! Shared parsing of both services' events: ids, times and the user's number.

use jiff::Timestamp;
use serde_json::Value;

/// The maximum length of an id, type or name. Real ones are far shorter.
const MAX_LENGTH: usize = 255;

/// A text, if it is a plausible id or name.
pub(super) fn name(value: &Value) -> Option<String> {
    let name = value.as_str()?;
    let likely = (1..=MAX_LENGTH).contains(&name.len());
    likely.then(|| name.to_owned())
}

/// A time in whole seconds since 1970.
pub(super) fn seconds(value: &Value) -> Option<Timestamp> {
    Timestamp::from_second(value.as_i64()?).ok()
}

/// A time in milliseconds since 1970.
pub(super) fn millis(value: &Value) -> Option<Timestamp> {
    Timestamp::from_millisecond(value.as_i64()?).ok()
}

/// The number of a user, which services return as a text or a number.
pub(super) fn number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse::<i64>().ok().map(|number| number.to_string())
        }
        number => number.as_i64().map(|number| number.to_string()),
    }
}
