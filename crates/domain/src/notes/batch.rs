//! Edits that were made offline. Each is a transaction of its own, and says of which version it is an edit: its base.
//!
//! What was changed on both sides is kept on both: the note as others have it, and the edit as a copy of its own. So is
//! the text of a note in the trash: it stays there, and the copy is live. An edit of just that text takes it out. The
//! copy's identifier is made of the edit, so that the same edit sent again makes no second one, nor one that was deleted
//! meanwhile.
//!
//! A device that says which it is, is in no conflict with what it wrote itself: [`super::device`].

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::chain::{Among, Below, made_of};
use super::create::{limit_reached, new_note, with_version};
use super::device::{Device, DeviceRun, EditDigest};
use super::edit::put;
use super::port::{NewNote, NoteOwner, Revision, StoredNote};
use super::words::of_title;
use super::{Draft, Note, NoteId, Refused, TITLE_LENGTH, Written};
use crate::id::UserId;
use crate::plans::NoteLimits;
use crate::store::{StoreError, Tx, Write};

/// The maximum number of edits of a batch.
pub const EDITS: usize = 100;

/// The suffix of a copy's title.
const MARK: &str = " (conflict)";

/// Writes a note that was edited offline.
#[derive(Debug)]
pub struct Upsert {
    user: UserId,
    new: NewNote,
    base: Option<i64>,
    among: Among,
    device: Option<Device>,
}

/// The result of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The edit was written, or changed nothing.
    Written(Written),
    /// The note was changed by others since the base of the edit.
    Conflict {
        /// The note as it is, live or in the trash, untouched.
        theirs: Note,
        /// The edit as a note of its own. None that was deleted for good since.
        copy: Option<Note>,
    },
}

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// The note is in the trash now, as this version.
    Done(i64),
    /// There was no such live note to delete, or it was written again since.
    Absent,
    /// Somebody else had changed the note meanwhile; it is untouched. What it says is for the caller to read: the
    /// writer, for which everybody waits, reads no long text that it does not need.
    Conflict,
}

#[async_trait]
impl Write for Upsert {
    type Out = Result<Merged, Refused>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let stored = tx.stored_note(self.user, self.new.note.id).await?;
        match stored {
            Some(newer) if self.was_written_before(&newer) => {
                Ok(Ok(Merged::Written(Written::Unchanged(newer.note))))
            }
            Some(theirs) if self.conflicts_with(&theirs) => {
                let (copied, theirs) = (self.copy(tx).await?, theirs.note);
                Ok(copied.map(|copy| Merged::Conflict { theirs, copy }))
            }
            // What others deleted meanwhile lives on: an edit says more than a deletion.
            stored => self.write(tx, stored).await,
        }
    }
}

impl Upsert {
    /// A note of a user as it was written; `base`: the version that was edited, none if the client made the note.
    #[must_use]
    pub fn new(
        user: UserId,
        id: NoteId,
        draft: Draft,
        base: Option<i64>,
        limits: NoteLimits,
        now: Timestamp,
    ) -> Self {
        Self {
            user,
            new: new_note(NoteOwner::User(user), Some(id), draft, limits, now),
            base,
            among: Among::default(),
            device: None,
        }
    }

    /// The same from a device that says which it is.
    #[must_use]
    pub fn from_device(self, device: Option<Device>) -> Self {
        Self { device, ..self }
    }

    /// The same; one that is new was made when the client says.
    #[must_use]
    pub fn made(self, at: Option<Timestamp>) -> Self {
        Self {
            new: self.new.made(at),
            ..self
        }
    }

    /// The same as one of several in a batch.
    #[must_use]
    pub fn among(self, among: Among) -> Self {
        Self { among, ..self }
    }

    fn draft(&self) -> &Draft {
        &self.new.note.draft
    }

