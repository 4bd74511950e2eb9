//! The counts of limits, and the audit log of security events.

use std::net::Ipv4Addr;

use domain::audit::{Entry, Event};
use domain::client::ClientKey;
use domain::id::UserId;
use domain::limits::Hit;
use domain::store::Store;
use jiff::Timestamp;

use crate::support::at;
use crate::support::people::{Person, address};
use crate::support::units::unit;

async fn hit(store: &Store, key: &'static str, now: Timestamp) {
    let hit = unit(move |tx| Box::pin(async move { tx.hit(key, now).await }));
    store.write(hit).await.unwrap();
}

async fn hit_in_flight(store: &Store, key: &'static str, now: Timestamp) {
    let hit = unit(move |tx| Box::pin(async move { tx.hit_in_flight(key, now).await }));
    store.write(hit).await.unwrap();
}

async fn settle(store: &Store, key: &'static str, at: Timestamp) {
    let settle = unit(move |tx| Box::pin(async move { tx.settle_hit(key, at).await }));
    store.write(settle).await.unwrap();
}

async fn forget(store: &Store, key: &'static str, at: Timestamp) {
    let forget = unit(move |tx| Box::pin(async move { tx.forget_hit(key, at).await }));
    store.write(forget).await.unwrap();
}

async fn forget_all(store: &Store, key: &'static str, since: Timestamp) {
    let forget = unit(move |tx| Box::pin(async move { tx.forget_hits(key, since).await }));
    store.write(forget).await.unwrap();
}

async fn hits(store: &Store, key: &'static str, since: Timestamp) -> Vec<Timestamp> {
    hits_until(store, key, since, at(1_000)).await
}

async fn hits_until(
    store: &Store,
    key: &'static str,
    since: Timestamp,
    until: Timestamp,
) -> Vec<Timestamp> {
    let hits = all_hits(store, key, since, until).await;
    hits.iter().map(|hit| hit.at).collect()
}

async fn all_hits(
    store: &Store,
    key: &'static str,
    since: Timestamp,
    until: Timestamp,
) -> Vec<Hit> {
    let hits = unit(move |tx| Box::pin(async move { tx.hits(key, since, until).await }));
    store.write(hits).await.unwrap()
}

/// Of what was counted under a key, which is in flight.
async fn in_flight(store: &Store, key: &'static str) -> Vec<bool> {
    let hits = all_hits(store, key, at(0), at(1_000)).await;
    hits.iter().map(|hit| hit.in_flight).collect()
}

async fn knows(store: &Store, user: UserId, machine: u8) -> bool {
    let knows = unit(move |tx| {
        let client = ClientKey::of(Ipv4Addr::new(192, 0, 2, machine).into());
        Box::pin(async move { tx.knows_client(user, &client).await })
    });
    store.write(knows).await.unwrap()
}

/// The number of a user.
async fn user(store: &Store, email: &str) -> UserId {
    let mut reader = store.reader().await.unwrap();
    let user = reader.user_by_email(address(email).key()).await.unwrap();
    user.unwrap().id
}

/// A window begins after `since`: what was counted at that moment has just left it. It ends with `until`.
pub async fn what_was_counted_is_found_in_its_window_oldest_first(store: Store) {
    for second in [3, 1, 2] {
        hit(&store, "a", at(second)).await;
    }
    hit(&store, "b", at(2)).await;

    assert_eq!(hits(&store, "a", at(0)).await, [at(1), at(2), at(3)]);
    assert_eq!(hits(&store, "a", at(1)).await, [at(2), at(3)]);
    assert_eq!(hits(&store, "a", at(3)).await, []);
    assert_eq!(hits(&store, "c", at(0)).await, []);
    let until_the_second = hits_until(&store, "a", at(0), at(2)).await;
    assert_eq!(until_the_second, [at(1), at(2)]);
}

pub async fn what_is_counted_twice_in_one_moment_counts_twice(store: Store) {
    hit(&store, "a", at(1)).await;
    hit(&store, "a", at(1)).await;

    assert_eq!(hits(&store, "a", at(0)).await, [at(1), at(1)]);
}

pub async fn one_count_or_all_of_a_key_can_be_taken_back(store: Store) {
    for second in [1, 2, 2] {
        hit(&store, "a", at(second)).await;
    }
    hit(&store, "b", at(2)).await;

    forget(&store, "a", at(2)).await;
    assert_eq!(hits(&store, "a", at(0)).await, [at(1), at(2)]);
    forget(&store, "a", at(9)).await;
    assert_eq!(hits(&store, "a", at(0)).await, [at(1), at(2)]);
    forget_all(&store, "a", at(0)).await;
    assert_eq!(hits(&store, "a", at(0)).await, []);
    assert_eq!(hits(&store, "b", at(0)).await, [at(2)]);
}

