//! Receives an event exactly once, with its effect.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use async_trait::async_trait;
use jiff::Timestamp;

use super::owners::first_user;
use super::{Event, Fact, Kept, Products, Says, State, Until, is_hash, state};
use crate::id::UserId;
use crate::store::{StoreError, Tx, Write};

/// Stores an event once and applies its effect.
#[derive(Debug)]
pub struct ReceiveEvent {
    /// The event to store.
    pub event: Event,
    /// Whether events of tests count like others. If not, they are kept and say nothing, then and ever after.
    pub accept_tests: bool,
    /// What means premium.
    pub products: Products,
    /// When it came.
    pub now: Timestamp,
}

/// The result of the use case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventResult {
    /// The event is new and stored; the text describes its effect.
    New(String),
    /// The event was already stored and has no further effect.
    Again,
}

#[async_trait]
impl Write for ReceiveEvent {
    type Out = EventResult;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<EventResult, StoreError> {
        let mut event = self.event.clone();
        let named = numbers([&event.fact]);
        let users = present(tx, &named).await?;
        let user = named_user(&event.fact, &users);
        // Most likely an account that was deleted: its owner is not to be read in what is kept.
        let absent = named.first().filter(|_| user.is_none());
        if absent.is_some() {
            event.body = String::new();
        }
        let counts = self.accept_tests || !event.is_test;
        if !counts {
            let (id, made) = (event.fact.id, event.fact.made);
            event.fact = Fact {
                id,
                made,
                ..Fact::default()
            };
        }
        let reason = match absent {
            Some(absent) => Some(format!("nothing: there is no user {absent}")),
            None => (!counts).then(|| "nothing: it is a test".to_owned()),
        };
        let did = reason.clone().unwrap_or_default();
        if !tx.keep_event(&event, user, &did, self.now).await? {
            return Ok(EventResult::Again);
        }
        if !counts {
            return Ok(EventResult::New(did));
        }
        let did = self.consequences(tx, &event.fact, reason).await?;
        tx.note_outcome(event.source, &event.fact.id, &did).await?;
        Ok(EventResult::New(did))
    }
}

impl ReceiveEvent {
    /// Brings the premium of everybody whom the event is about up to what is known now. Returns what has changed, else
    /// why nothing has; `reason`: if that is known already.
    async fn consequences(
        &self,
        tx: &mut dyn Tx,
        fact: &Fact,
        reason: Option<String>,
    ) -> Result<String, StoreError> {
        let kept = self.connected(tx, fact).await?;
        let facts: Vec<_> = kept.iter().map(|kept| kept.fact.clone()).collect();
        let users = present(tx, &numbers(&facts)).await?;
        let State { owners, premium } = state(self.event.source, &facts, &users, &self.products);
        let mut own = None;
        for (kept, owner) in kept.iter().zip(owners) {
            self.assign(tx, kept, owner, &users).await?;
            if kept.fact.id == fact.id {
                own = owner;
            }
        }
        let mut changes = Vec::new();
        for user in users {
            let until = premium.get(&user).copied();
            changes.extend(self.settle(tx, user, until).await?);
        }
        if !changes.is_empty() {
            return Ok(changes.join(", "));
        }
        Ok(reason.unwrap_or_else(|| self.why_nothing(fact, own)))
    }

    fn why_nothing(&self, fact: &Fact, owner: Option<UserId>) -> String {
        let words = match fact.says {
            Says::Nothing => "nothing",
            Says::Owner => "whose it is was noted",
            _ if owner.is_none() => "nothing: whose it is has not been said",
            Says::Paid(_) if self.products.end(self.event.source, fact).is_none() => {
                let names = fact.sold.iter().flat_map(|item| &item.names);
                let shown = names.map(String::as_str).filter(|name| !is_hash(name));
                let sold = shown.collect::<Vec<_>>().join(", ");
                return format!("nothing: what was sold does not mean premium ({sold})");
            }
            _ => "nothing new",
        };
        words.to_owned()
    }

    /// The event and all others that are connected with it, directly or by others.
    async fn connected(&self, tx: &mut dyn Tx, fact: &Fact) -> Result<Vec<Kept>, StoreError> {
        let mut connected = BTreeMap::new();
        let mut links: VecDeque<_> = fact.links().collect();
        let mut seen: BTreeSet<_> = links.iter().cloned().collect();
        while let Some(link) = links.pop_front() {
            for kept in tx.linked_events(self.event.source, &link).await? {
                if connected.contains_key(&kept.fact.id) {
                    continue;
                }
                let new = kept.fact.links().filter(|link| seen.insert(link.clone()));
                links.extend(new);
                connected.insert(kept.fact.id.clone(), kept);
            }
        }
        Ok(connected.into_values().collect())
    }

    /// Keeps an event with the user whom it names itself, else with who owns what it is about. Nobody loses an event by
    /// this but to another owner.
    async fn assign(
        &self,
        tx: &mut dyn Tx,
        kept: &Kept,
        owner: Option<UserId>,
        users: &BTreeSet<UserId>,
    ) -> Result<(), StoreError> {
        let user = named_user(&kept.fact, users).or(owner).or(kept.user);
        let owner = owner.filter(|owner| Some(*owner) != user);
        if (user, owner) == (kept.user, kept.owner) {
            return Ok(());
        }
        tx.assign_event(self.event.source, &kept.fact.id, user, owner)
            .await
    }

    /// Brings the premium of one user up to what is known; says how it has changed, if so.
    async fn settle(
        &self,
        tx: &mut dyn Tx,
        user: UserId,
        until: Option<Until>,
    ) -> Result<Option<String>, StoreError> {
        let source = self.event.source;
        let Some(until) = until else {
            let withdrawn = tx.withdraw_premium(user, source).await?;
            return Ok(withdrawn.then(|| format!("user {user} lost premium")));
        };
        let granted = tx
            .grant_premium(user, source, until.time(), self.now)
            .await?;
        Ok(granted.then(|| match until {
            Until::Endless => format!("user {user} is on premium without end"),
            Until::Time(end) if end <= self.now => {
                format!("premium of user {user} ended at {end}")
            }
            Until::Time(end) => format!("user {user} is on premium until {end}"),
        }))
    }
}

/// The user whom an event names: of a transfer, who receives, else who gives.
fn named_user(fact: &Fact, users: &BTreeSet<UserId>) -> Option<UserId> {
    first_user(&fact.names, users).or_else(|| first_user(&fact.from, users))
}

/// The users' numbers in events, whether the users are there or not.
fn numbers<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> BTreeSet<UserId> {
    let names = facts
        .into_iter()
        .flat_map(|fact| fact.names.iter().chain(&fact.from));
    names
        .filter_map(|name| name.parse().ok().map(UserId))
        .collect()
}

/// Those of these users who are there.
async fn present(
    tx: &mut dyn Tx,
    users: &BTreeSet<UserId>,
) -> Result<BTreeSet<UserId>, StoreError> {
    let mut present = BTreeSet::new();
    for user in users {
        if tx.user(*user).await?.is_some() {
            present.insert(*user);
        }
    }
    Ok(present)
}
