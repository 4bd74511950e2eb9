//! What payment services say, in every order: the same events end in the same state.

use domain::id::UserId;
use domain::payments::{Event, EventResult, Says};
use domain::plans::Source;
use domain::store::Store;
use futures_util::future::join_all;
use jiff::Timestamp;

use super::paying::{about, event, grants, named, owned_by, paid, take, user, with};
use crate::support::at;

/// Every order of these.
fn orders(of: &[Event]) -> Vec<Vec<Event>> {
    let Some((last, rest)) = of.split_last() else {
        return vec![Vec::new()];
    };
    let insert = |order: Vec<Event>| {
        (0..=order.len()).map(move |place| {
            let mut order = order.clone();
            order.insert(place, last.clone());
            order
        })
    };
    orders(rest).into_iter().flat_map(insert).collect()
}

/// Delivers every order of the same events, each to a user of its own, with repeats in between and after. Returns what
/// all of them end in.
async fn end_of_all_orders(
    store: &Store,
    events: impl Fn(UserId) -> Vec<Event>,
) -> Option<Timestamp> {
    let count = orders(&events(UserId(0))).len();
    let runs = (0..count).map(async |n| {
        let ada = user(store, &format!("ada{n}")).await;
        let mut order = orders(&events(ada)).swap_remove(n);
        for event in &mut order {
            let fact = &mut event.fact;
            fact.id = format!("{n} {}", fact.id);
            for name in [&mut fact.customer, &mut fact.transaction] {
                *name = name.as_ref().map(|name| format!("{n} {name}"));
            }
        }
        for (place, event) in order.iter().enumerate() {
            take(store, event).await;
            assert_eq!(take(store, &order[place / 2]).await, EventResult::Again);
        }
        for event in &order {
            assert_eq!(take(store, event).await, EventResult::Again);
        }
        let until = grants(store, ada).await.first().map(|grant| grant.until);
        (
            until,
            order
                .into_iter()
                .map(|event| event.fact.id)
                .collect::<Vec<_>>(),
        )
    });
    let ends = join_all(runs).await;
    for (until, order) in &ends {
        assert_eq!(
            *until, ends[0].0,
            "after {order:?}, unlike after {:?}",
            ends[0].1
        );
    }
    assert_eq!(ends.len(), 120);
    ends[0].0.flatten()
}

/// Five events have 120 orders.
pub async fn every_order_of_the_same_events_ends_in_the_same_state(store: Store) {
    let renewed = end_of_all_orders(&store, |user| {
        vec![
            owned_by(user, "checkout", 1),
            event("incomplete", 1, Says::Pending),
            event("active", 1, paid(100)),
            event("renewed", 100, paid(200)),
            event("renewed, in the same second", 100, paid(150)),
        ]
    });

    assert_eq!(renewed.await, Some(at(200)));
}

pub async fn every_order_of_the_events_of_a_subscription_that_is_over_ends_without_premium(
    store: Store,
) {
    let over = end_of_all_orders(&store, |user| {
        vec![
            owned_by(user, "checkout", 1),
            event("active", 1, paid(100)),
            event("deleted", 50, Says::Ended),
            event("in the same second", 50, paid(300)),
            event("later", 60, paid(400)),
        ]
    });

    assert_eq!(over.await, None);
}

/// Two subscriptions of one customer, of which one is named by no checkout.
pub async fn every_order_of_the_events_of_two_subscriptions_ends_with_the_longer_one(store: Store) {
    let longer = end_of_all_orders(&store, |user| {
        vec![
            owned_by(user, "checkout", 1),
            event("active", 1, paid(100)),
            event("unpaid", 100, Says::Lapsed(Some(at(200)))),
            about("other", event("other", 20, paid(300))),
            about("third", event("over", 10, Says::Ended)),
        ]
    });

    assert_eq!(longer.await, Some(at(300)));
}

pub async fn every_order_of_events_that_name_their_user_ends_in_the_same_state(store: Store) {
    let again = end_of_all_orders(&store, |user| {
        let named = |id, made, says| {
            let unlinked = with(event(id, made, says), |fact| {
                (fact.customer, fact.transaction) = (None, None);
            });
            Event {
                source: Source::RevenueCat,
                ..named(user, unlinked)
            }
        };
        vec![
            named("purchase", 1, paid(100)),
            named("cancelled", 2, Says::Nothing),
            named("expired", 100, Says::Expired(Some(at(100)))),
            named("renewed, out of order", 99, paid(100)),
            named("bought again", 120, paid(220)),
        ]
    });

    assert_eq!(again.await, Some(at(220)));
}

/// What one customer bought, another one owns after a transfer, also where that comes first.
pub async fn every_order_of_the_events_of_a_transfer_ends_with_the_new_owner(store: Store) {
    let moved = end_of_all_orders(&store, |user| {
        let of = |names: &[String], event: Event| Event {
            source: Source::RevenueCat,
            ..with(event, |fact| {
                (fact.customer, fact.names) = (None, names.to_vec());
            })
        };
        let anonymous = [format!("anonymous {user}")];
        let known = [format!("other {user}"), anonymous[0].clone()];
        let receiver = [user.to_string()];
        let unlinked = |event| with(event, |fact| fact.transaction = None);
        let transfer = unlinked(event("transfer", 50, Says::Transfer));
        vec![
            of(&anonymous, event("purchase", 1, paid(100))),
            of(&known, unlinked(event("alias", 2, Says::Nothing))),
            with(of(&receiver, transfer), |fact| {
                fact.from = vec![known[0].clone()];
            }),
            of(&receiver, event("renewed", 90, paid(200))),
            of(
                &receiver,
                event("expired, late", 101, Says::Expired(Some(at(100)))),
            ),
        ]
    });

    assert_eq!(moved.await, Some(at(200)));
}
