//! The effective settings and their sources: one row for each key, with secrets masked.
//!
//! Separate from loading because `smart-notes config` prints the rows, as a table through `Display`
//! or as JSON through serde.

use std::collections::BTreeMap;
use std::fmt;

use figment::value::{Num, Value};
use serde::Serialize;

use super::Settings;
use super::defaults::join;
use super::layers::Layers;
use super::source::Source;

/// One effective setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The key, like `http.listen`.
    pub key: String,
    /// The value as written in a variable, with secrets masked; empty if not set. A text in
    /// parentheses means: not set, but needed by a serving process, with the reason.
    pub value: String,
    /// The source of the value.
    pub source: Source,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<36} {:<40} {}", self.key, self.value, self.source)
    }
}

impl Settings {
    /// Every key with its value and source, sorted by key.
    ///
    /// # Panics
    ///
    /// Never: every field serialises to text, number, boolean or a list of these, and the test
    /// `every_field_stands_in_the_default_file_and_back` covers all of them.
    #[must_use]
    pub fn explain(&self) -> Vec<Row> {
        let tree = Value::serialize(self).expect("settings are plain values under plain keys");
        let mut rows = Vec::new();
        self.collect("", &tree, &mut rows);
        for missing in &self.missing {
            if let Some(row) = rows.iter_mut().find(|row| row.key == missing.key) {
                row.value = format!("(not set: {})", missing.why);
            }
        }
        rows.sort_by(|left, right| left.key.cmp(&right.key));
        rows
    }

    fn collect(&self, key: &str, value: &Value, rows: &mut Vec<Row>) {
        if let Value::Dict(_, section) = value {
            for (name, value) in section {
                self.collect(&join(key, name), value, rows);
            }
            return;
        }
        let source = self.sources.get(key).cloned().unwrap_or(Source::Default);
        rows.push(Row {
            key: key.to_owned(),
            value: shown(value),
            source,
        });
    }
}

/// The source of every key that was set.
pub(super) fn sources(layers: &Layers) -> BTreeMap<String, Source> {
    let keys = layers.defaults.keys().filter(|key| !layers.is_default(key));
    keys.map(|key| (key.to_owned(), layers.source_of(key)))
        .collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Bool(_, yes) => yes.to_string(),
        Value::Num(_, number) => whole(*number),
        Value::Array(_, items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        other => format!("{other:?}"),
    }
}

/// A number as text; all numbers are whole.
pub(super) fn whole(number: Num) -> String {
    let signed = number.to_i128().map(|number| number.to_string());
    let unsigned = || number.to_u128().map(|number| number.to_string());
    signed
        .or_else(unsigned)
        .unwrap_or_else(|| format!("{number:?}"))
}
