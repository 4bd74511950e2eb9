//! Moves a note to the trash, restores it, or deletes it permanently.

use async_trait::async_trait;
use jiff::Timestamp;

use super::condition::Condition;
use super::port::StoredNote;
use super::words::ChangedWords;
use super::{Note, NoteId, Refused, Written};
use crate::id::UserId;
use crate::plans::NoteLimits;
use crate::store::{StoreError, Tx, Write};

/// Puts a live note into the trash, or deletes a note for good wherever it is.
///
/// One that is in the trash already stays there: a proxy or a library repeats a DELETE whose answer got lost (RFC 9110,
/// section 9.2.2), also under the condition of the first one (section 13.1.1).
#[derive(Debug)]
pub struct Remove {
    /// The user.
    pub user: UserId,
    /// The id of the note.
    pub id: NoteId,
    /// Whether to delete the note permanently.
    pub permanent: bool,
    /// The condition of the client.
    pub condition: Condition,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for Remove {
    type Out = Result<(), Refused>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let stored = tx.note(self.user, self.id).await?;
        if !self.permanent && stored.as_ref().is_some_and(|note| !note.is_live()) {
            return Ok(Ok(()));
        }
        if !self
            .condition
            .holds(stored.as_ref().map(|note| note.version))
        {
            return Ok(Err(Refused::Mismatch(stored.map(Box::new))));
        }
        if stored.is_none() {
            return Ok(Err(Refused::NotFound));
        }
        if self.permanent {
            tx.delete_note(self.user, self.id, self.now).await?;
        } else {
            tx.trash_note(self.user, self.id, self.now).await?;
        }
        Ok(Ok(()))
    }
}

/// Restores a note from the trash, unchanged. A live note stays as it is.
#[derive(Debug)]
pub struct Restore {
    /// The user.
    pub user: UserId,
    /// The id of the note.
    pub id: NoteId,
    /// What the client expects to be there.
    pub condition: Condition,
    /// How many notes each plan allows.
    pub limits: NoteLimits,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for Restore {
    type Out = Result<Written, Refused>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let Self {
            user, limits, now, ..
        } = *self;
        let stored = tx.stored_note(user, self.id).await?;
        let version = stored.as_ref().map(|stored| stored.note.version);
        if !self.condition.holds(version) {
            let note = stored.map(|stored| Box::new(stored.note));
            return Ok(Err(Refused::Mismatch(note)));
        }
        let Some(StoredNote { note, revision }) = stored else {
            return Ok(Err(Refused::NotFound));
        };
        if note.is_live() {
            return Ok(Ok(Written::Unchanged(note)));
        }
        let note = Note {
            version: revision.next(),
            trashed: None,
            ..note
        };
        let as_they_are = ChangedWords::default();
        if tx
            .rewrite_note(user, &note, as_they_are, limits, now)
            .await?
        {
            return Ok(Ok(Written::Changed(note)));
        }
        let standing = tx.plan_standing(user, now).await?;
        Ok(Err(Refused::without_room(standing, limits)))
    }
}
