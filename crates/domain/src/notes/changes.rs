//! The feed of changes, for devices that keep the notes themselves.

use super::numbers::Numbers;
use super::{Note, NoteId};

/// What became of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteChange {
    /// It is like this now.
    Written(Box<Note>),
    /// It is in the trash, or gone.
    Deleted {
        /// Which.
        id: NoteId,
        /// Higher than that of any version that was live.
        version: i64,
    },
}

/// A part of the feed.
#[derive(Debug, Clone, Default)]
pub struct ChangePage {
    /// Each note at most once, under its newest change, in the order of commits.
    pub changes: Vec<NoteChange>,
    /// The number to go on after.
    pub upto: i64,
    /// Whether there are more.
    pub more: bool,
    /// The numbers that changes of the book have.
    pub numbers: Numbers,
    /// Tombstones up to this change may be gone: who knows less must start over.
    pub forgotten: i64,
}