    /// Writes the note, and keeps with it which device did.
    async fn write(
        &self,
        tx: &mut dyn Tx,
        stored: Option<StoredNote>,
    ) -> Result<Result<Merged, Refused>, StoreError> {
        let revision = stored.as_ref().map(|stored| stored.revision.clone());
        let written = put(tx, self.user, &self.new, stored).await?;
        if let (Some(device), Ok(Written::Created(note) | Written::Changed(note))) =
            (self.device, &written)
        {
            let base = self.among.base(self.base).unwrap_or(0);
            let edit = EditDigest::of(&self.hash());
            let run = DeviceRun::after(revision.as_ref(), device, base, edit, note.version);
            tx.keep_device_run(self.user, note.id, &run).await?;
        }
        Ok(written
            .map(Merged::Written)
            .map_err(|refused| match refused {
                Refused::NotFound => Refused::Taken,
                refused => refused,
            }))
    }

    fn conflicts_with(&self, theirs: &StoredNote) -> bool {
        let base = self.among.base(self.base);
        let edit = || EditDigest::of(&self.hash());
        *self.draft() != theirs.note.draft
            && (base.is_none() || is_of_another_text(base, &self.among, theirs))
            && !is_over_own(self.device, base, &self.among, &theirs.revision, edit)
    }

    /// Whether the edit comes a second time: what it says was written after its base and then deleted, or written over
    /// by edits of the same batch.
    fn was_written_before(&self, stored: &StoredNote) -> bool {
        let StoredNote { note, revision } = stored;
        let made = made_of(self.base);
        let was_deleted = !note.is_live() && note.version > made && note.draft == *self.draft();
        was_deleted && !self.among.undoes || self.among.was_written_over(note, revision)
    }

    /// Keeps the edit beside the note, unless it was there already and was deleted.
    async fn copy(&self, tx: &mut dyn Tx) -> Result<Result<Option<Note>, Refused>, StoreError> {
        let id = self.copy_id();
        if tx.note_was_deleted(self.user, id).await? {
            return Ok(Ok(None));
        }
        let mut new = self.new.clone();
        new.note.id = id;
        new.note.conflict_of = Some(self.new.note.id);
        new.note.draft.title = marked(&self.draft().title);
        new.words.title = of_title(&new.note.draft.title);
        if let Some(version) = tx.insert_note(&new).await? {
            return Ok(Ok(Some(with_version(&new, version))));
        }
        Ok(match tx.note(self.user, new.note.id).await? {
            Some(copied) => Ok(Some(copied)),
            None => Err(limit_reached(tx, self.user, &new).await?),
        })
    }

    /// An identifier (UUID version 8, RFC 9562) for the copy of exactly this edit.
    fn copy_id(&self) -> NoteId {
        NoteId(uuid::Uuid::new_v8(self.hash()))
    }

