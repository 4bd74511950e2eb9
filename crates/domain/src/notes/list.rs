//! Lists of notes: filters, orders, and positions to continue from.

use super::words::title_key;
use super::{Draft, Note, NoteId};
use crate::id::UserId;

/// Bytes of texts, as JSON writes them, after which a page of a list or of the feed ends, as if fewer entries had been
/// asked for. What one request makes the database, this process and the client hold is bounded by it, however long the
/// notes are.
pub const PAGE_BYTES: u32 = 512 * 1024;

/// How many notes have room where none follows once there are so many bytes of their texts, as JSON writes them.
pub fn with_room<'a>(drafts: impl Iterator<Item = &'a Draft>, bytes: u32) -> usize {
    let mut left = bytes as usize;
    drafts
        .take_while(|draft| {
            let has_room = left > 0;
            left = left.saturating_sub(draft.json_bytes());
            has_room
        })
        .count()
}

/// What a list is ordered by; the identifier decides between equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// When a note was changed last.
    Updated,
    /// When a note was made.
    Created,
    /// The title, without case and accents.
    Title,
    /// How well a note fits what is searched for, then when it was changed last. Best and newest first alone.
    Rank,
    /// The number of the newest change, of notes that were changed since they were made. Lowest first alone.
    Change,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The key of the order.
    pub key: Key,
    /// The highest first.
    pub descending: bool,
}

/// A place in a list: right after a note, or right before it, whether that note is still there or not. What the
/// list is not ordered by is 0 or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPosition {
    /// The note's [rank](Listed::rank).
    pub rank: i64,
    /// The note's time, in microseconds since 1970-01-01 UTC.
    pub number: i64,
    /// What the note's title is ordered by; see [`super::words::title_key`].
    pub title: String,
    /// The id of the note.
    pub id: NoteId,
    /// Whether the page ends before the place, instead of beginning after it.
    pub before: bool,
}

impl ListPosition {
    /// After which every note lies that was changed after that change, in a list by [`Key::Change`].
    #[must_use]
    pub fn since(change: i64) -> Self {
        Self {
            rank: change.saturating_add(1),
            number: 0,
            title: String::new(),
            id: NoteId(uuid::Uuid::nil()),
            before: false,
        }
    }

    /// Before which every note of a list of that order lies, whatever they are.
    #[must_use]
    pub fn end(order: Order) -> Self {
        let beyond = if order.descending { i64::MIN } else { i64::MAX };
        Self {
            rank: beyond,
            number: beyond,
            title: String::new(),
            id: NoteId(uuid::Uuid::nil()),
            before: true,
        }
    }
}

/// A query for a list of notes.
#[derive(Debug, Clone)]
pub struct NoteQuery {
    /// The owner of the notes.
    pub user: UserId,
    /// Those in the trash, instead of the live ones.
    pub trashed: bool,
    /// Those with this tag, as [`super::tags::key`] compares tags.
    pub tag: Option<String>,
    /// Those that are pinned, or those that are not.
    pub pinned: Option<bool>,
    /// Those that are archived, or those that are not.
    pub archived: Option<bool>,
    /// Folded words; see [`super::words::of_search`].
    pub words: Vec<String>,
    /// In which order.
    pub order: Order,
    /// From where; from the beginning if `None`.
    pub place: Option<ListPosition>,
    /// How many at most.
    pub limit: u32,
    /// No note follows on the page once its notes have so many bytes of title, content and tags together, as JSON writes
    /// them; the first one stands on it however long it is.
    pub bytes: u32,
}

/// A note in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The stored note.
    pub note: Note,
    /// How well it fits what is searched for; in a list by [`Key::Change`], the number of its newest change.
    pub rank: i64,
}

impl Listed {
    /// The place right after the note, or right before it.
    #[must_use]
    pub fn place(&self, key: Key, before: bool) -> ListPosition {
        let Self { note, rank } = self;
        let (rank, number, title) = match key {
            Key::Updated => (0, note.updated.as_microsecond(), String::new()),
            Key::Created => (0, note.created.as_microsecond(), String::new()),
            Key::Title => (0, 0, title_key(&note.draft.title)),
            Key::Rank => (*rank, note.updated.as_microsecond(), String::new()),
            Key::Change => (*rank, 0, String::new()),
        };
        ListPosition {
            rank,
            number,
            title,
            id: note.id,
            before,
        }
    }
}

/// A page of a list.
#[derive(Debug, Clone, Default)]
pub struct NotePage {
    /// The notes, in their order.
    pub notes: Vec<Listed>,
    /// Whether there are more in the direction that was asked for.
    pub more: bool,
    /// How many the whole list has.
    pub count: u64,
    /// The newest change of the user's notes when the page was read.
    pub newest: i64,
}
