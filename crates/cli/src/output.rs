//! The standard output: the one way to write to it.
//!
//! `println!` panics when it can't write, as in `smart-notes jobs list | head -1`, where nobody reads any more. Here
//! the first failure is kept and the rest is not written: a command still does what it was asked for, such as deleting
//! a user. At its end [`end`] tells what went wrong, if that is worth telling.
//!
//! What is printed may hold what clients, relays and files say: whatever a terminal would obey is escaped here.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::Mutex;

use runtime::hints;
use runtime::printable::printable;
use runtime::program;

/// The first failure.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line, as `println!` does.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::line(format_args!($($text)*))
    };
}

/// What [`say!`] is made of.
pub fn line(text: fmt::Arguments<'_>) {
    let Ok(mut failure) = FAILURE.lock() else {
        return;
    };
    if failure.is_none() {
        let text = text.to_string();
        *failure = writeln!(io::stdout(), "{}", printable(&hints::complete(&text))).err();
    }
}

/// Whether what is printed can still be written: a command without an end of its own ends when it can't.
pub fn is_read() -> bool {
    FAILURE.lock().is_ok_and(|failure| failure.is_none())
}

/// Writes what is left. A reader who had enough is no failure (`| head`, `| grep -q`).
pub fn end() -> io::Result<()> {
    let kept = FAILURE.lock().ok().and_then(|mut failure| failure.take());
    match kept.map_or_else(|| io::stdout().flush(), Err) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Says on the standard error why a command failed, if anybody listens there.
pub fn complain(why: &anyhow::Error) {
    remark(&format!("{why:#}"));
}

/// Prints a line on the standard error that is not a part of the result.
pub fn remark(text: &str) {
    program::print_error("smart-notes", text);
}
