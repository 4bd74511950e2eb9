//! `/api/webhooks/revenuecat/`: what RevenueCat says.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::payments::REVENUECAT_SECRET;
use crate::support::{Client, Person, TestApp};

const HOUR: i64 = 3600;

async fn app() -> TestApp {
    TestApp::with().paid().start().await
}

/// An event about the first user, made so many hours after the beginning, about what is paid until so many hours after it.
fn event(app: &TestApp, id: &str, kind: &str, made: i64, until: i64) -> Value {
    let at = |hours: i64| (app.second() + hours * HOUR) * 1000;
    json!({
        "id": id, "type": kind, "app_user_id": "1", "event_timestamp_ms": at(made),
        "expiration_at_ms": at(until), "original_transaction_id": "t", "environment": "PRODUCTION",
    })
}

/// The plan, and until when it lasts.
async fn plan(session: &Client) -> String {
    let shown = session.get("/api/subscription/").await.json();
    let until = shown["premium_until"].as_str().unwrap_or("no end");
    format!("{}, {until}", shown["plan"].as_str().unwrap())
}

#[tokio::test]
async fn what_is_bought_and_renewed_lasts_until_it_expires() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let mut plans = Vec::new();

    for (id, kind, made, until) in [
        ("1", "INITIAL_PURCHASE", 0, 1),
        ("2", "RENEWAL", 1, 2),
        ("3", "CANCELLATION", 1, 2),
        ("4", "UNCANCELLATION", 1, 2),
        ("5", "PRODUCT_CHANGE", 1, 3),
        ("6", "CANCELLATION", 2, 3),
        ("7", "EXPIRATION", 3, 3),
    ] {
        app.revenuecat(event(&app, id, kind, made, until)).await;
        plans.push(format!("{kind}: {}", plan(&session).await));
    }

    assert_snapshot!(plans.join("\n"), @"
    INITIAL_PURCHASE: premium, 2027-01-15T09:00:00Z
    RENEWAL: premium, 2027-01-15T10:00:00Z
    CANCELLATION: premium, 2027-01-15T10:00:00Z
    UNCANCELLATION: premium, 2027-01-15T10:00:00Z
    PRODUCT_CHANGE: premium, 2027-01-15T11:00:00Z
    CANCELLATION: premium, 2027-01-15T11:00:00Z
    EXPIRATION: free, no end
    ");
    app.finish().await;
}

#[tokio::test]
async fn what_comes_late_or_twice_changes_nothing() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    app.revenuecat(event(&app, "2", "RENEWAL", 2, 9)).await;

    app.revenuecat(event(&app, "1", "EXPIRATION", 1, 1)).await;
    app.revenuecat(event(&app, "2", "EXPIRATION", 3, 3)).await;
    app.revenuecat(event(&app, "0", "INITIAL_PURCHASE", 0, 1))
        .await;

    assert_eq!(plan(&session).await, "premium, 2027-01-15T17:00:00Z");
    assert_eq!(app.payment_events().await.len(), 3);
    app.finish().await;
}

#[tokio::test]
async fn one_of_two_subscriptions_expires_alone_and_both_where_none_is_named() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let other = |mut event: Value, transaction: Value| {
        event["original_transaction_id"] = transaction;
        event
    };
    app.revenuecat(event(&app, "1", "INITIAL_PURCHASE", 0, 5))
        .await;
    let second = event(&app, "2", "INITIAL_PURCHASE", 1, 2);
    app.revenuecat(other(second, json!("another"))).await;

    app.revenuecat(event(&app, "3", "EXPIRATION", 2, 2)).await;
    let one = plan(&session).await;
    app.revenuecat(other(event(&app, "4", "EXPIRATION", 3, 3), json!(null)))
        .await;

    assert_eq!(one, "premium, 2027-01-15T10:00:00Z");
    assert_eq!(plan(&session).await, "free, no end");
    app.finish().await;
}

#[tokio::test]
async fn what_is_not_known_is_kept_and_does_nothing() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    app.revenuecat(event(&app, "1", "TEST", 0, 9)).await;
    app.revenuecat(event(&app, "2", "BILLING_ISSUE", 0, 9))
        .await;
    for (id, user) in [
        ("3", json!("$RCAnonymousID:1")),
        ("4", json!("7")),
        ("5", json!(null)),
    ] {
        let mut event = event(&app, id, "INITIAL_PURCHASE", 0, 9);
        event["app_user_id"] = user;
        event["original_transaction_id"] = json!(id);
        app.revenuecat(event).await;
    }
    let mut endless = event(&app, "6", "INITIAL_PURCHASE", 0, 9);
    endless["expiration_at_ms"] = json!(null);
    endless["original_transaction_id"] = json!("6");
    app.revenuecat(endless).await;

    let garbage = app
        .client
        .revenuecat_with(REVENUECAT_SECRET, "no json")
        .await;

    assert_eq!(garbage.status, 200);
    assert_eq!(plan(&session).await, "free, no end");
    let kept = app.payment_events().await;
    assert_snapshot!(kept[..6].join("\n"), @"
    1: nothing
    2: nothing
    3: nothing: whose it is has not been said
    4: nothing: there is no user 7
    5: nothing: whose it is has not been said
    6: nothing
    ");
    assert!(kept[6].starts_with("sha256:"), "{kept:?}");
    app.finish().await;
}

#[tokio::test]
async fn who_does_not_know_the_secret_is_refused_and_nothing_is_kept() {
    let app = app().await;
    let body = json!({"event": {"id": "1", "type": "TEST"}}).to_string();
    let client = &app.client;

    for wrong in [
        "",
        "Bearer",
        "Bearer x",
        &format!("Token {REVENUECAT_SECRET}"),
    ] {
        let answer = client.revenuecat_with(wrong, body.clone()).await;
        assert_eq!(
            answer.shown(),
            r#"400 {"error":"The signature is missing or wrong.","code":"invalid_signature"}"#
        );
    }
    assert!(app.payment_events().await.is_empty());
    let bearer = format!("Bearer {REVENUECAT_SECRET}");
    assert_eq!(
        client.revenuecat_with(&bearer, body.clone()).await.status,
        200
    );
    assert_eq!(
        client.revenuecat_with(REVENUECAT_SECRET, body).await.status,
        200
    );
    assert_eq!(app.payment_events().await.len(), 1);
    app.finish().await;
}

/// Stripe's grant and RevenueCat's are each their own.
#[tokio::test]
async fn an_expiration_takes_nothing_that_another_source_has_granted() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let now = app.second();
    let bought = json!({"client_reference_id": "1", "subscription": "sub_1"});
    app.stripe("evt_1", now, "checkout.session.completed", bought)
        .await;
    let paid = json!({"id": "sub_1", "status": "active", "current_period_end": now + HOUR});
    app.stripe("evt_2", now, "customer.subscription.created", paid)
        .await;

    app.revenuecat(event(&app, "1", "INITIAL_PURCHASE", 0, 5))
        .await;
    let both = plan(&session).await;
    app.revenuecat(event(&app, "2", "EXPIRATION", 1, 1)).await;

    assert_eq!(both, "premium, 2027-01-15T13:00:00Z");
    assert_eq!(plan(&session).await, "premium, 2027-01-15T09:00:00Z");
    app.finish().await;
}
