//! Reads the layers into typed sections and continues after invalid values.
//!
//! serde stops at its first error. To report all errors, an invalid value is reported and replaced
//! by its default, and the section is read again.

use figment::error::Kind;
use figment::value::Value;
use serde::de::DeserializeOwned;

use super::error::Problem;
use super::explain::whole;
use super::layers::Layers;

/// Keys whose values never appear in a message, because they may contain secrets.
const SECRET: [&str; 5] = [
    "secret_key",
    "secret_key_fallbacks",
    "smtp.relays",
    "payments.stripe_secret",
    "payments.revenuecat_secret",
];

/// Reads one section, or one top-level key. `None` only if the defaults are invalid.
pub(super) fn read<T: DeserializeOwned>(
    path: &str,
    layers: &mut Layers,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    for _ in 0..=layers.defaults.keys().count() {
        let mut error = match layers.figment.extract_inner_lossy(path) {
            Ok(section) => return Some(section),
            Err(error) => error,
        };
        // figment appends the requested path to the path inside it.
        error.path.rotate_right(path.split('.').count());
        let Some(key) = known_key(layers, &error.path) else {
            problems.push(Problem {
                key: path.into(),
                source: None,
                message: error.to_string(),
            });
            return None;
        };
        let message = describe(&key, &error.kind, layers.defaults.get(&key));
        problems.push(Problem {
            source: Some(layers.source_of(&key)),
            message,
            key: key.clone(),
        });
        if layers.is_default(&key) {
            return None; // the default itself does not fit: the embedded file is broken
        }
        layers.restore_default(&key);
    }
    None
}

/// The key of an error: its path without the part inside the value, such as the index of a list.
fn known_key(layers: &Layers, path: &[String]) -> Option<String> {
    (1..=path.len())
        .rev()
        .map(|n| path[..n].join("."))
        .find(|key| layers.defaults.get(key).is_some())
}

fn describe(key: &str, kind: &Kind, default: Option<&Value>) -> String {
    let (found, expected) = match kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            (found.to_string(), friendly(expected))
        }
        Kind::UnknownVariant(found, known) => {
            return format!(
                "unknown value `{found}`. Write one of: {}",
                known.join(", ")
            );
        }
        other => return other.to_string(),
    };
    if SECRET.contains(&key) {
        return format!("this is not {expected}. Put the value in quotes");
    }
    format!("found {found}. Write {expected}{}", example(default))
}

/// The default as an example of the value's format, if it is one.
fn example(default: Option<&Value>) -> String {
    match default {
        Some(Value::Num(_, number)) => format!(", like the default {}", whole(*number)),
        Some(Value::String(_, text)) if !text.is_empty() => {
            format!(", like the default \"{text}\"")
        }
        _ => String::new(),
    }
}

/// Describes serde's type names in words.
fn friendly(expected: &str) -> String {
    match expected {
        "u8" => "a whole number up to 255".to_owned(),
        "u16" => "a whole number up to 65535".to_owned(),
        "u32" | "u64" | "usize" => "a whole number, not negative".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" => "a text in quotes".to_owned(),
        other => other.to_owned(),
    }
}
