//! The owners of transactions, and the premium that follows from them.
//!
//! Each service has its own way of saying it. Stripe's checkout names the user, for the transaction and its customer.
//! RevenueCat's events give all names of a customer, anonymous ones as well, and a transfer moves what one customer owns
//! at that time to another.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Fact, Products, Says, Until, transaction};
use crate::id::UserId;
use crate::plans::Source;

/// What follows from the events of one service that are connected with each other.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    /// Who owns what each event is about, in the order of the events.
    pub owners: Vec<Option<UserId>>,
    /// Until when users are on premium.
    pub premium: BTreeMap<UserId, Until>,
}

/// What follows from events of one service. `users`: those of the users named in them who are there.
#[must_use]
pub fn state(
    source: Source,
    facts: &[Fact],
    users: &BTreeSet<UserId>,
    products: &Products,
) -> State {
    let owners = match source {
        Source::RevenueCat => Customers::new(facts, users).owners(),
        _ => by_checkout(source, facts, users, products),
    };
    let mut transactions: BTreeMap<_, Vec<&Fact>> = BTreeMap::new();
    for (fact, owner) in facts.iter().zip(&owners) {
        if let Some(owner) = owner {
            let key = (*owner, fact.transaction.as_deref());
            transactions.entry(key).or_default().push(fact);
        }
    }
    let mut premium = BTreeMap::new();
    for ((owner, name), facts) in &transactions {
        let mut facts = facts.clone();
        // What names no transaction is about each of the owner's.
        if name.is_some() {
            facts.extend(transactions.get(&(*owner, None)).into_iter().flatten());
        }
        if let Some(until) = transaction::premium(&facts, source, products) {
            let longest = premium.entry(*owner).or_insert(until);
            *longest = until.max(*longest);
        }
    }
    State { owners, premium }
}

/// The user whose number a name is, if there is one.
pub(super) fn user(name: &str, users: &BTreeSet<UserId>) -> Option<UserId> {
    let user = UserId(name.parse().ok()?);
    users.contains(&user).then_some(user)
}

/// The first of these names that is a user's.
pub(super) fn first_user(names: &[String], users: &BTreeSet<UserId>) -> Option<UserId> {
    names.iter().find_map(|name| user(name, users))
}

/// Stripe's owners: whom the event names itself, else the newest checkout of its transaction, else that of its customer.
/// A customer may buy in another app, too, that has numbers of its own: what was not bought here says less.
fn by_checkout(
    source: Source,
    facts: &[Fact],
    users: &BTreeSet<UserId>,
    products: &Products,
) -> Vec<Option<UserId>> {
    let mut transactions: BTreeMap<&String, Vec<&Fact>> = BTreeMap::new();
    for fact in facts {
        if let Some(transaction) = &fact.transaction {
            transactions.entry(transaction).or_default().push(fact);
        }
    }
    let is_ours = |fact: &Fact| {
        let about = fact.transaction.as_ref().map(|one| &transactions[one]);
        about.is_none_or(|about| !transaction::is_foreign(about, source, products))
    };
    let mut of_transactions = BTreeMap::new();
    let mut of_customers = BTreeMap::new();
    for fact in facts {
        let Some(user) = first_user(&fact.names, users) else {
            continue;
        };
        let naming = (is_ours(fact), fact.made, &fact.id, user);
        for (namings, name) in [
            (&mut of_transactions, &fact.transaction),
            (&mut of_customers, &fact.customer),
        ] {
            if let Some(name) = name {
                let newest = namings.entry(name).or_insert(naming);
                *newest = naming.max(*newest);
            }
        }
    }
    let of_customer = |fact: &Fact| {
        of_customers
            .get(fact.customer.as_ref()?)
            .map(|naming| naming.3)
    };
    let owner = |fact: &Fact| match &fact.transaction {
        // What says nothing about a transaction belongs to whom it names.
        None => first_user(&fact.names, users).or_else(|| of_customer(fact)),
        Some(transaction) => match of_transactions.get(transaction) {
            Some(naming) => Some(naming.3),
            // Not every event about it names the customer.
            None => transactions[transaction]
                .iter()
                .find_map(|fact| of_customer(fact)),
        },
    };
    facts.iter().map(owner).collect()
}

