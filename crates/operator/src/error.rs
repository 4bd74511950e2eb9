//! Why a question or a command of an operator was not answered or done.

use domain::store::StoreError;

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is broken: it may not be done, or there is no such thing.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an operator may not do though nothing is broken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing, or several have the name.
    #[error("{0}")]
    NotFound(String),
    /// Its state does not allow that.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// There is no such thing, or several have the name.
    pub fn not_found(message: impl Into<String>) -> Self {
        Refusal::NotFound(message.into()).into()
    }

    /// Its state does not allow that.
    pub fn refused(message: impl Into<String>) -> Self {
        Refusal::Refused(message.into()).into()
    }
}

impl Refusal {
    /// The number by which programs tell refusals apart: the exit code of a command.
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
