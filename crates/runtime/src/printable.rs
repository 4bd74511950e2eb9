//! Escapes untrusted text for a terminal: characters that would move the cursor, end a line or
//! change the direction of writing (CWE-150, CWE-117; Unicode Technical Report 36, section 2.5).
//!
//! Clients choose user agents, relays choose their replies, and files can hold anything. Log lines
//! (`telemetry`) and all output and errors of the command line tool pass through here, so that no
//! call site has to escape.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether the character could mislead a terminal or a reader: control characters (C0, DEL, C1),
/// Unicode line breaks, and the marks that change the direction of writing.
#[must_use]
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}' | '\u{200f}'
                | '\u{2028}' | '\u{2029}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// The text with unsafe characters escaped as in JSON, like `\u001b`; line breaks (U+000A) stay.
/// JSON keeps its meaning, because such characters can only occur inside its strings.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |character| character != '\n' && is_unsafe(character))
}

/// The same for a single line: line breaks are escaped as well.
#[must_use]
pub fn printable_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_unsafe)
}

fn escaped(text: &str, escapes: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&escapes) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if escapes(character) {
            // All of them are in the basic plane. Writing to a String can't fail.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_with_control_characters_is_the_same_value_afterwards() {
        let value =
            serde_json::json!({"agent": "a\u{1b}[2J\u{9b}31m\u{7f}\u{202e}b\u{2066}\u{200f}\n"});
        let json = format!("{value:#}");

        let shown = printable(&json);

        assert!(!shown.chars().any(|c| c != '\n' && is_unsafe(c)), "{shown}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }

    #[test]
    fn harmless_text_stays_as_it_is() {
        assert_eq!(printable("Zoë\u{200d}\nعلی"), "Zoë\u{200d}\nعلی");
        assert_eq!(printable("Zoë, \u{200e}"), "Zoë, \\u200e");
        assert_eq!(printable_line("one\ntwo"), "one\\u000atwo");
    }
}
