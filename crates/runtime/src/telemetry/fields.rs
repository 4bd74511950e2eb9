//! The format of fields in text lines: `name=value`, with control characters escaped.
//!
//! Replaces the format of the library, which writes line breaks inside `%value`s and messages
//! unescaped: an attacker who controls a value could forge a line (CWE-117, ASVS 16.4.1). Held by
//! the tests in `tests/telemetry.rs`.

use std::error::Error;
use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

use crate::printable::is_unsafe;

/// Formats the fields of events and spans.
#[derive(Debug)]
pub(super) struct Escaped;

impl<'w> FormatFields<'w> for Escaped {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line {
            writer,
            empty: true,
            result: Ok(()),
        };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    empty: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) -> fmt::Result {
        if field.name().starts_with("log.") {
            return Ok(()); // where a line of the `log` crate came from; the target says it
        }
        if !std::mem::replace(&mut self.empty, false) {
            self.writer.write_char(' ')?;
        }
        match (field.name(), self.writer.has_ansi_escapes()) {
            ("message", _) => {}
            (name, true) => write!(self.writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m")?,
            (name, false) => write!(self.writer, "{name}=")?,
        }
        Escaping(&mut self.writer).write_fmt(value)
    }

    fn record(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if self.result.is_ok() {
            self.result = self.write(field, value);
        }
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.record(field, format_args!("{value}")),
            _ => self.record(field, format_args!("{value:?}")),
        }
    }

    /// Writes the error and its causes, outermost first.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut chain = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let _ = write!(chain, ": {error}"); // writing to a String can't fail
            cause = error.source();
        }
        self.record(field, format_args!("{chain}"));
    }
}

/// Escapes characters that would end a line, move the cursor or reorder the text.
struct Escaping<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut clean = 0;
        for (at, character) in text.char_indices().filter(|(_, c)| is_unsafe(*c)) {
            self.0.write_str(&text[clean..at])?;
            write!(self.0, "{}", character.escape_default())?;
            clean = at + character.len_utf8();
        }
        self.0.write_str(&text[clean..])
    }
}
