//! Notes: their types, and their use cases.
//!
//! | Module | Contents |
//! |---|---|
//! | [`words`] | a note's text as search sees it, and the piece of it that is shown |
//! | [`tags`] | which tags are the same |
//! | [`refold`] | notes that were folded by older rules |
//! | [`condition`] | what a client expects of a note before it changes it |
//! | [`create`], [`edit`], [`remove`] | the use cases: add, replace and change, trash, restore, delete |
//! | [`batch`], [`chain`], [`device`] | edits that were made offline, those made one on top of the other, and by which device |
//! | [`list`], [`changes`] | what can be asked |
//! | [`numbers`] | those of changes and versions, after a restore from a backup |
//! | [`port`] | what a database implements |
//!
//! A note is live or in the trash. Only live notes count against the plan, and only they are
//! listed, shown and changed. In the feed of changes, a trashed note is deleted like a permanently
//! deleted one.

pub mod batch;
pub mod chain;
pub mod changes;
pub mod condition;
pub mod create;
pub mod device;
pub mod edit;
mod folding;
pub mod list;
pub mod numbers;
pub mod port;
pub mod refold;
pub mod remove;
pub mod tags;
pub mod words;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::plans::{NoteLimits, Plan, PlanUsage};

/// The most characters of a title.
pub const TITLE_LENGTH: usize = 200;

/// The most characters of a content.
pub const CONTENT_LENGTH: usize = 100_000;

/// The most tags of a note.
pub const TAGS: usize = 20;

/// The most characters of a tag.
pub const TAG_LENGTH: usize = 50;

/// A note's identifier: a UUID (RFC 9562), chosen by the client or by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoteId(uuid::Uuid);

/// The error for a text that is not a note id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a UUID: 32 hexadecimal digits in groups of 8-4-4-4-12 are expected")]
pub struct NoUuid(String);

impl NoteId {
    /// A new identifier: a UUID of version 7, which begins with the current millisecond.
    #[must_use]
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7())
    }
}

impl fmt::Display for NoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            self.0
                .hyphenated()
                .encode_lower(&mut uuid::Uuid::encode_buffer()),
        )
    }
}

impl FromStr for NoteId {
    type Err = NoUuid;

    /// Reads the usual form alone, in any case.
    fn from_str(text: &str) -> Result<Self, NoUuid> {
        let usual = text.len() == uuid::fmt::Hyphenated::LENGTH;
        match uuid::Uuid::try_parse(text) {
            Ok(uuid) if usual => Ok(Self(uuid)),
            _ => Err(NoUuid(text.to_owned())),
        }
    }
}

/// The content that a client writes. Texts are stored byte for byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The title of the note.
    pub title: String,
    /// The content of the note.
    pub content: String,
    /// The tags, in their order.
    pub tags: Vec<String>,
    /// Whether the note is pinned.
    pub pinned: bool,
    /// Whether the note is archived.
    pub archived: bool,
}

impl Draft {
    /// Whether neither title nor content says anything. Such a note is refused.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.title.trim().is_empty() && self.content.trim().is_empty()
    }

    /// The bytes of its texts in JSON (RFC 8259, section 7).
    #[must_use]
    pub fn json_bytes(&self) -> usize {
        let texts = [&self.title, &self.content].into_iter().chain(&self.tags);
        texts
            .map(|text| text.bytes().map(in_json).sum::<usize>())
            .sum()
    }
}

/// How many bytes a byte of a text takes in JSON.
fn in_json(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0C => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

/// A note of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The id of the note.
    pub id: NoteId,
    /// The content of the note.
    pub draft: Draft,
    /// When it was made, as its client says where it was made offline.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
    /// From 1, higher with every change.
    pub version: i64,
    /// The note whose newer version this is an older edit of.
    pub conflict_of: Option<NoteId>,
    /// When it was put into the trash.
    pub trashed: Option<Timestamp>,
}

