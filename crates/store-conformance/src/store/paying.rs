//! What payment services say, in whatever order, and the premium that follows from it.

use domain::accounts::NewUser;
use domain::id::UserId;
use domain::payments::{Event, EventResult, Fact, Products, ReceiveEvent, Says, Until};
use domain::plans::{Grant, Plan, PlanUsage, Source};
use domain::store::Store;
use domain::username::Username;
use jiff::Timestamp;

use crate::support::at;
use crate::support::people::address;
use crate::support::units::unit;

/// A new user of that name.
pub(super) async fn user(store: &Store, name: &str) -> UserId {
    let (username, email) = (
        Username::parse(name).unwrap(),
        address(&format!("{name}@example.com")),
    );
    let new = NewUser {
        username: name.to_owned(),
        username_key: username.key().clone(),
        email: email.as_typed().to_owned(),
        email_key: email.key().clone(),
        password: "$".to_owned().into(),
        now: at(0),
    };
    let insert = unit(move |tx| {
        let new = new.clone();
        Box::pin(async move { tx.insert_user(&new).await })
    });
    store.write(insert).await.unwrap()
}

pub(super) async fn standing(store: &Store, user: UserId, now: Timestamp) -> PlanUsage {
    let mut reader = store.reader().await.unwrap();
    reader.plan_standing(user, now).await.unwrap()
}

pub(super) async fn grants(store: &Store, user: UserId) -> Vec<Grant> {
    store.reader().await.unwrap().grants(user).await.unwrap()
}

async fn grant(store: &Store, user: UserId, source: Source, until: Option<Timestamp>) -> bool {
    let grant =
        unit(move |tx| Box::pin(async move { tx.grant_premium(user, source, until, at(1)).await }));
    store.write(grant).await.unwrap()
}

async fn withdraw(store: &Store, user: UserId, source: Source) -> bool {
    let withdraw = unit(move |tx| Box::pin(async move { tx.withdraw_premium(user, source).await }));
    store.write(withdraw).await.unwrap()
}

/// An event of Stripe, made so many seconds after the beginning.
pub(super) fn event(id: &str, made: i64, says: Says) -> Event {
    Event {
        source: Source::Stripe,
        kind: "a kind".to_owned(),
        fact: Fact {
            id: id.to_owned(),
            made: Some(at(made)),
            customer: Some("cus".to_owned()),
            transaction: Some("sub".to_owned()),
            says,
            ..Fact::default()
        },
        is_test: false,
        body: "{}".to_owned(),
    }
}

pub(super) fn paid(until: i64) -> Says {
    Says::Paid(Until::Time(at(until)))
}

/// The same, with other facts.
pub(super) fn with(mut event: Event, change: impl FnOnce(&mut Fact)) -> Event {
    change(&mut event.fact);
    event
}

/// The event that says whose customer and subscription they are.
pub(super) fn owned_by(user: UserId, id: &str, made: i64) -> Event {
    named(user, event(id, made, Says::Owner))
}

pub(super) fn named(user: UserId, event: Event) -> Event {
    with(event, |fact| fact.names = vec![user.to_string()])
}

/// The same about another subscription of the same customer.
pub(super) fn about(subscription: &str, event: Event) -> Event {
    with(event, |fact| {
        fact.transaction = Some(subscription.to_owned());
    })
}

pub(super) async fn take(store: &Store, event: &Event) -> EventResult {
    let take = ReceiveEvent {
        event: event.clone(),
        accept_tests: false,
        products: Products::default(),
        now: at(10),
    };
    store.write(take).await.unwrap()
}

pub async fn a_user_is_on_premium_while_any_grant_has_not_ended(store: Store) {
    let ada = user(&store, "ada").await;
    let bob = user(&store, "bob").await;
    let plan = async |now| {
        let standing = standing(&store, ada, now).await;
        (standing.plan, standing.premium_until)
    };

    assert_eq!(plan(at(0)).await, (Plan::Free, None));
    assert!(grant(&store, ada, Source::Stripe, Some(at(100))).await);
    assert!(grant(&store, ada, Source::RevenueCat, Some(at(200))).await);
    assert!(!grant(&store, ada, Source::RevenueCat, Some(at(200))).await);

    assert_eq!(plan(at(99)).await, (Plan::Premium, Some(at(200))));
    assert_eq!(plan(at(199)).await, (Plan::Premium, Some(at(200))));
    assert_eq!(plan(at(200)).await, (Plan::Free, None));
    assert!(grant(&store, ada, Source::Operator, None).await);
    assert_eq!(plan(at(99)).await, (Plan::Premium, None));
    assert_eq!(plan(at(1_000_000)).await, (Plan::Premium, None));
    assert!(withdraw(&store, ada, Source::Operator).await);
    assert!(!withdraw(&store, ada, Source::Operator).await);
    assert_eq!(plan(at(199)).await, (Plan::Premium, Some(at(200))));
    assert_eq!(standing(&store, bob, at(0)).await.plan, Plan::Free);
}

/// The conformance of what is used is held by the tests of notes; nobody has used nothing.
pub async fn of_nobody_the_plan_is_free_and_nothing_is_used(store: Store) {
    let nobody = standing(&store, UserId(7), at(0)).await;

    assert_eq!((nobody.plan, nobody.used), (Plan::Free, 0));
    assert!(grants(&store, UserId(7)).await.is_empty());
}

