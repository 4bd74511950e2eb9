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
    /// All lines joined by a space, the first 500 characters, control characters and permits of
    /// direction escaped, addresses masked to `a…@example.com`.
    pub text: String,
}

impl Reply {
    /// A reply of this code and text, as the relay sent it.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        let reply = Self::as_sent(code, text.to_owned());
        let text = clean(&reply.text);
        Self { text, ..reply }
    }

    /// The same with its text as it came, until the attempt that it ends is told.
    pub(super) fn as_sent(code: u16, text: String) -> Self {
        Self {
            code,
            enhanced: enhanced(code, &text),
            text,
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
    while let Some((before, after)) = split_at_sign(rest) {
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
        rest = after;
    }
    escape(rest, &mut out);
    match out.char_indices().nth(KEPT) {
        Some((end, _)) => out[..end].to_owned(),
        None => out,
    }
}

/// How an `@` is written in quoted-printable, percent encoding and HTML.
const ENCODED_SIGNS: [&str; 4] = ["=40", "%40", "&#64;", "&#x40;"];

/// What stands before and after the first `@`, or a sign for it that a domain follows.
fn split_at_sign(text: &str) -> Option<(&str, &str)> {
    let sign = |at: usize| {
        if text[at..].starts_with('@') {
            return Some((&text[..at], &text[at + 1..]));
        }
        let begins = |sign: &&&str| {
            let beginning = text.get(at..at + sign.len());
            beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(sign))
        };
        let sign = ENCODED_SIGNS.iter().find(begins)?;
        let after = &text[at + sign.len()..];
        is_domain(after).then_some((&text[..at], after))
    };
    let signs = text.match_indices(['@', '=', '%', '&']);
    signs.map(|(at, _)| at).find_map(sign)
}

/// Whether a text begins with two labels of a domain at least.
fn is_domain(text: &str) -> bool {
    let text = text
        .to_ascii_lowercase()
        .replace("=2e", ".")
        .replace("%2e", ".");
    let domain = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.')));
    let mut labels = domain.take(1).flat_map(|domain| domain.split('.'));
    let first_two = [labels.next(), labels.next()];
    first_two
        .iter()
        .all(|label| label.is_some_and(|label| !label.is_empty()))
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
    fn addresses_are_masked_also_where_their_at_is_encoded() {
        let text =
            "to=john.doe=40example.com, x%40Example%2Ecom, <a.b&#64;c.test> size=400 100%40 40=40";

        let reply = Reply::new(550, text);

        assert_eq!(
            reply.text,
            "t…@example.com, x…@Example%2Ecom, <a…@c.test> size=400 100%40 40=40"
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
