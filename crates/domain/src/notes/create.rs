//! Creates a note. The inserting statement checks the plan's limits, so that concurrent requests
//! cannot exceed them.

use async_trait::async_trait;
use jiff::Timestamp;

use super::port::{NewNote, NoteOwner};
use super::{Draft, Note, NoteId, Refused, Written, words};
use crate::id::UserId;
use crate::plans::NoteLimits;
use crate::store::{StoreError, Tx, Write};

/// Adds a note of a user. The same once more changes nothing, also on a full plan, and where others have put the note
/// into the trash since.
#[derive(Debug)]
pub struct Create {
    user: UserId,
    new: NewNote,
}

impl Create {
    /// A note of a user that is to be added; `id`: if the client has chosen one.
    #[must_use]
    pub fn new(
        user: UserId,
        id: Option<NoteId>,
        draft: Draft,
        limits: NoteLimits,
        now: Timestamp,
    ) -> Self {
        Self {
            user,
            new: new_note(NoteOwner::User(user), id, draft, limits, now),
        }
    }

    /// The same, made when the client says.
    #[must_use]
    pub fn made(self, at: Option<Timestamp>) -> Self {
        Self {
            new: self.new.made(at),
            ..self
        }
    }
}

impl NewNote {
    /// The same, made when the client says: offline, or in another app. What lies ahead is now.
    #[must_use]
    pub fn made(mut self, at: Option<Timestamp>) -> Self {
        self.note.created = at.unwrap_or(self.note.updated).min(self.note.updated);
        self
    }
}

#[async_trait]
impl Write for Create {
    type Out = Result<Written, Refused>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let Self { user, new } = self;
        if let Some(version) = tx.insert_note(new).await? {
            return Ok(Ok(Written::Created(with_version(new, version))));
        }
        Ok(match tx.note(*user, new.note.id).await? {
            Some(note) if note.draft == new.note.draft => Ok(Written::Unchanged(note)),
            Some(_) => Err(Refused::Taken),
            None => Err(limit_reached(tx, *user, new).await?),
        })
    }
}

/// Adds a note, if nothing at all stands against it: a single statement, which looks the token up as well where the
/// owner is its bearer. `None`: something does, and nothing was changed; who wants to know what, asks for the user
/// and uses [`Create`].
#[derive(Debug)]
pub struct CreateAtOnce(pub NewNote);

#[async_trait]
impl Write for CreateAtOnce {
    type Out = Option<Note>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let Self(new) = self;
        let version = tx.insert_note(new).await?;
        Ok(version.map(|version| with_version(new, version)))
    }
}

/// A note at its beginning; `id`: if the client has chosen one.
#[must_use]
pub fn new_note(
    owner: NoteOwner,
    id: Option<NoteId>,
    draft: Draft,
    limits: NoteLimits,
    now: Timestamp,
) -> NewNote {
    NewNote {
        owner,
        words: words::of_note(&draft),
        id_is_fresh: id.is_none(),
        note: Note {
            id: id.unwrap_or_else(NoteId::generate),
            draft,
            created: now,
            updated: now,
            version: 1,
            conflict_of: None,
            trashed: None,
        },
        limits,
    }
}

/// The note as it was added.
pub(super) fn with_version(new: &NewNote, version: i64) -> Note {
    Note {
        version,
        ..new.note.clone()
    }
}

/// The reason why a new note was not added.
pub(super) async fn limit_reached(
    tx: &mut dyn Tx,
    user: UserId,
    new: &NewNote,
) -> Result<Refused, StoreError> {
    if tx.note_id_is_taken(new.note.id).await? {
        return Ok(Refused::Taken);
    }
    if tx.user(user).await?.is_none() {
        return Ok(Refused::NotFound);
    }
    let standing = tx.plan_standing(user, new.note.updated).await?;
    Ok(Refused::without_room(standing, new.limits))
}
