//! Until when a transaction is good.

use serde_json::{Value, json};

use super::{and, app, millis, of, plan, tell, two_users, until};
use crate::support::{Person, TestApp};

#[tokio::test]
async fn what_support_has_granted_it_may_take_back() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;
    let promotional = json!({"store": "PROMOTIONAL", "expiration_at_ms": null});
    tell(&app, "NON_RENEWING_PURCHASE", 0, promotional.clone()).await;
    let granted = plan(&app, &ada).await;

    let revoked = json!({"cancel_reason": "DEVELOPER_INITIATED"});
    tell(&app, "CANCELLATION", 1, and(promotional, revoked)).await;

    assert_eq!([granted, plan(&app, &ada).await], ["premium", "free"]);
    app.finish().await;
}

#[tokio::test]
async fn a_lifetime_purchase_has_no_end_and_its_refund_ends_it() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;
    let endless = json!({"expiration_at_ms": null});

    tell(&app, "NON_RENEWING_PURCHASE", 0, endless.clone()).await;
    let bought = plan(&app, &ada).await;
    let refund = and(
        endless.clone(),
        json!({"cancel_reason": "CUSTOMER_SUPPORT"}),
    );
    tell(&app, "CANCELLATION", 1, refund).await;
    let refunded = plan(&app, &ada).await;
    tell(&app, "REFUND_REVERSED", 2, endless).await;

    assert_eq!([bought, refunded], ["premium", "free"]);
    assert_eq!(plan(&app, &ada).await, "premium");
    app.finish().await;
}

#[tokio::test]
async fn what_support_grants_lasts_to_its_end() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;

    let promotional = json!({"store": "PROMOTIONAL", "period_type": "PROMOTIONAL"});
    let grant = and(promotional, until(&app, 720));
    tell(&app, "NON_RENEWING_PURCHASE", 0, grant).await;

    assert_eq!(plan(&app, &ada).await, "premium for 720 h");
    app.finish().await;
}

/// A product that is mapped to no entitlement is one that is used up, like coins.
#[tokio::test]
async fn a_one_time_purchase_of_no_entitlement_gives_nothing() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;

    for (n, entitlements) in [json!(null), json!([])].into_iter().enumerate() {
        let coins = json!({"expiration_at_ms": null, "entitlement_ids": entitlements});
        tell(
            &app,
            "NON_RENEWING_PURCHASE",
            i64::try_from(n).unwrap(),
            coins,
        )
        .await;
    }

    assert_eq!(plan(&app, &ada).await, "free");
    app.finish().await;
}

#[tokio::test]
async fn premium_lasts_through_a_grace_period_until_it_expires_or_is_paid() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;
    tell(&app, "INITIAL_PURCHASE", 0, until(&app, 2)).await;

    let grace = and(
        until(&app, 2),
        json!({"grace_period_expiration_at_ms": millis(&app, 18)}),
    );
    tell(&app, "BILLING_ISSUE", 2, grace.clone()).await;
    let failed = and(until(&app, 2), json!({"cancel_reason": "BILLING_ERROR"}));
    tell(&app, "CANCELLATION", 2, failed).await;
    let in_grace = plan(&app, &ada).await;
    tell(&app, "RENEWAL", 3, until(&app, 12)).await;
    let paid = plan(&app, &ada).await;
    tell(&app, "BILLING_ISSUE", 12, and(grace, until(&app, 12))).await;
    tell(&app, "EXPIRATION", 18, until(&app, 12)).await;

    assert_eq!([in_grace, paid], ["premium for 18 h", "premium for 12 h"]);
    assert_eq!(plan(&app, &ada).await, "free");
    app.finish().await;
}

#[tokio::test]
async fn a_billing_issue_without_a_grace_period_changes_nothing() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;
    tell(&app, "INITIAL_PURCHASE", 0, until(&app, 2)).await;

    let none = json!({"grace_period_expiration_at_ms": null});
    tell(&app, "BILLING_ISSUE", 1, and(none, until(&app, 2))).await;
    let paused = json!({"auto_resume_at_ms": millis(&app, 90)});
    tell(&app, "SUBSCRIPTION_PAUSED", 1, and(paused, until(&app, 2))).await;

    assert_eq!(plan(&app, &ada).await, "premium for 2 h");
    app.finish().await;
}

