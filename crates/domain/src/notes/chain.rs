//! Edits of a batch that were made one on top of the other.
//!
//! A device that was offline may have edited a note several times, and sends an edit for each. It was not told the
//! version that an edit makes, but knows that it is one more than the version that was edited. So an edit stands on the
//! one before it, among those of its note in the same batch, if its base is that number. Three things follow, which
//! no edit could know alone:
//!
//! - Where the one below was not written, since others had changed the note, the number is theirs by chance. What stands
//!   on it is an edit of a version that never was.
//! - Where the one below made another version than that, or none since it said nothing new, what stands on it is an edit
//!   of the version that is there then.
//! - Whoever made the last one had all those below before their eyes. Where the note says what the last one says, they
//!   were written before, and the batch comes a second time.
//!
//! Who applies a batch asks [`of`] and tells each edit what comes of it, as [`Among`].

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::port::Revision;
use super::{Draft, Note, NoteId};

/// An edit as it was sent.
#[derive(Debug, Clone)]
pub struct Edit {
    /// Of which note.
    pub id: NoteId,
    /// The version that was edited, if it is named.
    pub base: Option<i64>,
    /// What was written; `None`: the note was deleted.
    pub draft: Option<Draft>,
    /// When the client made the note, if it says so.
    pub made: Option<Timestamp>,
}

impl Edit {
    /// The note and the version that it names, if it does.
    #[must_use]
    pub fn named(&self) -> Option<(NoteId, i64)> {
        self.base.map(|base| (self.id, base))
    }
}

/// As much of an edit as could be read.
#[derive(Debug, Clone, Copy)]
pub enum Legible<'a> {
    /// All of it.
    Whole(&'a Edit),
    /// Of which note and of which version it is an edit. It is not written, but the next may stand on it.
    Base(NoteId, Option<i64>),
    /// Too little to know what it stands on.
    Nothing,
}

impl<'a> Legible<'a> {
    fn whole(self) -> Option<&'a Edit> {
        match self {
            Self::Whole(edit) => Some(edit),
            _ => None,
        }
    }

    fn base(self) -> Option<(NoteId, Option<i64>)> {
        match self {
            Self::Whole(edit) => Some((edit.id, edit.base)),
            Self::Base(id, base) => Some((id, base)),
            Self::Nothing => None,
        }
    }

    fn is_deletion(self) -> bool {
        self.whole().is_some_and(|edit| edit.draft.is_none())
    }
}

/// The version that an edit makes of its base; of no base, the note's first.
pub(super) fn made_of(base: Option<i64>) -> i64 {
    base.unwrap_or(0).saturating_add(1)
}

/// What an edit has to do with the others of its batch.
#[derive(Debug, Clone, Default)]
pub struct Link {
    /// The place of the edit that it stands on.
    pub below: Option<usize>,
    /// The place of the deletion that stands right before it among the edits of its note.
    pub undone: Option<usize>,
    /// What the edits that stand on it make of the note.
    pub end: Option<End>,
}

/// What became of the edit that another one stands on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Below {
    /// There is none, or nothing follows from it: the base is what the edit names.
    #[default]
    Nothing,
    /// It was not written.
    Unwritten,
    /// It was written, or said nothing new of what it was an edit of, and left this version.
    Left(i64),
}

/// What the others of its batch tell of an edit.
#[derive(Debug, Clone, Default)]
pub struct Among {
    /// What became of the edit that it stands on.
    pub below: Below,
    /// Whether a deletion stands before it: then it may say the same as before without being a repetition.
    pub undoes: bool,
    /// What the edits that stand on it make of the note.
    pub end: Option<End>,
}

impl Among {
    /// Of which version the edit is one, if of any.
    #[must_use]
    pub fn base(&self, named: Option<i64>) -> Option<i64> {
        match self.below {
            Below::Left(version) => named.map(|_| version),
            Below::Nothing | Below::Unwritten => named,
        }
    }

    /// Whether the edits that stand on this one can have made the version that the note has. If they can't,
    /// [`Among::was_written_over`] says no, which need not read the note.
    pub(super) fn may_have_made(&self, stored: &Revision) -> bool {
        let end = self.end.as_ref();
        end.is_some_and(|end| end.spans(stored))
    }

    /// Whether the note is what was made of it by edits that stand on this one.
    pub(super) fn was_written_over(&self, note: &Note, stored: &Revision) -> bool {
        self.end.as_ref().is_some_and(|end| end.is(note, stored))
    }
}

/// What edits that stand on one another make of a note.
#[derive(Debug, Clone)]
pub struct End {
    draft: Arc<Draft>,
    deleted: bool,
    /// The version that the first of them is an edit of; 0 if of none.
    root: i64,
    /// How many edits there are from there to the last.
    edits: i64,
}

impl End {
    fn is(&self, note: &Note, stored: &Revision) -> bool {
        self.spans(stored) && note.is_live() != self.deleted && note.draft == *self.draft
    }

    /// An edit that says nothing new makes no version, so there may be fewer than edits.
    fn spans(&self, stored: &Revision) -> bool {
        let most = self.root.max(stored.floor - 1).saturating_add(self.edits);
        self.root < stored.version && stored.version <= most
    }
}

