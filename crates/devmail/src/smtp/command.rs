//! One command line, converted to the form that `mailin` understands.
//!
//! Separate from the session because `mailin`'s grammar is narrower than senders need: it lacks the
//! null sender `<>`, `SIZE=`, `SMTPUTF8`, and NOOP with an argument. Called by `smtp::connection`
//! for each line outside DATA.

use std::borrow::Cow;

use super::MAX_MAIL;

/// The placeholder for the null sender; no received line can contain it.
pub(super) const NULL_SENDER: &str = "\0";

/// A line, ready for the state machine, or the reply that refuses it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Pass { line: Cow<'a, [u8]>, ehlo: bool },
    Refuse(&'static str),
}

/// Reads a line with its line break.
pub(super) fn read(line: &[u8]) -> Command<'_> {
    let Some(text) = line.strip_suffix(b"\r\n") else {
        return Command::Refuse("500 5.5.2 A line must end with CRLF");
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return Command::Refuse("500 5.5.2 A command must be UTF-8");
    };
    if text.contains(char::is_control) {
        return Command::Refuse("500 5.5.2 A command must not contain control characters");
    }
    let verb = text.get(..4).unwrap_or_default().to_ascii_uppercase();
    match (verb.as_str(), text.split_once('>')) {
        ("MAIL", Some((path, parameters))) => mail(path, parameters),
        ("RCPT", Some((_, parameters))) if !parameters.trim().is_empty() => {
            Command::Refuse("555 5.5.4 Parameters of RCPT are not supported")
        }
        ("RCPT", Some((path, _))) => pass(format!("{path}>\r\n")),
        ("NOOP", _) => pass("NOOP\r\n".to_owned()),
        _ => Command::Pass {
            line: Cow::Borrowed(line),
            ehlo: verb == "EHLO",
        },
    }
}

fn pass(line: String) -> Command<'static> {
    Command::Pass {
        line: Cow::Owned(line.into_bytes()),
        ehlo: false,
    }
}

fn mail(path: &str, parameters: &str) -> Command<'static> {
    for parameter in parameters.split_ascii_whitespace() {
        let parameter = parameter.to_ascii_uppercase();
        match parameter.split_once('=') {
            None if parameter == "SMTPUTF8" => {}
            Some(("BODY", "7BIT" | "8BITMIME")) => {}
            Some(("SIZE", size)) => match size.parse::<u64>() {
                Ok(size) if size <= MAX_MAIL as u64 => {}
                Ok(_) => return Command::Refuse("552 5.3.4 Message too large"),
                Err(_) => return Command::Refuse("501 5.5.4 SIZE must be a number"),
            },
            _ => return Command::Refuse("555 5.5.4 Parameter of MAIL is not supported"),
        }
    }
    let sender = if path.ends_with('<') { NULL_SENDER } else { "" };
    pass(format!("{path}{sender}>\r\n"))
}
