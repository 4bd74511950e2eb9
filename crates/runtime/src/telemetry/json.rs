//! The last step of a line of JSON: what JSON leaves as it is and a terminal obeys (DEL, C1, marks of direction) is
//! escaped, for whoever reads the log where it is written.

use std::io;

use tracing_subscriber::fmt::MakeWriter;

use crate::printable::printable;

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
                self.0.write_all(printable(line).as_bytes())?;
                Ok(bytes.len())
            }
            Err(_) => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