/// How the edits of a batch stand on one another.
#[must_use]
pub fn of<'a>(edits: impl IntoIterator<Item = Legible<'a>>) -> Vec<Link> {
    let edits: Vec<_> = edits.into_iter().collect();
    let mut links = vec![Link::default(); edits.len()];
    let mut made = vec![None; edits.len()];
    let mut roots = vec![(0, 1); edits.len()];
    let mut newest = HashMap::new();
    for (place, edit) in edits.iter().enumerate() {
        let Some((id, base)) = edit.base() else {
            continue;
        };
        let below = newest.insert(id, place);
        let there: Option<i64> = below.and_then(|below| made[below]);
        let deletes_whatever_is_there = edit.is_deletion() && base.is_none();
        let stands = there.is_some() && (deletes_whatever_is_there || base == there);
        links[place].below = below.filter(|_| stands);
        roots[place] = match links[place].below {
            Some(below) => (roots[below].0, roots[below].1 + 1),
            None => (base.unwrap_or(0), 1),
        };
        links[place].undone = below.filter(|below| edits[*below].is_deletion());
        made[place] = if deletes_whatever_is_there {
            there.map(|there| there.saturating_add(1))
        } else {
            Some(made_of(base))
        };
    }
    for place in (0..edits.len()).rev() {
        let Some(below) = links[place].below else {
            continue;
        };
        let Some(edit) = edits[place].whole() else {
            continue;
        };
        let written_below = || edits[below].whole()?.draft.clone();
        let own = || {
            Some(End {
                draft: Arc::new(edit.draft.clone().or_else(written_below)?),
                deleted: edit.draft.is_none(),
                root: roots[place].0,
                edits: roots[place].1,
            })
        };
        links[below].end = links[place].end.clone().or_else(own);
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(n: u8, base: Option<i64>, title: Option<&str>) -> Edit {
        Edit {
            id: NoteId(uuid::Uuid::from_bytes([n; 16])),
            base,
            draft: title.map(|title| Draft {
                title: title.to_owned(),
                ..Draft::default()
            }),
            made: None,
        }
    }

    /// For each edit: on which it stands, and what those on it make, a deletion being marked.
    fn shown(edits: &[Option<Edit>]) -> Vec<(Option<usize>, String)> {
        let links = of(edits
            .iter()
            .map(|edit| edit.as_ref().map_or(Legible::Nothing, Legible::Whole)));
        let end = |end: End| {
            let mark = if end.deleted { " deleted" } else { "" };
            format!("{} {}{mark}", end.root + end.edits, end.draft.title)
        };
        links
            .into_iter()
            .map(|link| (link.below, link.end.map(end).unwrap_or_default()))
            .collect()
    }

    fn link(below: Option<usize>, end: &str) -> (Option<usize>, String) {
        (below, end.to_owned())
    }

    #[test]
    fn edits_of_the_version_before_stand_on_one_another_and_the_last_is_their_end() {
        let edits = [
            Some(edit(1, Some(5), Some("a"))),
            Some(edit(2, None, Some("other"))),
            Some(edit(1, Some(6), Some("b"))),
            None,
            Some(edit(1, Some(7), Some("c"))),
            Some(edit(2, Some(1), Some("another"))),
        ];

        assert_eq!(
            shown(&edits),
            [
                link(None, "8 c"),
                link(None, "2 another"),
                link(Some(0), "8 c"),
                link(None, ""),
                link(Some(2), ""),
                link(Some(1), ""),
            ]
        );
    }

    #[test]
    fn an_edit_of_another_version_stands_on_nothing() {
        let edits = [
            Some(edit(1, Some(5), Some("a"))),
            Some(edit(1, Some(5), Some("b"))),
            Some(edit(1, None, Some("c"))),
            Some(edit(1, Some(i64::MAX), Some("d"))),
            Some(edit(1, Some(0), Some("e"))),
            Some(edit(2, Some(1), Some("f"))),
        ];

        assert!(
            shown(&edits)
                .iter()
                .all(|link| *link == (None, String::new()))
        );
    }

    #[test]
    fn what_stands_on_an_edit_that_can_be_read_in_part_stands_on_it_and_is_nobodys_end() {
        let id = NoteId(uuid::Uuid::from_bytes([1; 16]));
        let (first, last) = (edit(1, Some(5), Some("a")), edit(1, Some(7), Some("c")));

        let links = of([
            Legible::Whole(&first),
            Legible::Base(id, Some(6)),
            Legible::Whole(&last),
        ]);

        let below: Vec<_> = links.iter().map(|link| link.below).collect();
        assert_eq!(below, [None, Some(0), Some(1)]);
        assert!(links[0].end.is_none());
    }

    #[test]
    fn a_deletion_leaves_what_was_written_before_it() {
        let edits = [
            Some(edit(1, Some(5), Some("a"))),
            Some(edit(1, Some(6), Some("b"))),
            Some(edit(1, None, None)),
            Some(edit(2, None, Some("c"))),
            Some(edit(2, Some(1), None)),
            Some(edit(2, Some(2), Some("d"))),
            Some(edit(3, None, None)),
            Some(edit(3, Some(1), Some("e"))),
        ];

        assert_eq!(
            shown(&edits),
            [
                link(None, "8 b deleted"),
                link(Some(0), "8 b deleted"),
                link(Some(1), ""),
                link(None, "3 d"),
                link(Some(3), "3 d"),
                link(Some(4), ""),
                link(None, ""),
                link(None, ""),
            ]
        );
    }
}
