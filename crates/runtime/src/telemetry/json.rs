//! The last steps of a JSON line. The fields of the enclosing spans are moved beside those of the
//! event, so that the request id is at the same place in every line. Characters that JSON allows
//! but a terminal interprets (DEL, C1, direction marks) are escaped.

use std::borrow::Cow;
use std::io;

use serde_json::{Map, Value};

use tracing_subscriber::fmt::MakeWriter;

use crate::printable::printable;

/// The line with the fields of its `span` at the top level. Most lines have no span.
fn flat(line: &str) -> Cow<'_, str> {
    if !line.contains(r#","span":{"#) {
        return Cow::Borrowed(line);
    }
    let Ok(mut event) = serde_json::from_str::<Map<String, Value>>(line) else {
        return Cow::Borrowed(line);
    };
    if let Some(Value::Object(mut span)) = event.remove("span") {
        span.remove("name");
        for (field, value) in span {
            event.entry(field).or_insert(value);
        }
    }
    Cow::Owned(format!("{}\n", Value::Object(event)))
}

/// Escapes lines of JSON without changing their meaning.
pub(super) struct Clean<W>(pub(super) W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Clean<W> {
    type Writer = CleanWriter<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        CleanWriter(self.0.make_writer())
    }
}

/// The writer of one line, which receives it as a whole.
pub(super) struct CleanWriter<W>(W);

impl<W: io::Write> io::Write for CleanWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(line) => {
                self.0.write_all(printable(&flat(line)).as_bytes())?;
                Ok(bytes.len())
            }
            Err(_) => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
