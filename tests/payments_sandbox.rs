//! `/api/webhooks/`: purchases of tests, for which nobody has paid.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::payments::REVENUECAT_SECRET;
use crate::support::{Client, Person, TestApp};

const DAY: i64 = 86_400;

/// Sends what Stripe says of a purchase that the first user has made, in test mode or not.
async fn buy_at_stripe(app: &TestApp, ids: [&str; 2], livemode: bool) {
    let now = app.second();
    let checkout =
        json!({"client_reference_id": "1", "customer": "cus_1", "subscription": "sub_1"});
    let subscription = json!({
        "id": "sub_1", "customer": "cus_1", "status": "active", "current_period_end": now + DAY,
    });
    for (id, kind, object) in [
        (ids[0], "checkout.session.completed", checkout),
        (ids[1], "customer.subscription.created", subscription),
    ] {
        let event = json!({
            "id": id, "type": kind, "created": now, "livemode": livemode, "data": {"object": object},
        });
        let answer = app.stripe_body(event.to_string()).await;
        assert_eq!(answer.shown(), r#"200 {"message":"Event received."}"#);
    }
}

/// The same by RevenueCat, with what it says of where that was.
async fn buy_at_revenuecat(app: &TestApp, id: &str, environment: Value) {
    let now = app.second() * 1000;
    let event = json!({"event": {
        "id": id, "type": "INITIAL_PURCHASE", "app_user_id": "1", "event_timestamp_ms": now,
        "expiration_at_ms": now + DAY * 1000, "environment": environment,
    }});
    let sent = app
        .client
        .revenuecat_with(REVENUECAT_SECRET, event.to_string());
    assert_eq!(sent.await.shown(), r#"200 {"message":"Event received."}"#);
}

/// The plan of whoever is logged in.
async fn plan(session: &Client) -> String {
    session.get("/api/subscription/").await.field("plan")
}

#[tokio::test]
async fn what_stripe_says_in_test_mode_is_kept_and_changes_nothing() {
    let app = TestApp::with().paid().start().await;
    let session = app.member(&Person::new("ada")).await;

    buy_at_stripe(&app, ["evt_1", "evt_2"], false).await;
    let tested = plan(&session).await;
    buy_at_stripe(&app, ["evt_3", "evt_4"], true).await;

    assert_eq!([tested, plan(&session).await], ["free", "premium"]);
    assert_snapshot!(app.payment_events().await.join("\n"), @"
    evt_1: nothing: it is a test
    evt_2: nothing: it is a test
    evt_3: whose it is was noted
    evt_4: user 1 is on premium until 2027-01-16T08:00:00Z
    ");
    app.finish().await;
}

#[tokio::test]
async fn what_was_bought_in_a_sandbox_is_kept_and_changes_nothing() {
    let app = TestApp::with().paid().start().await;
    let session = app.member(&Person::new("ada")).await;

    for (id, environment) in [
        ("1", json!("SANDBOX")),
        ("2", json!("sandbox")),
        ("3", json!("a word of the future")),
        ("4", json!(7)),
    ] {
        buy_at_revenuecat(&app, id, environment).await;
    }
    let tested = plan(&session).await;
    buy_at_revenuecat(&app, "5", json!("PRODUCTION")).await;

    assert_eq!([tested, plan(&session).await], ["free", "premium"]);
    assert_snapshot!(app.payment_events().await.join("\n"), @"
    1: nothing: it is a test
    2: nothing: it is a test
    3: nothing: it is a test
    4: nothing: it is a test
    5: user 1 is on premium until 2027-01-16T08:00:00Z
    ");
    app.finish().await;
}

#[tokio::test]
async fn a_test_does_not_end_what_was_paid() {
    let app = TestApp::with().paid().start().await;
    let session = app.member(&Person::new("ada")).await;
    buy_at_revenuecat(&app, "1", json!("PRODUCTION")).await;

    let later = (app.second() + 60) * 1000;
    let expired = json!({
        "id": "2", "type": "EXPIRATION", "app_user_id": "1", "event_timestamp_ms": later,
        "expiration_at_ms": later, "environment": "SANDBOX",
    });
    app.revenuecat(expired).await;

    assert_eq!(plan(&session).await, "premium");
    app.finish().await;
}

#[tokio::test]
async fn where_tests_are_accepted_they_count_like_what_was_paid() {
    let accepting = TestApp::with()
        .paid()
        .set("SMART_NOTES__PAYMENTS__ACCEPT_TEST_EVENTS", "true");
    let app = accepting.start().await;
    let session = app.member(&Person::new("ada")).await;

    buy_at_revenuecat(&app, "1", json!("SANDBOX")).await;
    buy_at_stripe(&app, ["evt_1", "evt_2"], false).await;

    assert_eq!(plan(&session).await, "premium");
    assert_snapshot!(app.payment_events().await.join("\n"), @"
    1: user 1 is on premium until 2027-01-16T08:00:00Z
    evt_1: whose it is was noted
    evt_2: user 1 is on premium until 2027-01-16T08:00:00Z
    ");
    app.finish().await;
}