pub async fn an_event_is_taken_once_whatever_else_comes_under_its_id(store: Store) {
    let ada = user(&store, "ada").await;
    take(&store, &owned_by(ada, "checkout", 0)).await;

    let first = take(&store, &event("paid", 1, paid(100))).await;
    let again = take(&store, &event("paid", 2, paid(200))).await;

    assert!(
        matches!(first, EventResult::New(did) if did.starts_with("user 1 is on premium until "))
    );
    assert_eq!(again, EventResult::Again);
    let until = standing(&store, ada, at(0)).await.premium_until;
    assert_eq!(until, Some(at(100)));
}

pub async fn a_subscription_belongs_to_whom_its_own_checkout_names_else_to_the_customers(
    store: Store,
) {
    let (ada, bob) = (user(&store, "ada").await, user(&store, "bob").await);
    let early = take(&store, &event("paid", 1, paid(100))).await;
    let others = about("other", event("others", 1, paid(300)));
    take(&store, &others).await;

    take(&store, &owned_by(ada, "checkout", 0)).await;
    take(&store, &about("third", owned_by(bob, "later", 5))).await;

    assert_eq!(
        early,
        EventResult::New("nothing: whose it is has not been said".to_owned())
    );
    let until = async |user| standing(&store, user, at(0)).await.premium_until;
    assert_eq!(until(ada).await, Some(at(100)));
    assert_eq!(until(bob).await, Some(at(300)));
}

pub async fn an_event_that_names_nobody_here_is_kept_and_does_nothing(store: Store) {
    let unknown = owned_by(UserId(7), "checkout", 0);
    let bought = named(UserId(7), event("paid", 1, paid(100)));

    let first = take(&store, &unknown).await;
    let second = take(&store, &bought).await;

    assert_eq!(
        first,
        EventResult::New("nothing: there is no user 7".to_owned())
    );
    assert_eq!(first, second);
    assert_eq!(take(&store, &unknown).await, EventResult::Again);
    assert!(grants(&store, UserId(7)).await.is_empty());
}

pub async fn an_event_of_a_test_does_nothing_ever_unless_tests_count_when_it_comes(store: Store) {
    let ada = user(&store, "ada").await;
    let bought = |accept_tests, id| {
        let event = Event {
            is_test: true,
            ..named(ada, event(id, 1, paid(100)))
        };
        store.write(ReceiveEvent {
            event,
            accept_tests,
            products: Products::default(),
            now: at(10),
        })
    };

    let refused = bought(false, "refused").await.unwrap();
    let again = bought(true, "refused").await.unwrap();
    let before = grants(&store, ada).await;
    let accepted = bought(true, "accepted").await.unwrap();

    assert_eq!(
        refused,
        EventResult::New("nothing: it is a test".to_owned())
    );
    assert_eq!(again, EventResult::Again);
    assert!(before.is_empty());
    assert!(
        matches!(accepted, EventResult::New(did) if did.starts_with("user 1 is on premium until "))
    );
    assert_eq!(grants(&store, ada).await.len(), 1);
}

pub async fn grants_and_events_go_with_their_user(store: Store) {
    let ada = user(&store, "ada").await;
    let all = [
        event("paid", 1, paid(100)),
        about("", event("invoice", 1, Says::Nothing)),
        owned_by(ada, "checkout", 0),
    ];
    for event in &all {
        take(&store, event).await;
    }
    assert_eq!(grants(&store, ada).await.len(), 1);
    let delete = unit(move |tx| Box::pin(async move { tx.delete_user(ada).await }));

    assert!(store.write(delete).await.unwrap());

    assert!(grants(&store, ada).await.is_empty());
    for event in &all {
        let again = take(&store, event).await;
        assert!(
            matches!(again, EventResult::New(_)),
            "{} is still there",
            event.fact.id
        );
    }
    assert!(grants(&store, ada).await.is_empty());
}

/// The events of a transaction stay with the user whom they name, and outlive an account that does not own it any more.
pub async fn what_was_transferred_outlives_the_account_that_bought_it(store: Store) {
    let (ada, bob) = (user(&store, "ada").await, user(&store, "bob").await);
    let of_revenuecat = |event: Event| Event {
        source: Source::RevenueCat,
        ..with(event, |fact| fact.customer = None)
    };
    let bought = of_revenuecat(named(ada, event("purchase", 1, paid(100))));
    let transfer = with(
        of_revenuecat(named(bob, event("transfer", 2, Says::Transfer))),
        |fact| (fact.from, fact.transaction) = (vec![ada.to_string()], None),
    );
    let told = async |user| {
        let mut reader = store.reader().await.unwrap();
        let records = reader.payment_records(user, None, 10).await.unwrap();
        let tell = |record: domain::payments::PaymentRecord| (record.id, record.body);
        records.into_iter().map(tell).collect::<Vec<_>>()
    };
    take(&store, &bought).await;
    take(&store, &transfer).await;
    let before = (told(ada).await, told(bob).await);
    let delete = unit(move |tx| Box::pin(async move { tx.delete_user(ada).await }));

    assert!(store.write(delete).await.unwrap());
    let paused = of_revenuecat(named(bob, event("paused", 3, Says::Nothing)));
    take(&store, &paused).await;

    let row = |id: &str, body: &str| (id.to_owned(), body.to_owned());
    let moved = row("transfer", "{}");
    assert_eq!(before, (vec![row("purchase", "{}")], vec![moved.clone()]));
    let left = [row("purchase", ""), moved, row("paused", "{}")];
    assert_eq!(told(bob).await, left);
    let until = standing(&store, bob, at(0)).await.premium_until;
    assert_eq!(until, Some(at(100)));
}
