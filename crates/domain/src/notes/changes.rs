//! The feed of changes, for devices that store notes.

use super::numbers::Numbers;
use super::{Note, NoteId};

/// The latest change of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteChange {
    /// The current note.
    Written(Box<Note>),
    /// The note is in the trash or permanently deleted.
    Deleted {
        /// The id of the note.
        id: NoteId,
        /// Higher than that of any version that was live.
        version: i64,
    },
}

/// A page of the feed.
#[derive(Debug, Clone, Default)]
pub struct ChangePage {
    /// Each note at most once, under its newest change, in the order of commits.
    pub changes: Vec<NoteChange>,
    /// The number of the last change read.
    pub upto: i64,
    /// Whether there are more.
    pub more: bool,
    /// The numbers of the user's changes.
    pub numbers: Numbers,
    /// Tombstones up to this change may be deleted: an older cursor must start over.
    pub forgotten: i64,
}
