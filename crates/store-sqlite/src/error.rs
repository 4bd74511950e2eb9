//! What an error of `SQLite` means to the caller of a port.

use domain::store::StoreError;
use sqlx::Error;

use crate::database_file::Moved;

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const TOO_BIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
const IOERR_FSYNC: i32 = 0x040a;
const IOERR_DIR_FSYNC: i32 = 0x050a;

/// `SQLite`'s extended result code, if the database said so.
pub(crate) fn code(error: &Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Whether the disk may have lost what it was given. Nothing may be retried on that handle then:
/// the kernel forgets the failure after reporting it once.
pub(crate) fn is_fatal(error: &Error) -> bool {
    matches!(code(error), Some(IOERR_FSYNC | IOERR_DIR_FSYNC))
}

/// Whether the file is broken.
pub(crate) fn is_corrupt(error: &Error) -> bool {
    code(error).is_some_and(|code| code & 0xff == CORRUPT)
}

/// The error of the port for an error of sqlx.
pub(crate) fn store_error(error: Error) -> StoreError {
    if let Error::Io(error) = &error
        && let Some(moved) = error.get_ref().and_then(|error| error.downcast_ref())
    {
        return StoreError::from(moved);
    }
    // The primary result code is the extended one's lowest byte.
    match code(&error).map(|code| code & 0xff) {
        Some(BUSY | LOCKED) => StoreError::Busy,
        Some(FULL) => StoreError::Full,
        Some(TOO_BIG | CONSTRAINT | MISMATCH) => StoreError::Rejected(Box::new(error)),
        _ if matches!(error, Error::PoolTimedOut) => StoreError::Busy,
        _ => StoreError::Backend(Box::new(error)),
    }
}

impl From<&Moved> for StoreError {
    fn from(Moved(path): &Moved) -> Self {
        Self::Moved(path.display().to_string())
    }
}

impl From<Moved> for StoreError {
    fn from(moved: Moved) -> Self {
        Self::from(&moved)
    }
}

/// A stored value that this version can't read.
pub(crate) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Backend(Box::new(error))
}

/// As [`store_error`], and a violated uniqueness rule becomes the conflict of that name.
pub(crate) fn conflict_or(error: Error, rules: &[(&str, &'static str)]) -> StoreError {
    if let Some(database) = error.as_database_error()
        && database.is_unique_violation()
        && let Some((_, name)) = rules
            .iter()
            .find(|(column, _)| database.message().ends_with(column))
    {
        return StoreError::Conflict(name);
    }
    store_error(error)
}
