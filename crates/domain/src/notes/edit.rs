//! Replaces a note, or changes parts of it.
//!
//! What is written is folded when the use case is made: the writer, for which everybody waits, does not fold.

use async_trait::async_trait;
use jiff::Timestamp;

use super::condition::Condition;
use super::create::{limit_reached, new_note, with_version};
use super::port::{NewNote, NoteOwner, Revision, StoredNote};
use super::words::{self, ChangedWords, TitleWords};
use super::{Draft, Note, NoteId, Refused, StorageLimitReached, Written};
use crate::id::UserId;
use crate::plans::NoteLimits;
use crate::store::{StoreError, Tx, Write};

/// Puts a note under an identifier, over the one that is there or as a new one. One in the trash comes back as what is
/// written; to a condition it is no note that may be replaced, but one that may be in the way.
#[derive(Debug)]
pub struct Replace {
    user: UserId,
    new: NewNote,
    condition: Condition,
}

impl Replace {
    /// A note of a user that is to say this; `condition`: what the client expects to be there.
    #[must_use]
    pub fn new(
        user: UserId,
        id: NoteId,
        draft: Draft,
        condition: Condition,
        limits: NoteLimits,
        now: Timestamp,
    ) -> Self {
        Self {
            user,
            new: new_note(NoteOwner::User(user), Some(id), draft, limits, now),
            condition,
        }
    }

    /// The same; one that is new was made when the client says.
    #[must_use]
    pub fn made(self, at: Option<Timestamp>) -> Self {
        Self {
            new: self.new.made(at),
            ..self
        }
    }
}

#[async_trait]
impl Write for Replace {
    type Out = Result<Written, Refused>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let stored = tx.stored_note(self.user, self.new.note.id).await?;
        let there = stored.as_ref().map(|stored| &stored.note);
        let live = there.filter(|note| note.is_live());
        let version = |note: Option<&Note>| note.map(|note| note.version);
        let holds = self.condition.expects(version(live));
        if !holds || self.condition.rules_out(version(there)) {
            let shown = if holds { there } else { live };
            return Ok(mismatch(shown.cloned(), |draft| {
                draft == &self.new.note.draft
            }));
        }
        put(tx, self.user, &self.new, stored).await
    }
}

/// What is answered where a condition does not hold. A note that says already what is to be written was written by the
/// same request, whose answer got lost (RFC 9110, section 13.1.1).
fn mismatch(there: Option<Note>, says: impl Fn(&Draft) -> bool) -> Result<Written, Refused> {
    match there {
        Some(there) if says(&there.draft) => Ok(Written::Unchanged(there)),
        there => Err(Refused::Mismatch(there.map(Box::new))),
    }
}

/// Writes over what is there, or where nothing is.
pub(super) async fn put(
    tx: &mut dyn Tx,
    user: UserId,
    new: &NewNote,
    stored: Option<StoredNote>,
) -> Result<Result<Written, Refused>, StoreError> {
    let (draft, words, limits) = (&new.note.draft, new.words.both(), new.limits);
    let now = new.note.updated;
    let Some(stored) = stored else {
        return Ok(match tx.insert_note(new).await? {
            Some(version) => Ok(Written::Created(with_version(new, version))),
            None => Err(match limit_reached(tx, user, new).await? {
                // Somebody else's: to this user there is none.
                Refused::Taken => Refused::NotFound,
                refused => refused,
            }),
        });
    };
    if stored.note.is_live() {
        return overwrite(tx, user, stored, draft.clone(), words, limits, now).await;
    }
    let StoredNote { note, revision } = stored;
    let note = changed(&note, draft.clone(), &revision, now);
    if tx.rewrite_note(user, &note, words, limits, now).await? {
        return Ok(Ok(Written::Changed(note)));
    }
    let standing = tx.plan_standing(user, now).await?;
    Ok(Err(Refused::without_room(standing, limits)))
}

/// The note after another change, which makes its next version.
fn changed(note: &Note, draft: Draft, revision: &Revision, now: Timestamp) -> Note {
    Note {
        version: revision.next(),
        ..note.changed(draft, now)
    }
}

/// Writes over a live note, unless it says the same already; `words` of what may be another than before.
async fn overwrite(
    tx: &mut dyn Tx,
    user: UserId,
    stored: StoredNote,
    draft: Draft,
    words: ChangedWords<'_>,
    limits: NoteLimits,
    now: Timestamp,
) -> Result<Result<Written, Refused>, StoreError> {
    let StoredNote { note, revision } = stored;
    if note.draft == draft {
        return Ok(Ok(Written::Unchanged(note)));
    }
    let note = changed(&note, draft, &revision, now);
    if tx.rewrite_note(user, &note, words, limits, now).await? {
        return Ok(Ok(Written::Changed(note)));
    }
    let standing = tx.plan_standing(user, now).await?;
    Ok(Err(Refused::StorageLimit(StorageLimitReached::of(
        standing, limits,
    ))))
}

/// What of a note is to be changed: what is `Some`.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// The title of the note.
    pub title: Option<String>,
    /// The content of the note.
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

/// Updates parts of a live note.
#[derive(Debug)]
pub struct UpdateNote {
    user: UserId,
    id: NoteId,
    patch: Patch,
    title: Option<TitleWords>,
    content: Option<String>,
    condition: Condition,
    limits: NoteLimits,
    now: Timestamp,
}

impl UpdateNote {
    /// A note of a user whose parts are to say this; `condition`: what the client expects to be there.
    #[must_use]
    pub fn new(
        user: UserId,
        id: NoteId,
        patch: Patch,
        condition: Condition,
        limits: NoteLimits,
        now: Timestamp,
    ) -> Self {
        Self {
            user,
            id,
            title: patch.title.as_deref().map(words::of_title),
            content: patch.content.as_deref().map(words::of_content),
            patch,
            condition,
            limits,
            now,
        }
    }

    fn words(&self) -> ChangedWords<'_> {
        ChangedWords {
            title: self.title.as_ref(),
            content: self.content.as_deref(),
        }
    }
}

#[async_trait]
impl Write for UpdateNote {
    type Out = Result<Written, Refused>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let stored = tx.stored_note(self.user, self.id).await?;
        let stored = stored.filter(|stored| stored.note.is_live());
        let version = stored.as_ref().map(|stored| stored.note.version);
        if !self.condition.holds(version) {
            let live = stored.map(|stored| stored.note);
            return Ok(mismatch(live, |draft| self.patch.onto(draft) == *draft));
        }
        let Some(stored) = stored else {
            return Ok(Err(Refused::NotFound));
        };
        let draft = self.patch.onto(&stored.note.draft);
        if draft.is_blank() {
            return Ok(Err(Refused::Blank));
        }
        let words = self.words();
        let Self {
            user, limits, now, ..
        } = *self;
        overwrite(tx, user, stored, draft, words, limits, now).await
    }
}
