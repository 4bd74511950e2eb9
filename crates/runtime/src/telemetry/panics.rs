//! Logs a panic as one line, without quoted values.
//!
//! The standard library writes the message to standard error unchanged. Messages quote the text
//! that could not be sliced, or the value of an error: a client's text with control characters, an
//! address, or a mail with its code.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{PanicHookInfo, set_hook};

/// The number of digits in a row that may be a code.
const CODE: usize = 4;

/// The placeholder for a masked value.
const HIDDEN: &str = "•••";

/// Installs a hook that logs every panic.
pub(super) fn log() {
    set_hook(Box::new(say));
}

fn say(panic: &PanicHookInfo<'_>) {
    let message = masked(message(panic.payload()));
    let place = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace);
    tracing::error!(
        code.location = place,
        backtrace = backtrace.as_ref().map(tracing::field::display),
        "a panic: {message}"
    );
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// The message without quoted values, addresses, and numbers that may be codes.
fn masked(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(['`', '"']) {
        let (before, quoted) = rest.split_at(at);
        let (quote, text) = quoted.split_at(1);
        out.push_str(&masked_words(before));
        out.push_str(quote);
        out.push_str(HIDDEN);
        out.push_str(quote);
        // If the quotation does not end, the rest is masked.
        rest = text.rsplit_once(quote).map_or("", |(_, after)| after);
    }
    out.push_str(&masked_words(rest));
    out
}

fn masked_words(text: &str) -> String {
    let digits = |word: &str| word.bytes().filter(u8::is_ascii_digit).count();
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        if digits(word) < CODE && !word.contains('@') {
            out.push_str(word);
        } else {
            out.push_str(HIDDEN);
            out.push_str(&word[word.trim_end().len()..]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_neither_what_it_quotes_nor_addresses_nor_codes() {
        for (message, shown) in [
            (
                "end byte index 9 is out of bounds of `Your code is 123456, `Ada``",
                "end byte index 9 is out of bounds of `•••`",
            ),
            (
                r#"no row: Parse("Your code is 123456")"#,
                r#"no row: Parse("•••")"#,
            ),
            ("no end: `Your code is 1", "no end: `•••`"),
            (
                "the len is 3 but the index is 5",
                "the len is 3 but the index is 5",
            ),
            ("ada@example.com has 123456 here", "••• has ••• here"),
        ] {
            assert_eq!(masked(message), shown);
        }
    }
}