impl Note {
    /// Whether it is not in the trash.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.trashed.is_none()
    }

    /// The same note after another change.
    #[must_use]
    pub fn changed(&self, draft: Draft, now: Timestamp) -> Self {
        Self {
            draft,
            // Clocks are set back at times; a change is never older than what it changed.
            updated: now.max(self.updated),
            version: self.version + 1,
            trashed: None,
            ..self.clone()
        }
    }
}

/// The result of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// The note was created.
    Created(Note),
    /// The note was changed.
    Changed(Note),
    /// It said the same already; nothing was written.
    Unchanged(Note),
}

impl Written {
    /// The note as it is now.
    #[must_use]
    pub fn note(&self) -> &Note {
        match self {
            Self::Created(note) | Self::Changed(note) | Self::Unchanged(note) => note,
        }
    }
}

/// The reason why a note was not written or shown. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The user has no such live note.
    NotFound,
    /// Another note has the identifier: somebody else's, or one's own that says something else.
    Taken,
    /// The note is another than the client expects: as it is now, if there is one.
    Mismatch(Option<Box<Note>>),
    /// Title and content would both be blank.
    Blank,
    /// The plan allows no more live notes.
    PlanLimit(PlanLimitReached),
    /// The plan allows no more bytes of notes.
    StorageLimit(StorageLimitReached),
}

impl Refused {
    /// The limit of the plan that prevents a live note.
    fn without_room(standing: PlanUsage, limits: NoteLimits) -> Self {
        let full = PlanLimitReached::of(standing, limits);
        if full.used >= full.limit.into() {
            Self::PlanLimit(full)
        } else {
            Self::StorageLimit(StorageLimitReached::of(standing, limits))
        }
    }
}

/// A plan allows no more bytes of notes. What makes none of them longer still works, and so does deleting; room is made
/// by deleting notes for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageLimitReached {
    /// The plan of the user.
    pub plan: Plan,
    /// How many bytes it allows.
    pub limit: u64,
    /// How many there are, those of notes in the trash included.
    pub used: u64,
}

impl StorageLimitReached {
    fn of(standing: PlanUsage, limits: NoteLimits) -> Self {
        Self {
            plan: standing.plan,
            limit: limits.storage.of(standing.plan).unwrap_or(u64::MAX),
            used: standing.bytes,
        }
    }
}

/// A plan allows no more live notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimitReached {
    /// The plan of the user.
    pub plan: Plan,
    /// How many it allows.
    pub limit: u32,
    /// How many there are. More than `limit` after a downgrade, which takes nothing away.
    pub used: u64,
}

impl PlanLimitReached {
    /// The error when a plan's limit is reached.
    #[must_use]
    pub fn of(standing: PlanUsage, limits: NoteLimits) -> Self {
        Self {
            plan: standing.plan,
            limit: limits.of(standing.plan).unwrap_or(u32::MAX),
            used: standing.used,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_read_in_any_case_and_shown_in_lower() {
        let id: NoteId = "0190A0B0-C0D0-7E00-8F00-ABCDEFABCDEF".parse().unwrap();

        assert_eq!(id.to_string(), "0190a0b0-c0d0-7e00-8f00-abcdefabcdef");
    }

    #[test]
    fn other_forms_of_a_uuid_are_no_identifiers() {
        for text in [
            "",
            "0190a0b0c0d07e008f00abcdefabcdef",
            "{0190a0b0-c0d0-7e00-8f00-abcdefabcdef}",
            "urn:uuid:0190a0b0-c0d0-7e00-8f00-abcdefabcdef",
            "0190a0b0-c0d0-7e00-8f00-abcdefabcdeg",
            " 190a0b0-c0d0-7e00-8f00-abcdefabcdef",
        ] {
            assert!(text.parse::<NoteId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ours_are_of_version_7() {
        assert_eq!(NoteId::generate().to_string().as_bytes()[14], b'7');
    }
}
