//! The database port for notes.

use async_trait::async_trait;
use jiff::Timestamp;

use super::changes::ChangePage;
use super::device::DeviceRun;
use super::list::{NotePage, NoteQuery};
use super::numbers::{Jump, Numbers};
use super::words::{ChangedWords, NoteWords};
use super::{Note, NoteId};
use crate::id::UserId;
use crate::plans::NoteLimits;
use crate::store::StoreError;
use crate::token::SecretHash;

/// The owner of a new note.
#[derive(Debug, Clone)]
pub enum NoteOwner {
    /// A user's.
    User(UserId),
    /// That of the user who has this token, if its session is good and was used since then.
    Bearer {
        /// The token's hash.
        token: SecretHash,
        /// When the session must have been used last, or later.
        used_since: Timestamp,
    },
}

/// A note that is to be added.
#[derive(Debug, Clone)]
pub struct NewNote {
    /// The owner of the note.
    pub owner: NoteOwner,
    /// What; its version counts on from the note that was deleted under this identifier, if one was.
    pub note: Note,
    /// Whether the identifier was made for it: then no note was deleted under it.
    pub id_is_fresh: bool,
    /// Its texts, as search and the order by title see them.
    pub words: NoteWords,
    /// How many notes each plan allows, and how many bytes.
    pub limits: NoteLimits,
}

/// Where a note stands among its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The current version.
    pub version: i64,
    /// The lowest version that its next change may make: above all that were given before a restore from a backup.
    pub floor: i64,
    /// The newest versions, if one device wrote them and said which it is. It may have ended before this version.
    pub run: Option<DeviceRun>,
}

impl Revision {
    /// The version that its next change makes.
    #[must_use]
    pub fn next(&self) -> i64 {
        self.version.saturating_add(1).max(self.floor)
    }
}

/// A note as it is stored, to be written over.
#[derive(Debug, Clone)]
pub struct StoredNote {
    /// The stored note.
    pub note: Note,
    /// Where it stands among its versions.
    pub revision: Revision,
}

/// A note whose words or tags were folded by older rules.
#[derive(Debug, Clone)]
pub struct OutdatedNote {
    /// The number of its row.
    pub row: i64,
    /// The number of its newest change.
    pub change: i64,
    /// The title of the note.
    pub title: String,
    /// The content of the note.
    pub content: String,
    /// The tags of the note.
    pub tags: Vec<String>,
}

/// The same, folded by today's rules.
#[derive(Debug, Clone)]
pub struct Refolded {
    /// The number of its row.
    pub row: i64,
    /// The number of the change whose texts were folded.
    pub change: i64,
    /// Its words; see [`NoteWords::searched`].
    pub words: String,
    /// The tags of the note.
    pub tags: Vec<String>,
}

/// A version of a note that is above all that it ever had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionAhead {
    /// The highest version named.
    pub version: i64,
    /// Whether the note may not have had it and been forgotten since.
    pub certain: bool,
}

/// The read statements for notes.
#[async_trait]
pub trait ReadNotes: Send {
    /// A note of the user, live or in the trash.
    async fn note(&mut self, user: UserId, id: NoteId) -> Result<Option<Note>, StoreError>;
    /// A note of the user, live or in the trash, and where it stands among its versions.
    async fn stored_note(
        &mut self,
        user: UserId,
        id: NoteId,
    ) -> Result<Option<StoredNote>, StoreError>;
    /// Where a live note of the user stands among its versions. Hands out no text, however long the note is.
    async fn live_revision(
        &mut self,
        user: UserId,
        id: NoteId,
    ) -> Result<Option<Revision>, StoreError>;
    /// The highest version that is named of a note and above all that the user's note ever had, if one is. Versions up to the last
    /// jump of the numbers are none.
    async fn note_version_ahead(
        &mut self,
        user: UserId,
        named: &[(NoteId, i64)],
    ) -> Result<Option<VersionAhead>, StoreError>;
    /// A page of the user's notes.
    async fn notes(&mut self, query: &NoteQuery) -> Result<NotePage, StoreError>;
    /// What became of the user's notes since a change, in the order of their commits; `limit` of them at most,
    /// and none after [`super::list::PAGE_BYTES`] of notes.
    async fn note_changes(
        &mut self,
        user: UserId,
        after: i64,
        limit: u32,
    ) -> Result<ChangePage, StoreError>;
    /// Some notes of all users whose words or tags were not folded by today's rules.
    async fn outdated_notes(&mut self) -> Result<Vec<OutdatedNote>, StoreError>;
}

/// The write statements for notes. Each except [`WriteNotes::refold_note`] is a change, with the
/// next number of its owner's feed.
#[async_trait]
pub trait WriteNotes: Send {
    /// Adds a live note and answers with its version, unless the identifier is taken, the plan allows no more, or the
    /// token is not good.
    async fn insert_note(&mut self, new: &NewNote) -> Result<Option<i64>, StoreError>;
    /// Whether the user had a note of that identifier and deleted it for good, as far as that is remembered.
    async fn note_was_deleted(&mut self, user: UserId, id: NoteId) -> Result<bool, StoreError>;
    /// Whether any user has a note with that id.
    async fn note_id_is_taken(&mut self, id: NoteId) -> Result<bool, StoreError>;
    /// Writes a live note of the user over that of its identifier, live or in the trash; `words` of its title and its
    /// content unless they stay as they are. Says whether it was written: not if it comes out of the trash and the plan
    /// allows no more live notes, nor if it grows and the plan allows no more bytes.
    async fn rewrite_note(
        &mut self,
        user: UserId,
        note: &Note,
        words: ChangedWords<'_>,
        limits: NoteLimits,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// The numbers that were given to changes of the user's notes.
    async fn note_numbers(&mut self, user: UserId) -> Result<Option<Numbers>, StoreError>;
    /// Lets numbers jump, except where they would come above [`super::numbers::MOST`]; returns of how many users.
    async fn jump_note_numbers(&mut self, jump: &Jump) -> Result<u64, StoreError>;
    /// Keeps with a note which device wrote its newest versions. Is no change.
    async fn keep_device_run(
        &mut self,
        user: UserId,
        id: NoteId,
        run: &DeviceRun,
    ) -> Result<(), StoreError>;
    /// Writes how a note's words and tags are folded today, unless it was changed meanwhile.
    async fn refold_note(&mut self, note: &Refolded) -> Result<(), StoreError>;
    /// Puts a live note of the user into the trash, which makes the version [`Revision::next`].
    async fn trash_note(
        &mut self,
        user: UserId,
        id: NoteId,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Deletes a note of the user for good, and remembers that there was one.
    async fn delete_note(
        &mut self,
        user: UserId,
        id: NoteId,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}
