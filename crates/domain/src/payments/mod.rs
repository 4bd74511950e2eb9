//! What payment services say, and the premium that follows from it.
//!
//! Services deliver their events late, twice and in any order. So no event changes anything by itself: each is kept
//! once, and the premium of a user is computed anew from everything that is kept ([`premium`]). Whatever the order,
//! the same events end in the same state; `every_order_of_the_same_events_ends_in_the_same_state` holds that.
//!
//! Purchases of tests, for which nobody has paid, are events like the others. They count only where the settings accept
//! them; elsewhere they are kept and say nothing.
//!
//! The API reads the services' formats; [`proof`] says who may send them.

pub mod proof;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::id::UserId;
use crate::plans::Source;
use crate::store::{StoreError, Tx, Write};

/// An event as a service sent it.
#[derive(Debug, Clone)]
pub struct Event {
    /// Which service.
    pub source: Source,
    /// The service's name for it, the same in every delivery.
    pub id: String,
    /// What the service calls this kind of event; empty if it did not say.
    pub kind: String,
    /// When the service says that it happened.
    pub made: Option<Timestamp>,
    /// Whose it is, if the event says so.
    pub user: Option<UserId>,
    /// Whom the service knows by this name.
    pub customer: Option<String>,
    /// Which of the customer's subscriptions it is about.
    pub subscription: Option<String>,
    /// What it says about premium.
    pub says: Says,
    /// Whether nobody has paid: it comes from the service's test mode, or sandbox.
    pub is_test: bool,
    /// All of it, as it came.
    pub body: String,
}

impl Event {
    /// An event of which nothing can be read. Its name is a hash of its body, so that a repeat is known as one.
    #[must_use]
    pub fn unreadable(source: Source, body: &[u8]) -> Self {
        Self {
            source,
            id: format!("sha256:{}", hex::encode(Sha256::digest(body))),
            kind: String::new(),
            made: None,
            user: None,
            customer: None,
            subscription: None,
            says: Says::Nothing,
            is_test: false,
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }
}

/// What an event says about premium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Nothing.
    Nothing,
    /// Whose customer and subscription they are.
    Owner,
    /// The subscription is good until then.
    Paid(Timestamp),
    /// It is good no more, until a later event says otherwise; the period that this is about ends then.
    Lapsed(Option<Timestamp>),
    /// It is over, and will never be good again.
    Ended,
}

impl Says {
    /// The word for storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Owner => "owner",
            Self::Paid(_) => "paid",
            Self::Lapsed(_) => "lapsed",
            Self::Ended => "ended",
        }
    }

    /// The end of the period, if it says one.
    #[must_use]
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Paid(until) => Some(until),
            Self::Lapsed(until) => until,
            Self::Nothing | Self::Owner | Self::Ended => None,
        }
    }
}

/// What premium is computed from: an event that is kept, and belongs to the user.
#[derive(Debug, Clone)]
pub struct Fact {
    /// The event's id.
    pub id: String,
    /// When it was made.
    pub made: Option<Timestamp>,
    /// Which subscription it is about; `None`: each of the user's.
    pub subscription: Option<String>,
    /// What it says.
    pub says: Says,
}

/// Until when these events of one service grant premium to the user whom all of them are about.
///
/// Of each subscription the newest event counts; at the same moment the one with the later end, then the one that says
/// more for the user. A subscription that is over stays over. Of several subscriptions the one that lasts longest counts.
#[must_use]
pub fn premium(facts: &[Fact]) -> Option<Timestamp> {
    let named: BTreeSet<_> = facts.iter().map(|fact| &fact.subscription).collect();
    let alone = named.len() == 1;
    let subscriptions = named.iter().filter(|name| alone || name.is_some());
    let state = |subscription: &&&Option<String>| {
        let about =
            |fact: &&Fact| fact.subscription.is_none() || fact.subscription == ***subscription;
        let newest = facts.iter().filter(about).max_by_key(|fact| {
            let over = fact.says == Says::Ended;
            let paid = matches!(fact.says, Says::Paid(_));
            (over, fact.made, fact.says.until(), paid, Reverse(&fact.id))
        });
        match newest?.says {
            Says::Paid(until) => Some(until),
            _ => None,
        }
    };
    subscriptions.filter_map(|one| state(&one)).max()
}

