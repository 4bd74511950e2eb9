//! What must not be kept of a relay's reply: the codes of the mail that it is about, the recipient's address and our own
//! password.
//!
//! A content filter may quote the message that it refuses, and any server what it was told. The worker knows what it has
//! sent, so it strikes that out where a reply becomes a record (`Relay`'s `tell`), before anything logs or stores it.
//! Besides the plain text it knows the spellings that mail servers and filters make of one: letters in the other
//! case, separators between digits, quoted-printable (RFC 2045 §6.7), percent encoding, HTML's character references and
//! base64. A code that the end of the reply cuts off is struck out as well.

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use lettre::Address;

/// So many separators may stand between two characters of a code.
const SEPARATORS: usize = 4;

/// So much of a code at the end of a reply is struck out, at least.
const BEGINNING: usize = 4;

/// The shortest text in base64 that could hold a code.
const ENCODED: usize = 8;

const CODE: &str = "[code]";
const ADDRESS: &str = "[address]";
const PASSWORD: &str = "[password]";

/// The parts of a mail that no record may hold.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// The codes, in lower case and without separators.
    codes: Vec<Vec<char>>,
}

impl fmt::Debug for Secrets {
    /// How many, not which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.codes.len())
    }
}

impl Secrets {
    /// These codes.
    #[must_use]
    pub fn of_codes<'a>(codes: impl IntoIterator<Item = &'a str>) -> Self {
        let significant = |code: &str| {
            let code = code.chars().filter(char::is_ascii_alphanumeric);
            code.map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>()
        };
        let mut codes: Vec<_> = codes.into_iter().map(significant).collect();
        codes.retain(|code| !code.is_empty());
        Self { codes }
    }

    /// A text without them and without the recipient's address.
    pub(super) fn strike(&self, to: Option<&Address>, text: &str) -> String {
        let mut found = Vec::new();
        let is_encoded = text.contains(['=', '%', '\\', '&']);
        let decoded = is_encoded.then(|| decoded(text));
        for units in std::iter::once(plain(text)).chain(decoded) {
            for code in &self.codes {
                found.extend(code_in(&units, code).map(|span| (span, CODE.to_owned())));
            }
            if let Some(to) = to {
                let mask = format!("{}…@{}", first_letter(to.user()), to.domain());
                found.extend(address_in(&units, to).map(|span| (span, mask.clone())));
            }
        }
        for run in encoded_runs(text) {
            found.extend(
                self.hidden_in(&text[run.clone()], to)
                    .map(|what| (run, what)),
            );
        }
        replaced(text, found)
    }

    /// What a text in base64 holds of that, whatever it begins with.
    fn hidden_in(&self, run: &str, to: Option<&Address>) -> Option<String> {
        let texts: Vec<String> = (0..4)
            .filter_map(|skipped| run.get(skipped..))
            .flat_map(from_base64)
            .collect();
        let holds = |code: &Vec<char>| {
            let mut texts = texts.iter().map(|text| plain(text));
            texts.any(|units| code_in(&units, code).next().is_some())
        };
        if self.codes.iter().any(holds) {
            return Some(CODE.to_owned());
        }
        let to = to?;
        let mut texts = texts.iter().map(|text| plain(text));
        texts
            .any(|units| address_in(&units, to).next().is_some())
            .then(|| ADDRESS.to_owned())
    }
}

/// A user and a password, as AUTH sends them.
pub(super) struct Login(Vec<String>);

impl Login {
    pub(super) fn new(user: &str, password: &str) -> Self {
        let encoded = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
        Self(vec![
            encoded(format!("\0{user}\0{password}")),
            encoded(password.to_owned()),
            password.to_owned(),
        ])
    }

    /// A text without the password.
    pub(super) fn strike(&self, text: &str) -> String {
        let texts = self.0.iter().filter(|secret| secret.len() >= BEGINNING);
        texts.fold(text.to_owned(), |text, secret| {
            text.replace(secret, PASSWORD)
        })
    }
}

/// A character of a reply, as it is read, and where it is written.
struct Unit {
    read: char,
    at: Range<usize>,
}

fn plain(text: &str) -> Vec<Unit> {
    let chars = text.char_indices();
    chars
        .map(|(at, c)| Unit {
            read: c.to_ascii_lowercase(),
            at: at..at + c.len_utf8(),
        })
        .collect()
}

/// Characters that are written as a number count as themselves.
fn decoded(text: &str) -> Vec<Unit> {
    let (mut units, mut at) = (Vec::new(), 0);
    while let Some(c) = text[at..].chars().next() {
        let (read, length) = reference(&text[at..]).unwrap_or((c, c.len_utf8()));
        units.push(Unit {
            read: read.to_ascii_lowercase(),
            at: at..at + length,
        });
        at += length;
    }
    units
}

