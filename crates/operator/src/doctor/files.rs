//! Owners and permissions of files. Files are never opened: closing a handle on the database would drop the locks that
//! SQLite holds on it in this process.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A file's permissions; `None` if there is none, or this process may not ask.
pub fn mode(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.mode();
    Some(mode & 0o7777)
}

/// Whether only the owner has access.
pub fn is_private(mode: u32) -> bool {
    let others = mode & 0o077;
    others == 0
}

/// Whether others than the owner may write.
pub fn is_writable_by_others(mode: u32) -> bool {
    mode & 0o022 != 0
}

/// The user id of a file's owner.
pub fn owner(path: &Path) -> Option<u32> {
    Some(std::fs::metadata(path).ok()?.uid())
}

/// The database file and the files that SQLite keeps beside it, as far as they exist.
pub fn of_database(path: &Path) -> Vec<PathBuf> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let all = [path.to_owned(), beside("-wal"), beside("-shm")];
    all.into_iter().filter(|path| path.exists()).collect()
}

/// The folder that a file is in.
pub fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
