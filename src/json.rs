//! A JSON value of a request, in which a text may contain lone surrogates.
//!
//! JSON's `\u` escapes can encode half of a surrogate pair (RFC 8259, section 8.2), as clients do
//! that cut a text inside an emoji. A Rust string cannot hold that, and a parser that produces
//! strings rejects the whole document. Here such a text is a separate kind of value, so that a
//! refusal can name the field.

mod halves;

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use halves::Halves;

/// The maximum nesting depth of a document. Valid requests need five levels: the tags of a note of
/// an edit.
pub const LEVELS: usize = 32;

/// The maximum number of values of a document, without member names. A batch of 100 edits with 20
/// tags each has 3,100. A value of two bytes takes up to a hundred times its size in memory.
pub const VALUES: usize = 20_000;

/// An object. If a name occurs several times, the last value wins.
pub type JsonObject = HashMap<String, JsonValue>;

/// A value in a JSON body.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonValue {
    /// The value `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A text with lone surrogates; this is the first one.
    LoneSurrogate(u16),
    /// An array of values.
    List(Vec<Self>),
    /// Values by name.
    Object(JsonObject),
}

impl JsonValue {
    /// Parses a JSON document in linear time and memory.
    ///
    /// Fails if it is not JSON, nests deeper than [`LEVELS`], has more than [`VALUES`] values, or a
    /// number beyond an `f64`.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        read(json, &[]).or_else(|error| match Halves::replaced(json) {
            Some(Halves { json, found }) => read(&json, &found),
            None => Err(error),
        })
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn read(json: &[u8], halves: &[(usize, u16)]) -> Result<JsonValue, serde_json::Error> {
    let reading = Reading {
        halves,
        texts: Cell::new(0),
        values: Cell::new(0),
    };
    let mut document = serde_json::Deserializer::from_slice(json);
    let sent = Level(&reading, 0).deserialize(&mut document)?;
    document.end()?;
    Ok(sent)
}

/// A document being parsed.
struct Reading<'a> {
    /// The texts with lone surrogates, by their index in the document, with their first surrogate.
    halves: &'a [(usize, u16)],
    texts: Cell<usize>,
    values: Cell<usize>,
}

impl Reading<'_> {
    /// The lone surrogate of the next text, if it has one.
    fn next_text(&self) -> Option<u16> {
        let text = self.texts.replace(self.texts.get() + 1);
        let found = self.halves.binary_search_by_key(&text, |(text, _)| *text);
        found.ok().map(|at| self.halves[at].1)
    }

    fn next_value<E: Error>(&self) -> Result<(), E> {
        let values = self.values.replace(self.values.get() + 1);
        if values < VALUES {
            return Ok(());
        }
        Err(E::custom(format_args!("more than {VALUES} values")))
    }
}

/// A value at a nesting depth.
#[derive(Clone, Copy)]
struct Level<'a>(&'a Reading<'a>, usize);

