//! The exit codes of commands.

use std::process::ExitCode;

use operator::Error;

use crate::output;

/// The help text of commands with these exit codes.
pub const CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 no such mail, address or user, or several match; \
4 refused in the current state. For several mails, the highest code counts.";

/// The exit code of a command that ended, or was refused; a refusal is printed here. Any other error is left to the
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
