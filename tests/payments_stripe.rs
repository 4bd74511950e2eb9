//! `/api/webhooks/stripe/`: what Stripe says.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Client, Person, TestApp};

const CHECKOUT: &str = "checkout.session.completed";
const CREATED: &str = "customer.subscription.created";
const UPDATED: &str = "customer.subscription.updated";
const DELETED: &str = "customer.subscription.deleted";

const DAY: i64 = 86_400;

async fn app() -> TestApp {
    TestApp::with().paid().start().await
}

/// What the user with that number has bought.
fn checkout(user: &str) -> Value {
    json!({
        "object": "checkout.session", "client_reference_id": user, "customer": "cus_1",
        "subscription": "sub_1", "customer_details": {"email": "ada@example.com"},
    })
}

/// The subscription, good until then.
fn subscription(status: &str, until: i64) -> Value {
    json!({
        "object": "subscription", "id": "sub_1", "customer": "cus_1", "status": status,
        "current_period_end": until,
    })
}

/// The plan, and until when it lasts.
async fn plan(session: &Client) -> String {
    let shown = session.get("/api/subscription/").await.json();
    let until = shown["premium_until"].as_str().unwrap_or("no end");
    format!("{}, {until}", shown["plan"].as_str().unwrap())
}

#[tokio::test]
async fn whoever_has_paid_is_on_premium_until_the_period_ends() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let now = app.second();

    app.stripe("evt_1", now, CHECKOUT, checkout("1")).await;
    let bought = plan(&session).await;
    app.stripe("evt_2", now, CREATED, subscription("incomplete", now + DAY))
        .await;
    let incomplete = plan(&session).await;
    app.stripe("evt_3", now, UPDATED, subscription("active", now + DAY))
        .await;
    let paid = plan(&session).await;

    assert_eq!([bought, incomplete], ["free, no end"; 2]);
    assert_eq!(paid, "premium, 2027-01-16T08:00:00Z");
    app.advance(86_400).await;
    let session = app.client.logged_in(&Person::new("ada")).await;
    assert_eq!(plan(&session).await, "free, no end");
    app.finish().await;
}

#[tokio::test]
async fn a_subscription_that_comes_before_its_checkout_is_linked_by_it() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let now = app.second();

    app.stripe("evt_1", now, CREATED, subscription("active", now + DAY))
        .await;
    let before = plan(&session).await;
    app.stripe("evt_2", now + 1, CHECKOUT, checkout("1")).await;

    assert_eq!(before, "free, no end");
    assert_eq!(plan(&session).await, "premium, 2027-01-16T08:00:00Z");
    assert_snapshot!(app.payment_events().await.join("\n"), @"
    evt_1: nothing: whose it is has not been said
    evt_2: user 1 is on premium until 2027-01-16T08:00:00Z
    ");
    app.finish().await;
}

/// Since its API of 2025-03-31, Stripe has the period's end in the items alone.
#[tokio::test]
async fn the_end_of_the_period_may_stand_under_the_items() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let now = app.second();
    let mut items = subscription("trialing", 0);
    items.as_object_mut().unwrap().remove("current_period_end");
    items["items"] =
        json!({"data": [{"current_period_end": now + DAY}, {"current_period_end": now}]});

    app.stripe("evt_1", now, CHECKOUT, checkout("1")).await;
    app.stripe("evt_2", now, CREATED, items).await;

    assert_eq!(plan(&session).await, "premium, 2027-01-16T08:00:00Z");
    app.finish().await;
}

#[tokio::test]
async fn each_state_of_a_subscription_means_what_stripe_says_it_means() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let now = app.second();
    app.stripe("evt_0", now, CHECKOUT, checkout("1")).await;

    for (n, (status, premium)) in [
        ("active", true),
        ("unpaid", false),
        ("trialing", true),
        ("canceled", false),
        ("past_due", true),
        ("paused", false),
    ]
    .into_iter()
    .enumerate()
    {
        let made = now + i64::try_from(n).unwrap();
        let id = format!("evt_{status}");
        app.stripe(&id, made, UPDATED, subscription(status, now + DAY))
            .await;

        let plan = plan(&session).await;
        assert_eq!(plan.starts_with("premium"), premium, "{status}: {plan}");
    }
    app.finish().await;
}

