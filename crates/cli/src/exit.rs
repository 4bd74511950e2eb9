//! The exit codes by which scripts tell apart why a command did not do what it was asked for.

use std::process::ExitCode;

use operator::Error;

use crate::output;

/// For the help of commands that keep to these codes.
pub const CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 there is no such mail, address or user, or several fit; \
4 refused because of the state it is in. Of several, the highest counts.";

/// The exit code of a command that came to its end, or was refused, which is told here. Any other error is left to the
/// caller.
pub fn exit_code(end: anyhow::Result<u8>) -> anyhow::Result<ExitCode> {
    match end {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(error) => match error.downcast_ref::<Error>() {
            Some(Error::Refusal(refusal)) => {
                output::complain(&error);
                Ok(ExitCode::from(refusal.code()))
            }
            _ => Err(error),
        },
    }
}
