//! Whose a transaction is: names of a customer, and transfers.

use serde_json::json;

use super::{and, app, millis, of, plan, tell, two_users, until};
use crate::support::{Person, TestApp};

/// A TRANSFER, which names no customer but these.
async fn transfer(app: &TestApp, made: i64, from: &[&str], to: &[&str]) {
    app.revenuecat(json!({
        "id": format!("TRANSFER {made}"), "type": "TRANSFER", "event_timestamp_ms": millis(app, made),
        "transferred_from": from, "transferred_to": to, "environment": "PRODUCTION", "store": "APP_STORE",
    }))
    .await;
}

#[tokio::test]
async fn a_transfer_takes_premium_from_the_old_account_and_gives_it_to_the_new_one() {
    let app = app().await;
    let [ada, bob] = two_users(&app).await;
    let plans = async || [plan(&app, &ada).await, plan(&app, &bob).await];
    tell(&app, "INITIAL_PURCHASE", 0, until(&app, 5)).await;

    transfer(&app, 1, &["1"], &["2"]).await;
    let moved = plans().await;
    tell(&app, "RENEWAL", 2, and(of("2"), until(&app, 9))).await;
    let renewed = plans().await;
    transfer(&app, 3, &["2", "$RCAnonymousID:b"], &["1"]).await;
    let back = plans().await;
    transfer(&app, 4, &["$RCAnonymousID:x"], &["2"]).await;

    assert_eq!(moved, ["free", "premium for 5 h"]);
    assert_eq!(renewed, ["free", "premium for 9 h"]);
    assert_eq!(back, ["premium for 9 h", "free"]);
    assert_eq!(plans().await, back);
    app.finish().await;
}

#[tokio::test]
async fn a_transfer_may_come_before_the_purchase_that_it_moves() {
    let app = app().await;
    let [ada, bob] = two_users(&app).await;

    transfer(&app, 1, &["1"], &["2"]).await;
    tell(&app, "INITIAL_PURCHASE", 0, until(&app, 5)).await;
    let own = json!({"original_transaction_id": "bought afterwards"});
    tell(&app, "INITIAL_PURCHASE", 2, and(own, until(&app, 3))).await;

    assert_eq!(plan(&app, &ada).await, "premium for 3 h");
    assert_eq!(plan(&app, &bob).await, "premium for 5 h");
    app.finish().await;
}

#[tokio::test]
async fn a_transfer_in_a_sandbox_moves_nothing() {
    let app = app().await;
    let [ada, bob] = two_users(&app).await;
    tell(&app, "INITIAL_PURCHASE", 0, until(&app, 5)).await;

    app.revenuecat(json!({
        "id": "moved", "type": "TRANSFER", "event_timestamp_ms": millis(&app, 1), "environment": "SANDBOX",
        "transferred_from": ["1"], "transferred_to": ["2"],
    }))
    .await;

    assert_eq!(plan(&app, &ada).await, "premium for 5 h");
    assert_eq!(plan(&app, &bob).await, "free");
    app.finish().await;
}

/// What the first user bought goes on with the second, whose it is.
#[tokio::test]
async fn what_was_transferred_outlives_the_account_that_bought_it() {
    let app = app().await;
    let [ada, bob] = two_users(&app).await;
    let told = json!({"subscriber_attributes": {"$email": {"value": "ada@example.com"}}});
    tell(&app, "INITIAL_PURCHASE", 0, and(told, until(&app, 5))).await;
    transfer(&app, 1, &["1"], &["2"]).await;
    ada.request_deletion().await;
    let code = app.newest_code(&Person::new("ada").email).await;

    let deleted = ada.delete_account(&code).await.status;
    let unsubscribed = json!({"cancel_reason": "UNSUBSCRIBE"});
    let later = and(of("2"), and(unsubscribed, until(&app, 5)));
    tell(&app, "CANCELLATION", 2, later).await;

    assert_eq!(deleted, 204);
    assert_eq!(plan(&app, &bob).await, "premium for 5 h");
    let mut rows = app.rows().await;
    let bodies = rows.texts("select body from payment_events where body like '%ada@example.com%'");
    assert!(bodies.await.is_empty());
    rows.close().await;
    app.settled().await;
    app.finish().await;
}

/// "Search both the `original_app_user_id` and the `aliases` array", RevenueCat says.
#[tokio::test]
async fn a_purchase_before_the_login_belongs_to_the_user_among_the_customers_names() {
    let anonymous = "$RCAnonymousID:8069238d6049ce87cc529853916d624c";
    for names in [
        json!({"app_user_id": anonymous, "original_app_user_id": anonymous, "aliases": [anonymous, "1"]}),
        json!({"app_user_id": anonymous, "original_app_user_id": "1", "aliases": [anonymous]}),
        json!({"app_user_id": anonymous, "original_app_user_id": "7", "aliases": [" 1 "]}),
        json!({"app_user_id": null, "original_app_user_id": null, "aliases": [1]}),
    ] {
        let app = app().await;
        let ada = app.member(&Person::new("ada")).await;

        let bought = and(names.clone(), until(&app, 5));
        tell(&app, "INITIAL_PURCHASE", 0, bought).await;

        assert_eq!(plan(&app, &ada).await, "premium for 5 h", "{names}");
        app.finish().await;
    }
}

#[tokio::test]
async fn an_anonymous_purchase_is_found_once_its_name_is_known_to_be_a_users() {
    let app = app().await;
    let [ada, bob] = two_users(&app).await;
    let anonymous = |name: &str, transaction: &str| {
        let other = json!({"original_transaction_id": transaction});
        and(of(name), and(other, until(&app, 5)))
    };
    tell(
        &app,
        "INITIAL_PURCHASE",
        0,
        anonymous("$RCAnonymousID:a", "a"),
    )
    .await;
    tell(
        &app,
        "INITIAL_PURCHASE",
        0,
        anonymous("$RCAnonymousID:b", "b"),
    )
    .await;
    let unknown = [plan(&app, &ada).await, plan(&app, &bob).await];

    let alias = json!({"aliases": ["$RCAnonymousID:a"], "original_transaction_id": null});
    tell(&app, "SUBSCRIBER_ALIAS", 1, alias).await;
    transfer(&app, 1, &["$RCAnonymousID:b"], &["2"]).await;

    assert_eq!(unknown, ["free", "free"]);
    assert_eq!(plan(&app, &ada).await, "premium for 5 h");
    assert_eq!(plan(&app, &bob).await, "premium for 5 h");
    app.finish().await;
}
