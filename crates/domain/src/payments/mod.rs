//! Events of payment services, and the premium that follows from them.
//!
//! Services deliver their events late, twice and in any order. So no event changes anything by itself: each is kept
//! once, and the premium of a user is computed anew from everything that is kept and connected with it ([`state`]).
//! Whatever the order, the same events end in the same state;
//! `every_order_of_the_same_events_ends_in_the_same_state` holds that. Only where two events of the same moment can be
//! told apart by nothing else, the one counts that came later.
//!
//! What is modelled is the transaction: a subscription or a purchase that is paid once, with its owner, what was sold, and
//! the period that was paid for. Which products mean premium is a setting ([`Products`]), read whenever premium is
//! computed.
//!
//! Purchases of tests, for which nobody has paid, are events like the others. They count only where the settings accept
//! them; elsewhere they are kept and say nothing.
//!
//! The API reads the services' formats; [`proof`] says who may send them.

mod owners;
mod products;
pub mod proof;
mod receive;
mod transaction;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::owners::{State, state};
pub use self::products::Products;
pub use self::receive::{EventResult, ReceiveEvent};
use crate::id::UserId;
use crate::plans::Source;
use crate::store::StoreError;

/// An event of a payment service.
#[derive(Debug, Clone)]
pub struct Event {
    /// The payment service.
    pub source: Source,
    /// What the service calls this kind of event; empty if it did not say.
    pub kind: String,
    /// What it says.
    pub fact: Fact,
    /// Whether it is an unpaid test event from the service's test mode or sandbox.
    pub is_test: bool,
    /// The whole event as received.
    pub body: String,
}

impl Event {
    /// An event of which nothing can be read. Its name is a hash of its body, so that a repeat is known as one.
    #[must_use]
    pub fn unreadable(source: Source, body: &[u8]) -> Self {
        Self {
            source,
            kind: String::new(),
            fact: Fact {
                id: format!("sha256:{}", hex::encode(Sha256::digest(body))),
                ..Fact::default()
            },
            is_test: false,
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }
}

/// What an event says, without its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fact {
    /// The service's name for the event, the same in every delivery.
    pub id: String,
    /// When the service says that it happened.
    pub made: Option<Timestamp>,
    /// Its place among the events that are kept, in the order in which they came.
    pub arrival: i64,
    /// Names of the customer, the likeliest first: users' numbers, and what [`name`] makes of others. Of a transfer, who
    /// receives.
    pub names: Vec<String>,
    /// Of a transfer, names of the customer whom it takes from.
    pub from: Vec<String>,
    /// Stripe's name for the customer.
    pub customer: Option<String>,
    /// Which transaction it is about; `None`: each of the owner's.
    pub transaction: Option<String>,
    /// What it says about that.
    pub says: Says,
    /// What is sold; empty: that is not known.
    pub sold: Vec<Item>,
    /// Whether it is paid once, instead of renewing.
    pub once: bool,
    /// When the period began.
    pub began: Option<Timestamp>,
}

/// Something that is sold with a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The service's names for it: products, prices, entitlements, payment links. Of metadata what [`name`] makes of each
    /// value, and of each `KEY=VALUE`.
    pub names: Vec<String>,
    /// Until when it is paid for; `None`: for good.
    pub until: Option<Timestamp>,
}

/// A text of others as it is stored: the number of a user as it is, any other as a hash, since it may be an address.
#[must_use]
pub fn name(text: &str) -> String {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(number) if is_number => number.to_string(),
        _ => format!("{HASH}{}", hex::encode(&Sha256::digest(text)[..16])),
    }
}

const HASH: &str = "sha256:";

/// Whether it is what [`name`] makes of a text that is no number.
fn is_hash(name: &str) -> bool {
    name.starts_with(HASH)
}

/// An end of a time, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// It ends then.
    Time(Timestamp),
    /// It does not end.
    Endless,
}

impl From<Option<Timestamp>> for Until {
    fn from(end: Option<Timestamp>) -> Self {
        end.map_or(Self::Endless, Self::Time)
    }
}

impl Until {
    /// The time, if there is one.
    #[must_use]
    pub fn time(self) -> Option<Timestamp> {
        match self {
            Self::Time(time) => Some(time),
            Self::Endless => None,
        }
    }
}

