//! Cursors: positions in a list or in the feed, as opaque texts.
//!
//! A cursor contains its user and kind. It is not signed, because a forged one only reads the
//! user's own notes from another position.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::id::UserId;
use domain::notes::list::{Key, ListPosition, Order};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The message for a text that is not a cursor of this user and list.
pub const INVALID: &str = "Invalid cursor.";

/// A position in a list, as serialised.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InList {
    user: i64,
    order: String,
    rank: i64,
    number: i64,
    title: String,
    id: String,
    before: bool,
    /// Missing in cursors of older versions.
    #[serde(default)]
    began: Option<i64>,
    #[serde(default)]
    in_edits: bool,
}

/// A position in a list, with the state of its reader.
#[derive(Debug, Clone)]
pub struct ListPlace {
    /// The position.
    pub place: ListPosition,
    /// The newest change of the user's notes when the reader started.
    pub began: Option<i64>,
    /// Whether it is a position among the notes edited since, which follow the list.
    pub in_edits: bool,
}

/// A position in the feed, as serialised.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InFeed {
    user: i64,
    change: i64,
    began: i64,
    /// Only if it differs from the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<i64>,
}

/// A position in the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedPlace {
    /// The last change read.
    pub change: i64,
    /// The newest change when the reader started, without any notes.
    pub began: i64,
    /// The newest change when the last page was read: notes with later changes were not in it.
    pub newest: i64,
}

impl FeedPlace {
    /// The newest change that the reader's state depends on.
    pub fn latest(self) -> i64 {
        self.knows().max(self.newest)
    }

    /// The change up to which the reader knows all deletions: it has read them, or had no notes
    /// yet.
    pub fn knows(self) -> i64 {
        self.change.max(self.began)
    }
}

/// The cursor of a position in a list of that order.
pub fn of_list(user: UserId, order: Order, at: ListPlace) -> String {
    let place = at.place;
    encode(&InList {
        user: user.0,
        order: word(order).to_owned(),
        rank: place.rank,
        number: place.number,
        title: place.title,
        id: place.id.to_string(),
        before: place.before,
        began: at.began,
        in_edits: at.in_edits,
    })
}

/// The position of a cursor, if it is for this user's lists of this order.
pub fn in_list(user: UserId, order: Order, cursor: &str) -> Option<ListPlace> {
    let read: InList = decode(cursor)?;
    if read.user != user.0 || read.order != word(order) {
        return None;
    }
    Some(ListPlace {
        place: ListPosition {
            rank: read.rank,
            number: read.number,
            title: read.title,
            id: read.id.parse().ok()?,
            before: read.before,
        },
        began: read.began,
        in_edits: read.in_edits,
    })
}

/// The cursor of a position in a user's feed.
pub fn of_feed(user: UserId, place: FeedPlace) -> String {
    encode(&InFeed {
        user: user.0,
        change: place.change,
        began: place.began,
        newest: (place.newest > place.knows()).then_some(place.newest),
    })
}

/// The position of a cursor, if it is for this user's feed.
pub fn in_feed(user: UserId, cursor: &str) -> Option<FeedPlace> {
    let InFeed {
        user: whose,
        change,
        began,
        newest,
    } = decode(cursor)?;
    let place = FeedPlace {
        change,
        began,
        newest: newest.unwrap_or(0),
    };
    (whose == user.0 && change >= 0 && began >= 0).then_some(place)
}

/// The name of an order in the query.
pub fn word(order: Order) -> &'static str {
    match (order.key, order.descending) {
        (Key::Updated, true) => "-updated_at",
        (Key::Updated, false) => "updated_at",
        (Key::Created, true) => "-created_at",
        (Key::Created, false) => "created_at",
        (Key::Title, true) => "-title",
        (Key::Title, false) => "title",
        (Key::Rank, _) => "rank",
        (Key::Change, _) => "change",
    }
}

fn encode(place: &impl Serialize) -> String {
    let json = serde_json::to_vec(place).expect("a position is plain data");
    URL_SAFE_NO_PAD.encode(json)
}

fn decode<T: DeserializeOwned>(cursor: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    serde_json::from_slice(&json).ok()
}