    /// What is the same of no two edits.
    fn hash(&self) -> [u8; 16] {
        let Draft {
            title,
            content,
            tags,
            pinned,
            archived,
        } = self.draft();
        let mut hash = Sha256::new();
        hash.update(self.user.0.to_be_bytes());
        hash.update(self.new.note.id.0.as_bytes());
        hash.update(self.base.unwrap_or(0).to_be_bytes());
        for text in [title, content].into_iter().chain(tags) {
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
        hash.update([u8::from(*pinned), u8::from(*archived)]);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        bytes
    }
}

/// Whether an edit is one of another version than is there, or stands on one that was not written. One without a base
/// is of whatever there is.
fn is_of_another(base: Option<i64>, among: &Among, stored: &Revision) -> bool {
    among.below == Below::Unwritten || base.is_some_and(|base| base != stored.version)
}

/// Whether an edit is one of another text than is there. The version before that of a note in the trash had the same
/// text, and so its edit says no less than that of the deletion.
fn is_of_another_text(base: Option<i64>, among: &Among, stored: &StoredNote) -> bool {
    let StoredNote { note, revision } = stored;
    let is_deleted_text = !note.is_live() && base == Some(revision.version - 1);
    is_of_another(base, among, revision) && !(is_deleted_text && among.below != Below::Unwritten)
}

/// Whether an edit replaces only what its device wrote itself.
fn is_over_own(
    device: Option<Device>,
    base: Option<i64>,
    among: &Among,
    stored: &Revision,
    edit: impl FnOnce() -> EditDigest,
) -> bool {
    let (Some(device), Some(run)) = (device, &stored.run) else {
        return false;
    };
    among.below != Below::Unwritten && run.covers(device, base.unwrap_or(0), edit(), stored)
}

/// A title that says that it is a copy's, cut so that it fits.
fn marked(title: &str) -> String {
    let room = TITLE_LENGTH - MARK.chars().count();
    let kept: String = title.chars().take(room).collect();
    format!("{kept}{MARK}").trim_start().to_owned()
}

/// Puts a note into the trash that was deleted offline; never one that somebody has changed since.
#[derive(Debug)]
pub struct Delete {
    /// The user.
    pub user: UserId,
    /// The id of the note.
    pub id: NoteId,
    /// The version that was deleted. Without one, whatever there is.
    pub base: Option<i64>,
    /// What follows from the other edits of its batch.
    pub among: Among,
    /// Which device deleted it, if that is said.
    pub device: Option<Device>,
    /// The current time.
    pub now: Timestamp,
}

impl Delete {
    /// No upsert has the same: a hash of its own kind.
    fn digest(&self) -> EditDigest {
        let mut hash = Sha256::new();
        hash.update("delete");
        hash.update(self.base.unwrap_or(0).to_be_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        EditDigest::of(&bytes)
    }
}

#[async_trait]
impl Write for Delete {
    type Out = Deletion;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let Self {
            user, id, among, ..
        } = self;
        let Some(stored) = tx.live_revision(*user, *id).await? else {
            return Ok(Deletion::Absent);
        };
        if among.may_have_made(&stored) {
            let note = tx.note(*user, *id).await?;
            if note.is_some_and(|theirs| among.was_written_over(&theirs, &stored)) {
                return Ok(Deletion::Absent);
            }
        }
        let base = among.base(self.base);
        let digest = || self.digest();
        if is_of_another(base, among, &stored)
            && !is_over_own(self.device, base, among, &stored, digest)
        {
            return Ok(Deletion::Conflict);
        }
        tx.trash_note(*user, *id, self.now).await?;
        let version = stored.next();
        if let Some(device) = self.device {
            let base = base.unwrap_or(stored.version);
            let run = DeviceRun::after(Some(&stored), device, base, digest(), version);
            tx.keep_device_run(*user, *id, &run).await?;
        }
        Ok(Deletion::Done(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::StorageLimits;

    fn upsert(draft: Draft) -> Upsert {
        let limits = NoteLimits {
            free: 20,
            premium: None,
            storage: StorageLimits::default(),
        };
        let id = "0190a0b0-c0d0-7e00-8f00-abcdefabcdef".parse().unwrap();
        Upsert::new(UserId(1), id, draft, Some(1), limits, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_copy_of_an_edit_has_always_the_same_identifier_and_that_of_another_another() {
        let tags = |tags: &[&str]| Draft {
            tags: tags.iter().map(ToString::to_string).collect(),
            ..Draft::default()
        };
        let of = |draft| upsert(draft).copy_id();

        assert_eq!(of(tags(&["a", "b"])), of(tags(&["a", "b"])));
        assert_ne!(of(tags(&["a", "b"])), of(tags(&["ab"])));
        assert_ne!(of(tags(&[])), of(tags(&[""])));
        assert_eq!(of(tags(&[])).to_string().as_bytes()[14], b'8');
    }

    #[test]
    fn the_title_of_a_copy_fits() {
        assert_eq!(marked("Milk"), "Milk (conflict)");
        assert_eq!(marked(""), "(conflict)");
        assert_eq!(marked(&"é".repeat(200)).chars().count(), TITLE_LENGTH);
    }
}