/// The meaning of an event for a transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Says {
    /// The event says nothing about a transaction.
    #[default]
    Nothing,
    /// Whose customer and transaction they are.
    Owner,
    /// It was not paid for yet.
    Pending,
    /// It was paid for, until then.
    Paid(Until),
    /// What was paid for lasts until then at least: a grace period.
    Extended(Timestamp),
    /// It is good no more, until a later event says otherwise; the period ends then.
    Lapsed(Option<Timestamp>),
    /// The period that ends then has expired. Another one may have followed.
    Expired(Option<Timestamp>),
    /// It is again as it was before it lapsed.
    Restored,
    /// It is over, and will never be good again.
    Ended,
    /// Everything that one customer owns goes to another.
    Transfer,
}

impl Says {
    /// The word for storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Owner => "owner",
            Self::Pending => "pending",
            Self::Paid(_) => "paid",
            Self::Extended(_) => "extended",
            Self::Lapsed(_) => "lapsed",
            Self::Expired(_) => "expired",
            Self::Restored => "restored",
            Self::Ended => "ended",
            Self::Transfer => "transfer",
        }
    }

    /// What a word of storage means, with the end of the period. One that is not known means nothing.
    #[must_use]
    pub fn stored(word: &str, until: Option<Timestamp>) -> Self {
        match (word, until) {
            ("owner", _) => Self::Owner,
            ("pending", _) => Self::Pending,
            ("paid", until) => Self::Paid(until.into()),
            ("extended", Some(until)) => Self::Extended(until),
            ("lapsed", until) => Self::Lapsed(until),
            ("expired", until) => Self::Expired(until),
            ("restored", _) => Self::Restored,
            ("ended", _) => Self::Ended,
            ("transfer", _) => Self::Transfer,
            _ => Self::Nothing,
        }
    }

    /// The end of the period, if it says one.
    #[must_use]
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Paid(until) => until.time(),
            Self::Extended(until) => Some(until),
            Self::Lapsed(until) | Self::Expired(until) => until,
            _ => None,
        }
    }
}

/// What events have in common that are connected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// A name of the customer, on either side of a transfer.
    Name(String),
    /// Stripe's name for the customer.
    Customer(String),
    /// A transaction id.
    Transaction(String),
}

impl Fact {
    /// By what it is connected with other events.
    pub fn links(&self) -> impl Iterator<Item = Link> {
        let names = self.names.iter().chain(&self.from).cloned();
        let customer = self.customer.iter().cloned().map(Link::Customer);
        let transaction = self.transaction.iter().cloned().map(Link::Transaction);
        names.map(Link::Name).chain(customer).chain(transaction)
    }
}

/// A stored event.
#[derive(Debug, Clone)]
pub struct Kept {
    /// What it says.
    pub fact: Fact,
    /// Whose it is: it is exported and deleted with the user.
    pub user: Option<UserId>,
    /// Who owns the transaction, if that is another user.
    pub owner: Option<UserId>,
}

/// An event as shown to its user.
#[derive(Debug, Clone)]
pub struct PaymentRecord {
    /// Its place among the user's events.
    pub place: PaymentPosition,
    /// The service's name for it.
    pub id: String,
    /// What the service calls this kind of event.
    pub kind: String,
    /// When it came.
    pub received: Timestamp,
    /// When the service says that it happened.
    pub made: Option<Timestamp>,
    /// What came of it when it was received, in words.
    pub did: String,
    /// All of it, as it came; empty if it is not kept.
    pub body: String,
}

/// Where an event stands among those of its user: by service, then in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentPosition {
    /// The service's word in storage.
    pub source: String,
    /// The number of its row.
    pub row: i64,
}

/// The rows of events. The caller is [`ReceiveEvent`].
#[async_trait]
pub trait Payments: Send {
    /// Keeps an event, unless it is kept already; says whether it is new. `user`: whom it names; `did`: what came of
    /// it, in words.
    async fn keep_event(
        &mut self,
        event: &Event,
        user: Option<UserId>,
        did: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// The events of a service with that in common.
    async fn linked_events(&mut self, source: Source, link: &Link)
    -> Result<Vec<Kept>, StoreError>;
    /// Says whose an event is, and who owns its transaction if that is another user.
    async fn assign_event(
        &mut self,
        source: Source,
        id: &str,
        user: Option<UserId>,
        owner: Option<UserId>,
    ) -> Result<(), StoreError>;
    /// Notes what came of an event.
    async fn note_outcome(&mut self, source: Source, id: &str, did: &str)
    -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests;