/// A character at the beginning that is written as a number, and how long that is. One that is not visible is a space.
fn reference(text: &str) -> Option<(char, usize)> {
    let number = |digits: &str, radix| {
        let digits = Some(digits).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(digits, radix).ok()?;
        let visible = byte.is_ascii_graphic();
        Some(if visible { char::from(byte) } else { ' ' })
    };
    for mark in ["=", "%", "\\x"] {
        if let Some(rest) = text.strip_prefix(mark) {
            return Some((number(rest.get(..2)?, 16)?, mark.len() + 2));
        }
    }
    let (digits, _) = text.strip_prefix("&#")?.split_once(';')?;
    let read = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => number(hex, 16)?,
        None => number(digits, 10)?,
    };
    Some((read, "&#;".len() + digits.len()))
}

/// Where a code stands, wholly or, at the end, its beginning.
fn code_in<'u>(units: &'u [Unit], code: &'u [char]) -> impl Iterator<Item = Range<usize>> + 'u {
    (0..units.len()).filter_map(|start| {
        let length = code_at(&units[start..], code)?;
        Some(units[start].at.start..units[start + length - 1].at.end)
    })
}

/// How many characters a code takes that stands at the beginning.
fn code_at(units: &[Unit], code: &[char]) -> Option<usize> {
    let (mut matched, mut length, mut separators) = (0, 0, 0);
    for (n, unit) in units.iter().enumerate() {
        if unit.read == code[matched] {
            (matched, length, separators) = (matched + 1, n + 1, 0);
            if matched == code.len() {
                return Some(length);
            }
        } else if matched == 0 || unit.read.is_alphanumeric() || separators == SEPARATORS {
            return None;
        } else {
            separators += 1;
        }
    }
    (matched >= BEGINNING).then_some(length)
}

/// Where an address stands, whatever stands for its `@`.
fn address_in<'u>(units: &'u [Unit], to: &Address) -> impl Iterator<Item = Range<usize>> + 'u {
    let [local, domain] = [to.user(), to.domain()].map(str::to_ascii_lowercase);
    (0..units.len()).filter_map(move |start| {
        let inside = start > 0 && units[start - 1].read.is_alphanumeric();
        let rest = after(&units[start..], &local).filter(|_| !inside)?;
        let rest = after(after_at(rest)?, &domain)?;
        let end = units.len() - rest.len();
        Some(units[start].at.start..units[end - 1].at.end)
    })
}

fn after<'u>(units: &'u [Unit], text: &str) -> Option<&'u [Unit]> {
    let begins = units.len() >= text.len() && text.chars().zip(units).all(|(c, one)| c == one.read);
    begins.then(|| &units[text.len()..])
}

/// What follows an `@`, a sign that stands for one, or the word `at`.
fn after_at(units: &[Unit]) -> Option<&[Unit]> {
    let signs = |units: &[Unit]| {
        let signs = units.iter().take(SEPARATORS);
        signs
            .take_while(|unit| !unit.read.is_alphanumeric())
            .count()
    };
    let (between, rest) = units.split_at(signs(units));
    if between
        .iter()
        .any(|unit| matches!(unit.read, '@' | '=' | '%'))
    {
        return Some(rest);
    }
    let rest = after(rest, "at").filter(|_| !between.is_empty())?;
    let between = signs(rest);
    (between > 0).then(|| &rest[between..])
}

/// The parts of a text that may be in base64.
fn encoded_runs(text: &str) -> impl Iterator<Item = Range<usize>> {
    let of_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    text.split(move |c| !of_base64(c))
        .filter(|run| run.len() >= ENCODED)
        .map(|run| {
            let start = run.as_ptr().addr() - text.as_ptr().addr();
            start..start + run.len()
        })
}

fn from_base64(run: &str) -> impl Iterator<Item = String> {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    // One character more than whole bytes is of no use.
    let whole = run.len() - usize::from(run.len() % 4 == 1);
    [&STANDARD, &URL_SAFE]
        .into_iter()
        .filter_map(move |alphabet| {
            let bytes = GeneralPurpose::new(alphabet, config)
                .decode(&run[..whole])
                .ok()?;
            Some(bytes.into_iter().map(char::from).collect())
        })
}

/// A text with other words in place of its parts; of parts that overlap, the first.
fn replaced(text: &str, mut parts: Vec<(Range<usize>, String)>) -> String {
    parts.sort_by_key(|(part, _)| (part.start, std::cmp::Reverse(part.end)));
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (part, words) in parts {
        if part.start >= done {
            out.push_str(&text[done..part.start]);
            out.push_str(&words);
            done = part.end;
        } else {
            // The rest of one that overlaps must not stay either.
            done = done.max(part.end);
        }
    }
    out.push_str(&text[done..]);
    out
}

fn first_letter(text: &str) -> String {
    text.chars().take(1).collect()
}

#[cfg(test)]
mod tests;