#[tokio::test]
async fn a_refund_ends_what_it_is_about_and_its_reversal_brings_it_back() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;
    let other = json!({"original_transaction_id": "other", "product_id": "notes.small"});
    tell(&app, "INITIAL_PURCHASE", 0, until(&app, 9)).await;
    tell(
        &app,
        "INITIAL_PURCHASE",
        0,
        and(other.clone(), until(&app, 5)),
    )
    .await;

    let refund = json!({"cancel_reason": "CUSTOMER_SUPPORT", "price": -39.99});
    let refund = and(refund, until(&app, 1));
    tell(&app, "CANCELLATION", 2, refund.clone()).await;
    let one = plan(&app, &ada).await;
    tell(&app, "CANCELLATION", 3, and(refund, other)).await;
    let both = plan(&app, &ada).await;
    tell(&app, "REFUND_REVERSED", 4, until(&app, 9)).await;

    assert_eq!([one, both], ["premium for 5 h", "free"]);
    assert_eq!(plan(&app, &ada).await, "premium for 9 h");
    app.finish().await;
}

/// Whoever switches renewal off keeps what was paid, also after the newest period began.
#[tokio::test]
async fn a_cancellation_that_is_no_refund_changes_nothing() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;
    tell(&app, "INITIAL_PURCHASE", 0, until(&app, 2)).await;
    tell(&app, "RENEWAL", 2, until(&app, 4)).await;

    for (made, reason) in [
        (3, "UNSUBSCRIBE"),
        (4, "BILLING_ERROR"),
        (5, "DEVELOPER_INITIATED"),
        (6, "PRICE_INCREASE"),
        (7, "UNKNOWN"),
    ] {
        let fields = and(until(&app, 2), json!({"cancel_reason": reason}));
        tell(&app, "CANCELLATION", made, fields).await;

        assert_eq!(plan(&app, &ada).await, "premium for 4 h", "{reason}");
    }
    app.finish().await;
}

#[tokio::test]
async fn an_expiration_of_a_former_period_ends_nothing() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;
    tell(&app, "INITIAL_PURCHASE", 0, until(&app, 2)).await;
    // Stores renew up to a day ahead.
    tell(&app, "RENEWAL", 1, until(&app, 6)).await;

    tell(&app, "EXPIRATION", 3, until(&app, 2)).await;
    let late = plan(&app, &ada).await;
    let began = json!({"purchased_at_ms": millis(&app, 1), "original_transaction_id": "u"});
    tell(&app, "RENEWAL", 0, and(began, until(&app, 8))).await;
    let former = json!({"original_transaction_id": "u"});
    tell(&app, "EXPIRATION", 4, and(former, until(&app, 1))).await;
    let unseen = plan(&app, &ada).await;
    for transaction in ["t", "u"] {
        let current = json!({"original_transaction_id": transaction});
        tell(&app, "EXPIRATION", 5, and(current, until(&app, 5))).await;
    }

    assert_eq!([late, unseen], ["premium for 6 h", "premium for 8 h"]);
    assert_eq!(plan(&app, &ada).await, "free");
    app.finish().await;
}

/// Also one that a store ends before its time, at a time before the event about it.
#[tokio::test]
async fn an_expiration_ends_the_period_that_it_is_about_whenever_that_was() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;
    tell(&app, "INITIAL_PURCHASE", 10, until(&app, 90)).await;
    let renewed = json!({"original_transaction_id": "u"});
    tell(&app, "RENEWAL", 10, and(renewed.clone(), until(&app, 80))).await;

    tell(&app, "EXPIRATION", 11, until(&app, 5)).await;
    let ended = plan(&app, &ada).await;
    tell(&app, "EXPIRATION", 12, and(renewed.clone(), until(&app, 9))).await;
    let former = plan(&app, &ada).await;
    tell(&app, "EXPIRATION", 13, and(renewed, until(&app, 10))).await;

    assert_eq!([ended, former], ["premium for 80 h"; 2]);
    assert_eq!(plan(&app, &ada).await, "free");
    app.finish().await;
}

