//! Why a query or a command of an operator failed.

use domain::store::StoreError;

/// Why a query or a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was refused; nothing is broken.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a query or a command was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such user, mail or address, or several match.
    #[error("{0}")]
    NotFound(String),
    /// The current state does not allow it.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// There is no such user, mail or address, or several match.
    pub fn not_found(message: impl Into<String>) -> Self {
        Refusal::NotFound(message.into()).into()
    }

    /// The current state does not allow it.
    pub fn refused(message: impl Into<String>) -> Self {
        Refusal::Refused(message.into()).into()
    }
}

impl Refusal {
    /// The code of the refusal for programs, such as the exit code of a command.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::NotFound(_) => 3,
            Self::Refused(_) => 4,
        }
    }
}

/// An error and each of its causes, separated by colons.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}
