//! The last steps of a line of JSON. The fields of what an event happened in stand beside its own, so that a request's id
//! is at one place in every line. And what JSON leaves as it is and a terminal obeys (DEL, C1, marks of direction) is
//! escaped, for whoever reads the log where it is written.

use std::borrow::Cow;
use std::io;

use serde_json::{Map, Value};

use tracing_subscriber::fmt::MakeWriter;

use crate::printable::printable;

/// A line without its `span`, whose fields are the line's own. Most lines have none.
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

/// Writes lines of JSON, which say the same as before.
pub(super) struct Clean<W>(pub(super) W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for Clean<W> {
    type Writer = CleanWriter<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        CleanWriter(self.0.make_writer())
    }
}

/// Gets each line as a whole.
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
