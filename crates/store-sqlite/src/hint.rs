//! How to fix a database that can't be opened: a sentence for the error message, before its cause.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::connect::OpenError;
use crate::error::code;

const OWNER: &str = ". SQLite writes into the database, the -wal and -shm beside it, and their folder: \
                     run this as their owner, or give them to the user who runs it (`chown`)";
const READ_ONLY: &str = ". Its file system is read-only: make it writable, or choose another place \
                         with database.url";
const PATH: &str = ". Choose another place with database.url: a file, in a folder";
const ROOM: &str = ". Make room on its disk";
const BUSY: &str = ". Another program keeps it locked: stop that one, or wait for its end";
const BROKEN: &str = ". Put a backup in its place, or choose another file with database.url";

/// The fix for an error of the operating system.
pub(crate) fn io(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => OWNER,
        ErrorKind::ReadOnlyFilesystem => READ_ONLY,
        ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::AlreadyExists
        | ErrorKind::InvalidFilename => PATH,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ROOM,
        _ => "",
    }
}

/// The fix for an error of `SQLite`, by its primary result code (<https://sqlite.org/rescode.html>).
pub(crate) fn sqlite(error: &sqlx::Error) -> &'static str {
    if let sqlx::Error::Io(error) = error {
        return io(error);
    }
    match code(error).map(|code| code & 0xff) {
        Some(3 | 8 | 14) => OWNER, // PERM, READONLY, CANTOPEN
        Some(5 | 6) => BUSY,       // BUSY, LOCKED
        Some(11 | 26) => BROKEN,   // CORRUPT, NOTADB
        Some(13) => ROOM,          // FULL
        _ => "",
    }
}

/// Refuses a database that this process may not write. Opening would succeed where only the database's own file is
/// read-only, and every write would fail later. `SQLite` does not say which of the files it is.
///
/// The system is asked about access and no file is opened, as in [`crate::connect::must_exist`].
pub(crate) fn must_be_writable(path: &Path) -> Result<(), OpenError> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let may_be_missing = [beside("-wal"), beside("-shm")]
        .into_iter()
        .filter(|path| path.exists());
    for path in [folder(path).to_owned(), path.to_owned()]
        .into_iter()
        .chain(may_be_missing)
    {
        let asked = accessat(
            CWD,
            &path,
            Access::READ_OK | Access::WRITE_OK,
            AtFlags::EACCESS,
        );
        asked.map_err(|error| OpenError::ReadOnly {
            path,
            source: error.into(),
        })?;
    }
    Ok(())
}

/// The folder that a file is in.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