/// One try ends as right, one as wrong, and one goes on.
pub async fn what_is_in_flight_counts_until_its_outcome_is_known(store: Store) {
    hit(&store, "a", at(1)).await;
    for second in [1, 1, 2] {
        hit_in_flight(&store, "a", at(second)).await;
    }

    assert_eq!(in_flight(&store, "a").await, [false, true, true, true]);
    settle(&store, "a", at(1)).await;
    assert_eq!(in_flight(&store, "a").await, [false, true, false, true]);
    forget(&store, "a", at(1)).await;
    assert_eq!(in_flight(&store, "a").await, [false, false, true]);
    settle(&store, "a", at(1)).await;
    assert_eq!(in_flight(&store, "a").await, [false, false, true]);
    forget_all(&store, "a", at(1)).await;
    assert_eq!(hits(&store, "a", at(0)).await, [at(2)], "still in flight");
    forget_all(&store, "a", at(2)).await;
    assert_eq!(hits(&store, "a", at(0)).await, [], "for too long");
}

pub async fn a_row_under_a_key_grows_until_it_is_ended(store: Store) {
    let lengths = unit(|tx| {
        Box::pin(async move {
            let mut lengths = vec![tx.run_length("a").await?];
            for second in [1, 1, 2] {
                tx.lengthen_run("a", at(second)).await?;
                lengths.push(tx.run_length("a").await?);
            }
            tx.lengthen_run("b", at(3)).await?;
            tx.end_run("a").await?;
            lengths.push(tx.run_length("a").await?);
            lengths.push(tx.run_length("b").await?);
            Ok(lengths)
        })
    });

    assert_eq!(store.write(lengths).await.unwrap(), [0, 1, 2, 3, 0, 1]);
}

pub async fn a_client_is_known_to_the_user_it_logged_in_alone(store: Store) {
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    for person in [&ada, &bob] {
        person.becomes_a_user(&store, at(0)).await;
    }
    let (ada, bob) = (
        user(&store, &ada.email).await,
        user(&store, &bob.email).await,
    );
    let know = unit(move |tx| {
        let client = ClientKey::of(Ipv4Addr::new(192, 0, 2, 7).into());
        Box::pin(async move {
            tx.know_client(ada, &client, at(1)).await?;
            tx.know_client(ada, &client, at(2)).await
        })
    });
    store.write(know).await.unwrap();

    assert!(knows(&store, ada, 7).await);
    assert!(!knows(&store, ada, 8).await);
    assert!(!knows(&store, bob, 7).await);
}

pub async fn a_users_events_are_listed_newest_first_with_who_was_behind_them(store: Store) {
    let person = Person::new("ada");
    person.becomes_a_user(&store, at(0)).await;
    let ada = user(&store, &person.email).await;
    let actor = person.actor("request-9");
    let record = unit(move |tx| {
        let actor = actor.clone();
        Box::pin(async move {
            for (event, second) in [(Event::LoggedIn, 1), (Event::Renamed, 2)] {
                let entry = Entry::new(event, &actor, at(second))
                    .user(ada)
                    .detail("why");
                tx.record(&entry).await?;
            }
            tx.record(&Entry::new(Event::Limited, &actor, at(3))).await
        })
    });
    store.write(record).await.unwrap();

    let mut reader = store.reader().await.unwrap();
    let records = reader.records(ada, None, 2).await.unwrap();

    let events: Vec<_> = records.iter().map(|record| record.event.as_str()).collect();
    assert_eq!(events, ["renamed", "logged_in"]);
    assert_eq!(records[0].at, at(2));
    assert_eq!(records[0].request_id, "request-9");
    assert_eq!(records[0].client.as_deref(), Some("192.0.2.1"));
    assert_eq!(records[0].user_agent.as_deref(), Some("the agent of ada"));
    assert_eq!(records[0].detail.as_deref(), Some("why"));
}

/// A pseudonym takes the place of the address. The records of others stay as they are.
pub async fn the_records_of_a_user_that_is_gone_name_nobody(store: Store) {
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    for person in [&ada, &bob] {
        person.becomes_a_user(&store, at(0)).await;
    }
    let of_ada = user(&store, &ada.email).await;
    let of_bob = user(&store, &bob.email).await;
    let key = address(&ada.email).key().clone();
    let forget = unit(move |tx| {
        let key = key.clone();
        Box::pin(async move { tx.forget_records(of_ada, &key, "pseudonym").await })
    });
    store.write(forget).await.unwrap();

    let mut reader = store.reader().await.unwrap();
    let forgotten = reader.records(of_ada, None, 10).await.unwrap();
    let kept = reader.records(of_bob, None, 10).await.unwrap();

    assert!(!forgotten.is_empty());
    let nobody =
        |record: &domain::audit::Recorded| record.client.is_none() && record.user_agent.is_none();
    assert!(forgotten.iter().all(nobody));
    assert!(!kept.is_empty() && !kept.iter().any(nobody));
}
