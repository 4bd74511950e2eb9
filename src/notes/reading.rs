//! Pagination of a list: the contents of a page, and its neighbours.
//!
//! An edit can move a note to a position that the reader has passed. So the cursor stores the
//! newest change at its start. Notes edited since follow on the last page, in the order of their
//! edits, which no edit can move backwards. Notes created since are not among them.

use domain::id::UserId;
use domain::notes::list::{Key, ListPosition, NotePage, NoteQuery, Order, PAGE_BYTES};
use domain::notes::{TAG_LENGTH, words};
use domain::store::{Reader, StoreError};

use super::cursor::{self, ListPlace};
use super::query::{Query, SEARCH_LENGTH};

/// The orders by their names in the query.
const ORDERS: [&str; 6] = [
    "-updated_at",
    "updated_at",
    "-created_at",
    "created_at",
    "-title",
    "title",
];

/// The order of notes that were edited during the reading of a list.
const EDITS: Order = Order {
    key: Key::Change,
    descending: false,
};

/// A requested page.
pub(super) struct Reading {
    /// The query for the database.
    pub(super) asked: NoteQuery,
    /// Whether it is a search.
    pub(super) searching: bool,
    /// The order of the whole list.
    order: Order,
    /// The newest change when the reader started; see [`ListPlace`].
    began: Option<i64>,
}

impl Reading {
    /// Parses the query.
    pub(super) fn of(user: UserId, query: &mut Query) -> Self {
        let search = query.text("search", SEARCH_LENGTH);
        let order = order(query, search.is_some());
        let at = query.cursor(|given| cursor::in_list(user, order, given));
        let in_edits = at.as_ref().is_some_and(|at| at.in_edits);
        let began = at.as_ref().and_then(|at| at.began);
        let asked = NoteQuery {
            user,
            trashed: query.flag("trashed").unwrap_or(false),
            tag: query.text("tag", TAG_LENGTH),
            pinned: query.flag("is_pinned"),
            archived: query.flag("is_archived"),
            words: search.as_deref().map(words::of_search).unwrap_or_default(),
            order: if in_edits { EDITS } else { order },
            place: at.map(|at| at.place),
            limit: query.page_size(),
            bytes: PAGE_BYTES,
        };
        Self {
            asked,
            searching: search.is_some(),
            order,
            began,
        }
    }

    /// The page, and whether edited notes follow it.
    pub(super) async fn page(
        &self,
        reader: &mut dyn Reader,
    ) -> Result<(NotePage, bool), StoreError> {
        let page = reader.notes(&self.asked).await?;
        let edited = match self.edits(&page) {
            Some(edits) => !reader.notes(&edits).await?.notes.is_empty(),
            None => false,
        };
        Ok((page, edited))
    }

    /// The query for notes that were edited and that the reader may have missed, after the last
    /// page of a list.
    fn edits(&self, page: &NotePage) -> Option<NoteQuery> {
        let is_moved = match self.order.key {
            Key::Created | Key::Change => false,
            // Edited notes come later in this order, as long as the clock is not set back.
            Key::Updated => self.order.descending,
            Key::Title | Key::Rank => true,
        };
        let is_last = !page.more && !self.asked.place.as_ref()?.before;
        let began = self.began?;
        (is_moved && is_last && !self.is_in_edits() && page.newest > began).then(|| NoteQuery {
            order: EDITS,
            place: Some(ListPosition::since(began)),
            limit: 1,
            ..self.asked.clone()
        })
    }

    fn is_in_edits(&self) -> bool {
        self.asked.order.key == Key::Change
    }

    /// The next and the previous page.
    pub(super) fn neighbours(&self, page: &NotePage, edited: bool) -> [Option<Neighbour>; 2] {
        if self.is_in_edits() {
            let last = page.notes.last().filter(|_| page.more);
            let next = last.map(|last| Neighbour::Edits(last.place(Key::Change, false)));
            return [next, Some(Neighbour::At(ListPosition::end(self.order)))];
        }
        let [next, previous] = neighbours(&self.asked, page);
        let edits = || Some(Neighbour::Edits(ListPosition::since(self.began?)));
        [next.or_else(|| edited.then(edits)?), previous]
    }

    /// The cursor of a neighbouring page; the first page has none.
    pub(super) fn cursor(&self, page: &NotePage, neighbour: Neighbour) -> Option<String> {
        let (place, in_edits) = match neighbour {
            Neighbour::First => return None,
            Neighbour::At(place) => (place, false),
            Neighbour::Edits(place) => (place, true),
        };
        let began = match self.asked.place {
            None => Some(page.newest),
            Some(_) => self.began,
        };
        let at = ListPlace {
            place,
            began,
            in_edits,
        };
        Some(cursor::of_list(self.asked.user, self.order, at))
    }
}

/// The requested order; by default, a search is ordered by relevance.
fn order(query: &mut Query, searching: bool) -> Order {
    let named = query.text("ordering", 20);
    let word = named.as_deref().unwrap_or("-updated_at");
    let (bare, descending) = match word.strip_prefix('-') {
        Some(bare) => (bare, true),
        None => (word, false),
    };
    let key = match bare {
        _ if searching && named.is_none() => Key::Rank,
        "updated_at" => Key::Updated,
        "created_at" => Key::Created,
        "title" => Key::Title,
        _ => {
            query.wrong(
                "ordering",
                &format!("Must be one of {}.", ORDERS.join(", ")),
            );
            Key::Updated
        }
    };
    Order { key, descending }
}

/// A neighbouring page.
pub(super) enum Neighbour {
    /// The first page of the list.
    First,
    /// The page at a position of the list.
    At(ListPosition),
    /// The page at a position among the notes edited since.
    Edits(ListPosition),
}

/// The next and the previous page of the list itself.
fn neighbours(asked: &NoteQuery, page: &NotePage) -> [Option<Neighbour>; 2] {
    let (came_from_start, backwards) = match &asked.place {
        None => (true, false),
        Some(place) => (false, place.before),
    };
    let [Some(first), Some(last)] = [page.notes.first(), page.notes.last()] else {
        return beside_nothing(asked, page);
    };
    let (beyond_last, beyond_first) = if backwards {
        (true, page.more)
    } else {
        (page.more, !came_from_start)
    };
    let key = asked.order.key;
    [
        beyond_last.then(|| Neighbour::At(last.place(key, false))),
        beyond_first.then(|| Neighbour::At(first.place(key, true))),
    ]
}

/// The same for a page that deletions have emptied. All remaining notes lie on the other side of
/// its position, so the link starts at that end of the list.
fn beside_nothing(asked: &NoteQuery, page: &NotePage) -> [Option<Neighbour>; 2] {
    match &asked.place {
        Some(place) if page.count > 0 && place.before => [Some(Neighbour::First), None],
        Some(_) if page.count > 0 => [None, Some(Neighbour::At(ListPosition::end(asked.order)))],
        _ => [None, None],
    }
}