impl Level<'_> {
    fn below<E: Error>(self) -> Result<Self, E> {
        let Self(reading, levels) = self;
        if levels < LEVELS {
            return Ok(Self(reading, levels + 1));
        }
        let message = format_args!("values nest deeper than {LEVELS} levels");
        Err(E::custom(message))
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = JsonValue;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<JsonValue, D::Error> {
        self.0.next_value()?;
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = JsonValue;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<JsonValue, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<JsonValue, E> {
        Ok(JsonValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<JsonValue, E> {
        Ok(JsonValue::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<JsonValue, E> {
        Ok(JsonValue::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<JsonValue, E> {
        Ok(Number::from_f64(value).map_or(JsonValue::Null, JsonValue::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<JsonValue, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E>(self, text: String) -> Result<JsonValue, E> {
        let half = self.0.next_text();
        Ok(half.map_or(JsonValue::Text(text), JsonValue::LoneSurrogate))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonValue, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(JsonValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsonValue, A::Error> {
        let below = self.below()?;
        let mut object = JsonObject::new();
        // A name with lone surrogates has replacement characters, which no known name has.
        while let Some(name) = members.next_key::<String>()? {
            self.0.next_text();
            object.insert(name, members.next_value_seed(below)?);
        }
        Ok(JsonValue::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> JsonValue {
        JsonValue::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_no_text_is_found_wherever_it_stands() {
        let JsonValue::Object(members) =
            parsed(r#"{"tags":["a","\ud800"],"note":{"title":"b\udfffc"}}"#)
        else {
            panic!("an object");
        };

        let tags = [
            JsonValue::Text("a".to_owned()),
            JsonValue::LoneSurrogate(0xd800),
        ];
        let title = ("title".to_owned(), JsonValue::LoneSurrogate(0xdfff));
        assert_eq!(members["tags"], JsonValue::List(tags.into()));
        assert_eq!(members["note"], JsonValue::Object([title].into()));
    }

    /// Both ways to read give the same, but for what only one of them can read.
    #[test]
    fn all_else_is_read_alike_beside_it() {
        let value = r#"{"a":[null,true,-1,1.5,18446744073709551616,"\u0000\\ud800\"","🦀",[],{}],"a ":{"":{}}}"#;

        let alone = parsed(&format!("[{value}]"));
        let beside = parsed(&format!(r#"[{value},"\ud800"]"#));

        let (JsonValue::List(alone), JsonValue::List(beside)) = (alone, beside) else {
            panic!("lists");
        };
        assert_eq!(alone[..], beside[..1]);
    }

    #[test]
    fn a_pair_is_a_text_and_half_of_one_is_none() {
        for (written, half) in [
            (r"\uD83E\uDD80", None),
            (r"\uD83E\uDD80\uD83E", Some(0xd83e)),
            (r"\uDD80\uD83E", Some(0xdd80)),
            (r"\uD83E\uD83E\uDD80", Some(0xd83e)),
            (r"\uD83E\n\uDD80", Some(0xd83e)),
            (r"\uD83Eé", Some(0xd83e)),
        ] {
            let read = parsed(&format!("\"{written}\""));

            let half = half.map_or(JsonValue::Text("🦀".to_owned()), JsonValue::LoneSurrogate);
            assert_eq!(read, half, "{written}");
        }
    }

    #[test]
    fn a_name_that_is_no_text_names_nothing_known() {
        let JsonValue::Object(members) = parsed(r#"{"lo\ud800gin":1,"login":2}"#) else {
            panic!("an object");
        };

        assert_eq!(members["login"], JsonValue::Number(2.into()));
        assert_eq!(members.len(), 2);
    }

    fn refusal(json: &str) -> String {
        JsonValue::parse(json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn so_deep_a_document_may_be_and_no_deeper() {
        let nested = |levels, text: &str| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!("{open}{text}{close}")
        };

        for text in ["1", r#""\ud800""#] {
            assert!(JsonValue::parse(nested(LEVELS, text).as_bytes()).is_ok());
            for levels in [LEVELS + 1, 100_000] {
                let refused = refusal(&nested(levels, text));
                let told = "values nest deeper than 32 levels at line 1 column 33";
                assert_eq!(refused, told, "{text}");
            }
        }
        let objects = refusal(&r#"{"a":"#.repeat(LEVELS + 1));
        assert!(objects.starts_with("values nest deeper than 32 levels"));
    }

    #[test]
    fn so_many_values_a_document_may_have_and_no_more() {
        let of = |items: usize, item: &str| format!("[{}]", vec![item; items].join(","));

        assert!(JsonValue::parse(of(VALUES - 1, "0").as_bytes()).is_ok());
        for item in ["0", "[]", r#"{"":0}"#, r#""\ud800""#] {
            let refused = refusal(&of(VALUES, item));
            assert!(refused.starts_with("more than 20000 values"), "{refused}");
        }
    }

    #[test]
    fn a_mistake_beside_what_is_no_text_is_told_where_it_stands() {
        assert_eq!(
            refusal(r#"{"a":"\ud800","b":nul}"#),
            "expected ident at line 1 column 22"
        );
    }
}
