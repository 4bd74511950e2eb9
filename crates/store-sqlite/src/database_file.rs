//! The database's file, and whether its path still leads to the file that was opened.
//!
//! `SQLite` goes on with a file that was moved away, deleted or replaced (SQLite, "How To Corrupt", section 2.4): what is
//! written to it is lost for every process that opens the path. So the path is checked before each write transaction.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// An open file, known by its device and inode.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// The path leads to another file, or to no file.
#[derive(Debug, thiserror::Error)]
#[error("the database {} was moved away or replaced", .0.display())]
pub(crate) struct Moved(pub(crate) PathBuf);

impl DatabaseFile {
    /// The file at a path, which was just opened.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        // Read from metadata and not opened, as in [`crate::connect::must_exist`].
        let file = std::fs::metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            device: file.dev(),
            inode: file.ino(),
        })
    }

    /// Whether the path still leads to that file.
    pub(crate) fn check(&self) -> Result<(), Moved> {
        match Self::of(&self.path) {
            Ok(now) if (now.device, now.inode) == (self.device, self.inode) => Ok(()),
            _ => Err(Moved(self.path.clone())),
        }
    }

    /// Whether its disk has room for what a transaction may need: a write-ahead log that is not yet written back.
    pub(crate) fn has_room(&self) -> bool {
        const LOG: u64 = 4 * 1024 * 1024;
        let Ok(disk) = rustix::fs::statvfs(&self.path) else {
            return false;
        };
        disk.f_bavail.saturating_mul(disk.f_frsize) >= LOG
    }
}
