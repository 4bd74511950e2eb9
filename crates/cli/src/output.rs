//! The standard output: the one way to write to it.
//!
//! `println!` panics when it can't write, as in `smart-notes jobs list | head -1` after `head` has exited. Here the first
//! failure is kept and the rest is not written, so that a command still completes, such as deleting a user. [`end`] returns
//! the failure at the end of the program.
//!
//! Output may contain text of clients, relays and files: terminal control characters are escaped here.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::Mutex;

use runtime::hints;
use runtime::printable::printable;
use runtime::program;
use serde_json::Value;

/// The first failure to write.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line, as `println!` does.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::line(format_args!($($text)*))
    };
}

/// The function behind [`say!`].
pub fn line(text: fmt::Arguments<'_>) {
    let Ok(mut failure) = FAILURE.lock() else {
        return;
    };
    if failure.is_none() {
        let text = text.to_string();
        *failure = writeln!(io::stdout(), "{}", printable(&hints::complete(&text))).err();
    }
}

/// Prints a result as JSON or as text.
pub fn print(as_json: bool, json: impl FnOnce() -> Value, text: impl FnOnce() -> String) {
    if as_json {
        say!("{:#}", json());
    } else {
        say!("{}", text());
    }
}

/// Whether output can still be written. A command that runs until a signal ends when it can't.
pub fn is_read() -> bool {
    FAILURE.lock().is_ok_and(|failure| failure.is_none())
}

/// Flushes the output. A reader that has exited (`| head`, `| grep -q`) is not a failure.
pub fn end() -> io::Result<()> {
    let kept = FAILURE.lock().ok().and_then(|mut failure| failure.take());
    match kept.map_or_else(|| io::stdout().flush(), Err) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints on the standard error why a command failed.
pub fn complain(why: &anyhow::Error) {
    remark(&format!("{why:#}"));
}

/// Prints a line on the standard error that is not part of the result.
pub fn remark(text: &str) {
    program::print_error("smart-notes", text);
}