/// RevenueCat's customers, as far as events tell of them.
struct Customers<'a> {
    facts: &'a [Fact],
    users: &'a BTreeSet<UserId>,
    /// The events by their time, transfers last.
    order: Vec<usize>,
    /// The customer of each name: the first of its names that was seen.
    known: BTreeMap<&'a str, &'a str>,
    /// The user that a customer was last seen as.
    seen_as: BTreeMap<&'a str, UserId>,
}

impl<'a> Customers<'a> {
    fn new(facts: &'a [Fact], users: &'a BTreeSet<UserId>) -> Self {
        let mut order: Vec<_> = (0..facts.len()).collect();
        let time = |n: &usize| -> (Option<Timestamp>, bool, &String) {
            let fact = &facts[*n];
            (fact.made, fact.says == Says::Transfer, &fact.id)
        };
        order.sort_by(|one, other| time(one).cmp(&time(other)));
        let mut customers = Self {
            facts,
            users,
            order,
            known: BTreeMap::new(),
            seen_as: BTreeMap::new(),
        };
        for fact in customers.told() {
            customers.join(&fact.names);
        }
        for fact in customers.told() {
            if let Some(user) = first_user(&fact.names, users) {
                let customer = customers.customer(&fact.names[0]);
                customers.seen_as.insert(customer, user);
            }
        }
        customers
    }

    /// What tells the names of one customer, by its time.
    fn told(&self) -> Vec<&'a Fact> {
        let facts = self.order.iter().map(|n| &self.facts[*n]);
        facts
            .filter(|fact| fact.says != Says::Transfer && !fact.names.is_empty())
            .collect()
    }

    /// Notes that all these are names of one customer.
    fn join(&mut self, names: &'a [String]) {
        let joined = self.customer(&names[0]);
        for name in names {
            let other = self.customer(name);
            if other == joined && self.known.contains_key(name.as_str()) {
                continue;
            }
            for customer in self.known.values_mut().filter(|one| **one == other) {
                *customer = joined;
            }
            self.known.insert(name, joined);
        }
    }

    fn customer(&self, name: &'a str) -> &'a str {
        self.known.get(name).copied().unwrap_or(name)
    }

    fn user(&self, customer: &str) -> Option<UserId> {
        let seen = self.seen_as.get(customer).copied();
        seen.or_else(|| user(customer, self.users))
    }

    /// Who receives what is transferred: a user, if one of the names is one's.
    fn receiver(&self, names: &'a [String]) -> Option<&'a str> {
        let mut customers = names.iter().map(|name| self.customer(name));
        let known = customers.clone().find(|one| self.user(one).is_some());
        known.or_else(|| customers.next())
    }

    fn owners(&self) -> Vec<Option<UserId>> {
        let mut holders: BTreeMap<&str, &str> = BTreeMap::new();
        for fact in self.order.iter().map(|n| &self.facts[*n]) {
            if fact.says == Says::Transfer {
                let from: BTreeSet<_> = fact.from.iter().map(|name| self.customer(name)).collect();
                let Some(to) = self.receiver(&fact.names) else {
                    continue;
                };
                for holder in holders.values_mut().filter(|one| from.contains(*one)) {
                    *holder = to;
                }
            } else if let (Some(transaction), Some(name)) = (&fact.transaction, fact.names.first())
            {
                holders.insert(transaction, self.customer(name));
            }
        }
        let owner = |fact: &Fact| {
            let holder = fact.transaction.as_deref().and_then(|one| holders.get(one));
            let holder = holder.copied().or_else(|| self.receiver(&fact.names))?;
            self.user(holder)
        };
        self.facts.iter().map(owner).collect()
    }
}
