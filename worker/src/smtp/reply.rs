//! A relay's reply, made fit to be kept and shown: one line, bounded, with addresses masked.
//!
//! Apart from the connection because timelines and logs show these texts, and they are written
//! by strangers.

use std::fmt::{self, Write as _};

use runtime::printable::is_unsafe;

/// How many characters of a reply are kept.
const KEPT: usize = 500;

/// What a relay answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits (RFC 5321 §4.2).
    pub code: u16,
    /// The enhanced status code, such as `5.1.1` (RFC 3463), if the text starts with one.
    pub enhanced: Option<String>,
    /// All lines joined by a space, the first 500 characters, control characters and marks of
    /// direction escaped, addresses masked to `a…@example.com`.
    pub text: String,
}

impl Reply {
    /// A reply of this code and text, as the relay sent it.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        Self {
            code,
            enhanced: enhanced(code, text),
            text: clean(text),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// The enhanced code at the start of the text, if it agrees with the reply's code (RFC 2034 §4).
fn enhanced(code: u16, text: &str) -> Option<String> {
    let word = text.split_ascii_whitespace().next()?;
    // Seen in the wild: "450-4.2.1: try later", "550 #5.1.0 Address rejected".
    let word = word.trim_start_matches('#').trim_end_matches(':');
    let mut parts = word.split('.');
    let number = |part: Option<&str>| {
        part.filter(|part| (1..=3).contains(&part.len()))
            .filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|part| part.parse::<u16>().ok())
    };
    let class = number(parts.next())?;
    number(parts.next())?;
    number(parts.next())?;
    (class == code / 100 && parts.next().is_none()).then(|| word.to_owned())
}

/// One bounded line without control characters and whole addresses.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(KEPT));
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at);
        let start = before
            .rfind(|c: char| c.is_whitespace() || "<>()[]{},;:\"'`".contains(c))
            .map_or(0, |i| {
                i + before[i..].chars().next().map_or(1, char::len_utf8)
            });
        let (lead, local) = before.split_at(start);
        escape(lead, &mut out);
        if let Some(first) = local.chars().next() {
            escape(first.encode_utf8(&mut [0; 4]), &mut out);
            out.push('…');
        }
        out.push('@');
        rest = &after[1..];
    }
    escape(rest, &mut out);
    match out.char_indices().nth(KEPT) {
        Some((end, _)) => out[..end].to_owned(),
        None => out,
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if is_unsafe(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked_and_control_characters_escaped() {
        let text = "5.1.1 <john.doe@example.com>: unknown\r\n\u{1b}[31m; rcpt=é@example.test,@x";

        let reply = Reply::new(550, text);

        assert_eq!(
            reply.text,
            "5.1.1 <j…@example.com>: unknown\\r\\n\\u{1b}[31m; r…@example.test,@x"
        );
    }

    #[test]
    fn marks_that_turn_the_direction_of_writing_are_escaped() {
        let reply = Reply::new(550, "no \u{202e}such\u{2066} user\u{9b}31m");

        assert_eq!(reply.text, "no \\u{202e}such\\u{2066} user\\u{9b}31m");
    }

    #[test]
    fn a_long_text_is_cut_at_five_hundred_characters() {
        let reply = Reply::new(550, &"ä".repeat(2000));

        assert_eq!(reply.text.chars().count(), 500);
    }

    #[test]
    fn an_enhanced_code_counts_only_if_it_agrees_with_the_code() {
        let of = |code, text| Reply::new(code, text).enhanced;

        assert_eq!(of(550, "5.7.515 Access denied").as_deref(), Some("5.7.515"));
        assert_eq!(of(550, "#5.1.0 Address rejected").as_deref(), Some("5.1.0"));
        assert_eq!(of(450, "4.2.1: later").as_deref(), Some("4.2.1"));
        assert_eq!(of(550, "4.2.1 later"), None);
        assert_eq!(of(550, "127.0.0.1 listed"), None);
        assert_eq!(of(550, "5.1 short"), None);
        assert_eq!(of(550, ""), None);
    }
}