#[tokio::test]
async fn what_comes_late_or_twice_changes_nothing() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let now = app.second();
    app.stripe("evt_1", now, CHECKOUT, checkout("1")).await;
    app.stripe(
        "evt_3",
        now + 2,
        UPDATED,
        subscription("active", now + 2 * DAY),
    )
    .await;

    app.stripe("evt_2", now + 1, UPDATED, subscription("unpaid", now + DAY))
        .await;
    app.stripe("evt_4", now + 2, UPDATED, subscription("active", now + DAY))
        .await;
    app.stripe(
        "evt_3",
        now + 9,
        UPDATED,
        subscription("active", now + 9 * DAY),
    )
    .await;

    assert_eq!(plan(&session).await, "premium, 2027-01-17T08:00:00Z");
    assert_eq!(app.payment_events().await.len(), 4);
    app.finish().await;
}

#[tokio::test]
async fn a_deleted_subscription_stays_deleted_and_another_one_counts() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let now = app.second();
    app.stripe("evt_1", now, CHECKOUT, checkout("1")).await;
    app.stripe("evt_2", now, DELETED, subscription("canceled", now + DAY))
        .await;

    app.stripe(
        "evt_3",
        now + 5,
        UPDATED,
        subscription("active", now + 9 * DAY),
    )
    .await;
    let deleted = plan(&session).await;
    let mut other = subscription("active", now + DAY);
    other["id"] = json!("sub_2");
    app.stripe("evt_4", now, CREATED, other).await;

    assert_eq!(deleted, "free, no end");
    assert_eq!(plan(&session).await, "premium, 2027-01-16T08:00:00Z");
    app.finish().await;
}

#[tokio::test]
async fn what_is_not_known_is_kept_and_does_nothing() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let now = app.second();

    app.stripe("evt_1", now, "invoice.paid", json!({"customer": "cus_1"}))
        .await;
    app.stripe("evt_2", now, CHECKOUT, json!({"customer": "cus_1"}))
        .await;
    app.stripe(
        "evt_3",
        now,
        UPDATED,
        json!({"status": "active", "current_period_end": now + DAY}),
    )
    .await;
    app.stripe("evt_4", now, UPDATED, subscription("active", i64::MAX))
        .await;
    app.stripe("evt_5", now, UPDATED, json!("sub_1")).await;
    app.stripe("evt_6", now, CHECKOUT, checkout("1")).await;

    assert_eq!(plan(&session).await, "free, no end");
    assert_snapshot!(app.payment_events().await.join("\n"), @"
    evt_1: nothing
    evt_2: nothing
    evt_3: nothing
    evt_4: nothing
    evt_5: nothing
    evt_6: whose it is was noted
    ");
    app.finish().await;
}

#[tokio::test]
async fn an_event_for_who_is_not_there_is_kept_without_naming_anybody() {
    let app = app().await;
    let now = app.second();

    for user in ["7", "0", "-1", "ada", "99999999999999999999"] {
        let id = format!("evt_{user}");
        app.stripe(&id, now, CHECKOUT, checkout(user)).await;
    }
    app.stripe("evt_paid", now, UPDATED, subscription("active", now + DAY))
        .await;

    let mut rows = app.rows().await;
    let named = rows.texts("select body from payment_events where id in ('evt_7', 'evt_0')");
    assert_eq!(named.await, ["", ""]);
    assert_eq!(rows.number("select count(*) from payment_events").await, 6);
    assert_eq!(rows.number("select count(*) from plan_grants").await, 0);
    rows.close().await;
    app.finish().await;
}

/// Bodies name their customers; they go with the account, and what comes later finds nobody.
#[tokio::test]
async fn nothing_that_was_paid_is_left_of_a_deleted_account() {
    let app = app().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    let now = app.second();
    let invoice = json!({"customer": "cus_1", "customer_email": "ada@example.com"});
    app.stripe("evt_1", now, "invoice.paid", invoice).await;
    app.stripe("evt_2", now, UPDATED, subscription("active", now + DAY))
        .await;
    app.stripe("evt_3", now, CHECKOUT, checkout("1")).await;
    session.request_deletion().await;
    let code = app.newest_code(&ada.email).await;

    assert_eq!(session.delete_account(&code).await.status, 204);

    let kept = app.payment_events().await;
    assert!(kept.is_empty(), "{kept:?}");
    app.stripe("evt_3", now, CHECKOUT, checkout("1")).await;
    app.stripe("evt_4", now, DELETED, subscription("canceled", now + DAY))
        .await;
    app.settled().await;
    let mut rows = app.rows().await;
    for (table, rows) in rows.all().await {
        let traces = rows.iter().filter(|row| row.contains("ada@example.com"));
        assert_eq!(traces.count(), 0, "{table}");
    }
    rows.close().await;
    app.finish().await;
}
