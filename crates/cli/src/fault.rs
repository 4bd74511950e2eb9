//! What a command may not do though nothing is broken, and the exit codes by which scripts tell these apart.

use std::process::ExitCode;

use crate::output;

/// For the help of commands that keep to these codes.
pub const CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 there is no such mail, address or user, or several fit; \
4 refused because of the state it is in. Of several, the highest counts.";

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub enum Fault {
    /// Nothing, or more than one thing, is of that name.
    NotFound(String),
    /// It is in a state in which that can't be done.
    Refused(String),
}

impl std::error::Error for Fault {}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound(said) | Self::Refused(said) => f.write_str(said),
        }
    }
}

impl Fault {
    /// Nothing, or more than one thing, is of that name.
    pub fn not_found<T>(said: impl Into<String>) -> anyhow::Result<T> {
        Err(Self::NotFound(said.into()).into())
    }

    /// It is in a state in which that can't be done.
    pub fn refused<T>(said: impl Into<String>) -> anyhow::Result<T> {
        Err(Self::Refused(said.into()).into())
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::NotFound(_) => 3,
            Self::Refused(_) => 4,
        }
    }
}

/// The exit code of a command that came to its end, or to a fault, which is told here. Any other error is left to
/// the caller.
pub fn exit_code(end: anyhow::Result<u8>) -> anyhow::Result<ExitCode> {
    match end {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(error) => match error.downcast_ref::<Fault>() {
            Some(fault) => {
                output::complain(&error);
                Ok(ExitCode::from(fault.code()))
            }
            None => Err(error),
        },
    }
}