/// The rows of events. The caller is [`TakeEvent`].
#[async_trait]
pub trait Payments: Send {
    /// Keeps an event, unless it is kept already; says whether it is new. `did`: what came of it, in words.
    async fn keep_event(
        &mut self,
        event: &Event,
        did: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Gives every event of a customer or a subscription to its owner: whoever the newest event names that says
    /// whose the subscription is, else whose the customer is. Returns who had one of them before, or has one now.
    async fn settle_owners(
        &mut self,
        source: Source,
        customer: Option<&str>,
        subscription: Option<&str>,
    ) -> Result<Vec<UserId>, StoreError>;
    /// What the events of a service say of the premium of a user.
    async fn facts(&mut self, source: Source, user: UserId) -> Result<Vec<Fact>, StoreError>;
    /// Notes what came of an event.
    async fn note_outcome(&mut self, source: Source, id: &str, did: &str)
    -> Result<(), StoreError>;
}

/// Takes an event in, once.
#[derive(Debug)]
pub struct TakeEvent {
    /// Which.
    pub event: Event,
    /// Whether events of tests count like others. If not, they are kept and say nothing, then and ever after.
    pub accept_tests: bool,
    /// When it came.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is kept; the words say what it did.
    New(String),
    /// It was kept already, and did nothing more.
    Again,
}

#[async_trait]
impl Write for TakeEvent {
    type Out = Taken;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Taken, StoreError> {
        let mut event = self.event.clone();
        let counts = self.accept_tests || !event.is_test;
        if !counts {
            event.says = Says::Nothing;
        }
        if let Some(named) = event.user
            && tx.user(named).await?.is_none()
        {
            // Most likely an account that was deleted: its owner is not to be read in what is kept.
            event.user = None;
            event.body = String::new();
            if event.says == Says::Owner {
                event.says = Says::Nothing;
            }
            let did = format!("nothing: there is no user {named}");
            let new = tx.keep_event(&event, &did, self.now).await?;
            return Ok(if new { Taken::New(did) } else { Taken::Again });
        }
        let did = if counts { "" } else { "nothing: it is a test" };
        if !tx.keep_event(&event, did, self.now).await? {
            return Ok(Taken::Again);
        }
        if !counts {
            return Ok(Taken::New(did.to_owned()));
        }
        let did = self.consequences(tx, &event).await?;
        tx.note_outcome(event.source, &event.id, &did).await?;
        Ok(Taken::New(did))
    }
}

impl TakeEvent {
    /// Brings the premium of everybody whom the event is about up to what is known now; says what has changed.
    async fn consequences(&self, tx: &mut dyn Tx, event: &Event) -> Result<String, StoreError> {
        let (customer, subscription) = (event.customer.as_deref(), event.subscription.as_deref());
        let mut users = tx
            .settle_owners(event.source, customer, subscription)
            .await?;
        users.extend(event.user);
        users.sort_unstable();
        users.dedup();
        // Only Stripe says in one event whose another is.
        let owned = match event.source {
            Source::Stripe => !users.is_empty(),
            _ => event.user.is_some(),
        };
        let mut changes = Vec::new();
        for user in &users {
            if let Some(change) = self.settle(tx, *user).await? {
                changes.push(change);
            }
        }
        Ok(match event.says {
            _ if !changes.is_empty() => changes.join(", "),
            Says::Nothing => "nothing".to_owned(),
            Says::Owner => "whose it is was noted".to_owned(),
            _ if !owned => "nothing: whose it is has not been said".to_owned(),
            _ => "nothing new".to_owned(),
        })
    }

    /// Brings the premium of one user up to what is known; says how it has changed, if so.
    async fn settle(&self, tx: &mut dyn Tx, user: UserId) -> Result<Option<String>, StoreError> {
        let source = self.event.source;
        Ok(match premium(&tx.facts(source, user).await?) {
            Some(until) => tx
                .grant_premium(user, source, Some(until), self.now)
                .await?
                .then(|| format!("user {user} is on premium until {until}")),
            None => tx
                .withdraw_premium(user, source)
                .await?
                .then(|| format!("user {user} lost premium")),
        })
    }
}

#[cfg(test)]
mod tests;
