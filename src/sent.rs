//! A value as a client sent it: JSON in which a text may be none.
//!
//! JSON's `\u` escapes can write half of a surrogate pair (RFC 8259, section 8.2), as clients do that cut a text
//! inside an emoji. No Rust string holds that, and a parser that must make strings gives the whole document up. Here
//! such a text is a value of its own, at any place of a document, so that a refusal can name the field.

use std::collections::HashMap;

use serde::Deserialize;
use serde_bytes::ByteBuf;
use serde_json::value::RawValue;
use serde_json::{Number, Value};

/// How deep a document is searched for texts that are none; deeper down one is an error of the whole document.
/// Each level costs one more look at all that is below it.
const LEVELS: usize = 8;

/// Values by name. The last of several values of one name counts.
pub type Members = HashMap<String, Sent>;

/// A value of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// What is no text: in it, this half of a surrogate pair is the first to stand alone.
    LoneSurrogate(u16),
    /// Values in order.
    List(Vec<Self>),
    /// Values by name.
    Object(Members),
}

impl Sent {
    /// Reads a JSON document.
    ///
    /// Fails if it is none, nests deeper than 128 levels, has a number beyond an `f64`, or what is no text very deep.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let first = match serde_json::from_slice::<Value>(json) {
            Ok(value) => return Ok(value.into()),
            Err(error) => error,
        };
        // The first error knows its line and column in the document, the others only in their part of it.
        let piecewise = |json| Self::piecewise(serde_json::from_slice::<&RawValue>(json)?, LEVELS);
        piecewise(json).map_err(|_| first)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Reads each text on its own.
    fn piecewise(raw: &RawValue, levels: usize) -> Result<Self, serde_json::Error> {
        let json = raw.get();
        match json.as_bytes().first() {
            Some(b'"') => Self::text(json),
            Some(b'[') if levels > 0 => serde_json::from_str::<Vec<&RawValue>>(json)?
                .into_iter()
                .map(|item| Self::piecewise(item, levels - 1))
                .collect::<Result<_, _>>()
                .map(Self::List),
            Some(b'{') if levels > 0 => serde_json::from_str::<HashMap<Name, &RawValue>>(json)?
                .into_iter()
                .map(|(name, member)| Ok((name.into(), Self::piecewise(member, levels - 1)?)))
                .collect::<Result<_, _>>()
                .map(Self::Object),
            _ => serde_json::from_str::<Value>(json).map(Self::from),
        }
    }

    /// Read as bytes, a JSON string is WTF-8: as UTF-8, with three bytes for half a surrogate pair.
    fn text(json: &str) -> Result<Self, serde_json::Error> {
        let bytes = serde_json::from_str::<ByteBuf>(json)?.into_vec();
        Ok(String::from_utf8(bytes).map_or_else(
            |error| {
                let at = error.utf8_error().valid_up_to();
                let half = error.as_bytes()[at..].iter().take(3);
                let bits = half.fold(0, |bits, byte| bits << 6 | u16::from(byte & 0x3f));
                Self::LoneSurrogate(bits)
            },
            Self::Text,
        ))
    }
}

impl From<Value> for Sent {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(members) => Self::Object(
                members
                    .into_iter()
                    .map(|(name, member)| (name, member.into()))
                    .collect(),
            ),
        }
    }
}

/// A member's name. One that is no text is the name of nothing that is known.
#[derive(Deserialize, PartialEq, Eq, Hash)]
struct Name(ByteBuf);

impl From<Name> for String {
    fn from(Name(name): Name) -> Self {
        String::from_utf8_lossy(&name).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Sent {
        Sent::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_no_text_is_found_wherever_it_stands() {
        let Sent::Object(members) =
            parsed(r#"{"tags":["a","\ud800"],"note":{"title":"b\udfffc"}}"#)
        else {
            panic!("an object");
        };

        let tags = [Sent::Text("a".to_owned()), Sent::LoneSurrogate(0xd800)];
        let title = ("title".to_owned(), Sent::LoneSurrogate(0xdfff));
        assert_eq!(members["tags"], Sent::List(tags.into()));
        assert_eq!(members["note"], Sent::Object([title].into()));
    }

    /// Both ways to read give the same, but for what only one of them can read.
    #[test]
    fn all_else_is_read_alike_beside_it() {
        let value = r#"{"a":[null,true,-1,1.5,18446744073709551616,"\u0000\\ud800\"","🦀",[],{}],"a ":{"":{}}}"#;

        let alone = parsed(&format!("[{value}]"));
        let beside = parsed(&format!(r#"[{value},"\ud800"]"#));

        let (Sent::List(alone), Sent::List(beside)) = (alone, beside) else {
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

            let half = half.map_or(Sent::Text("🦀".to_owned()), Sent::LoneSurrogate);
            assert_eq!(read, half, "{written}");
        }
    }

    #[test]
    fn a_name_that_is_no_text_names_nothing_known() {
        let Sent::Object(members) = parsed(r#"{"lo\ud800gin":1,"login":2}"#) else {
            panic!("an object");
        };

        assert_eq!(members["login"], Sent::Number(2.into()));
        assert_eq!(members.len(), 2);
    }

    #[test]
    fn very_deep_it_is_an_error_of_the_whole_document() {
        let nested = |levels| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            Sent::parse(format!(r#"{open}"\ud800"{close}"#).as_bytes())
        };

        assert!(nested(LEVELS).is_ok());
        assert!(nested(LEVELS + 1).is_err());
        assert!(nested(100_000).is_err());
    }
}