#[tokio::test]
async fn a_temporary_grant_lasts_until_the_purchase_is_known_or_is_none() {
    let app = app().await;
    let [ada, bob] = two_users(&app).await;
    let grant = |user: &str, transaction: &str| {
        let named = json!({"original_transaction_id": null, "transaction_id": transaction});
        and(of(user), named)
    };

    for user in ["1", "2"] {
        let granted = and(grant(user, user), until(&app, 24));
        tell(&app, "TEMPORARY_ENTITLEMENT_GRANT", 0, granted).await;
    }
    let granted = [plan(&app, &ada).await, plan(&app, &bob).await];
    tell(&app, "INITIAL_PURCHASE", 1, until(&app, 99)).await;
    tell(&app, "EXPIRATION", 1, and(grant("2", "2"), until(&app, 1))).await;

    assert_eq!(granted, ["premium for 24 h"; 2]);
    assert_eq!(plan(&app, &ada).await, "premium for 99 h");
    assert_eq!(plan(&app, &bob).await, "free");
    app.finish().await;
}

#[tokio::test]
async fn a_product_change_shortens_nothing_and_the_renewal_after_it_counts() {
    let app = TestApp::with().paid().set(
        "SMART_NOTES__PAYMENTS__REVENUECAT_ENTITLEMENTS",
        "pro, team",
    );
    let app = app.start().await;
    let ada = app.member(&Person::new("ada")).await;
    let trial = json!({"period_type": "TRIAL"});
    tell(&app, "INITIAL_PURCHASE", 0, and(trial, until(&app, 2))).await;

    let change = and(json!({"new_product_id": "notes.basic"}), until(&app, 1));
    tell(&app, "PRODUCT_CHANGE", 2, change).await;
    let changed = plan(&app, &ada).await;
    tell(&app, "RENEWAL", 3, until(&app, 5)).await;
    let renewed = plan(&app, &ada).await;
    let basic = json!({"entitlement_ids": ["basic"], "product_id": "notes.basic"});
    tell(&app, "RENEWAL", 4, and(basic, until(&app, 9))).await;

    assert_eq!([changed, renewed], ["premium for 2 h", "premium for 5 h"]);
    assert_eq!(plan(&app, &ada).await, "free");
    app.finish().await;
}

#[tokio::test]
async fn only_entitlements_that_are_named_give_premium() {
    let app = TestApp::with()
        .paid()
        .set("SMART_NOTES__PAYMENTS__REVENUECAT_ENTITLEMENTS", "Pro");
    let app = app.start().await;
    let ada = app.member(&Person::new("ada")).await;
    let bought = |transaction: &str, fields: Value| {
        let named = json!({"original_transaction_id": transaction});
        and(named, and(fields, until(&app, 5)))
    };

    for (n, entitlements) in [json!(["ads"]), json!([]), json!(null)]
        .into_iter()
        .enumerate()
    {
        let fields = json!({"entitlement_ids": entitlements});
        tell(&app, "INITIAL_PURCHASE", 0, bought(&n.to_string(), fields)).await;
    }
    let others = plan(&app, &ada).await;
    let old_field = json!({"entitlement_ids": null, "entitlement_id": "pro"});
    tell(&app, "INITIAL_PURCHASE", 0, bought("old", old_field)).await;

    assert_eq!(others, "free");
    assert_eq!(plan(&app, &ada).await, "premium for 5 h");
    app.finish().await;
}

/// Some events name no transaction: those of two products are told apart by the product.
#[tokio::test]
async fn of_two_products_without_a_transaction_one_expires_alone() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;
    let product = |id: &str, hours| {
        let fields = json!({"original_transaction_id": null, "product_id": id});
        and(fields, until(&app, hours))
    };
    tell(&app, "INITIAL_PURCHASE", 0, product("one", 5)).await;
    tell(&app, "INITIAL_PURCHASE", 1, product("other", 9)).await;

    tell(&app, "EXPIRATION", 2, product("other", 2)).await;

    assert_eq!(plan(&app, &ada).await, "premium for 5 h");
    app.finish().await;
}
