//! Replacing a note, and changing parts of it.

use async_trait::async_trait;
use jiff::Timestamp;

use super::condition::Condition;
use super::create::{new_note, no_room, with_version};
use super::port::Owner;
use super::{Draft, Full, Note, NoteId, Refused, Written, words};
use crate::id::UserId;
use crate::plans::NoteLimits;
use crate::store::{StoreError, Tx, Write};

/// Puts a note under an identifier, over the live one or as a new one. One in the trash counts as none: it comes
/// back as what is written.
#[derive(Debug)]
pub struct Replace {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub id: NoteId,
    /// What it is to say.
    pub draft: Draft,
    /// What the client expects to be there.
    pub condition: Condition,
    /// How many notes each plan allows.
    pub limits: NoteLimits,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl Write for Replace {
    type Out = Result<Written, Refused>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let stored = tx.note(self.user, self.id).await?;
        let live = stored.as_ref().filter(|note| note.is_live());
        if !self.condition.holds(live.map(|note| note.version)) {
            return Ok(Err(Refused::Mismatch(live.cloned().map(Box::new))));
        }
        self.put(tx, stored).await
    }
}

impl Replace {
    /// Writes over what is there.
    pub(super) async fn put(
        &self,
        tx: &mut dyn Tx,
        stored: Option<Note>,
    ) -> Result<Result<Written, Refused>, StoreError> {
        let Self {
            user,
            id,
            draft,
            limits,
            now,
            ..
        } = self;
        let Some(stored) = stored else {
            let new = new_note(Owner::User(*user), Some(*id), draft.clone(), *limits, *now);
            return Ok(match tx.insert_note(&new).await? {
                Some(version) => Ok(Written::Created(with_version(&new, version))),
                None => Err(match no_room(tx, *user, &new).await? {
                    // Somebody else's: to this user there is none.
                    Refused::Taken => Refused::NotFound,
                    refused => refused,
                }),
            });
        };
        if stored.is_live() {
            return Ok(Ok(overwrite(tx, *user, stored, draft.clone(), *now).await?));
        }
        let note = stored.changed(draft.clone(), *now);
        let words = words::of_note(draft);
        if tx.revive_note(*user, &note, &words, *limits, *now).await? {
            return Ok(Ok(Written::Changed(note)));
        }
        let standing = tx.plan_standing(*user, *now).await?;
        Ok(Err(Refused::Full(Full::of(standing, *limits))))
    }
}

/// Writes over a live note, unless it says the same already.
pub(super) async fn overwrite(
    tx: &mut dyn Tx,
    user: UserId,
    stored: Note,
    draft: Draft,
    now: Timestamp,
) -> Result<Written, StoreError> {
    if stored.draft == draft {
        return Ok(Written::Unchanged(stored));
    }
    let words = words::of_note(&draft);
    let note = stored.changed(draft, now);
    tx.update_note(user, &note, &words).await?;
    Ok(Written::Changed(note))
}

/// What of a note is to be changed: what is `Some`.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// The title.
    pub title: Option<String>,
    /// The content.
    pub content: Option<String>,
    /// The tags, all of them.
    pub tags: Option<Vec<String>>,
    /// Whether it is to stand above others.
    pub pinned: Option<bool>,
    /// Whether it is put away.
    pub archived: Option<bool>,
}

impl Patch {
    fn onto(&self, draft: &Draft) -> Draft {
        let Self {
            title,
            content,
            tags,
            pinned,
            archived,
        } = self.clone();
        Draft {
            title: title.unwrap_or_else(|| draft.title.clone()),
            content: content.unwrap_or_else(|| draft.content.clone()),
            tags: tags.unwrap_or_else(|| draft.tags.clone()),
            pinned: pinned.unwrap_or(draft.pinned),
            archived: archived.unwrap_or(draft.archived),
        }
    }
}

/// Changes parts of a live note.
#[derive(Debug)]
pub struct Change {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub id: NoteId,
    /// What of it.
    pub patch: Patch,
    /// What the client expects to be there.
    pub condition: Condition,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl Write for Change {
    type Out = Result<Written, Refused>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let stored = tx.note(self.user, self.id).await?.filter(Note::is_live);
        if !self
            .condition
            .holds(stored.as_ref().map(|note| note.version))
        {
            return Ok(Err(Refused::Mismatch(stored.map(Box::new))));
        }
        let Some(stored) = stored else {
            return Ok(Err(Refused::NotFound));
        };
        let draft = self.patch.onto(&stored.draft);
        if draft.is_blank() {
            return Ok(Err(Refused::Blank));
        }
        Ok(Ok(overwrite(tx, self.user, stored, draft, self.now).await?))
    }
}
