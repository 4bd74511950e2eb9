//! `/api/webhooks/stripe/`: which of what an account of Stripe sells gives premium, and purchases that are paid once.

use std::sync::atomic::{AtomicU32, Ordering};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Client, Person, TestApp};

const CHECKOUT: &str = "checkout.session.completed";
const UPDATED: &str = "customer.subscription.updated";
const PRODUCTS: &str = "SMART_NOTES__PAYMENTS__STRIPE_PRODUCTS";
const LINKS: &str = "SMART_NOTES__PAYMENTS__STRIPE_PAYMENT_LINKS";

const DAY: i64 = 86_400;

async fn app(settings: &[(&str, &str)]) -> TestApp {
    let mut app = TestApp::with().paid();
    for (key, value) in settings {
        app = app.set(key, value);
    }
    app.start().await
}

/// Sends an event, made so many seconds after the beginning.
async fn tell(app: &TestApp, made: i64, kind: &str, object: Value) {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    let id = format!("evt_{}", TOLD.fetch_add(1, Ordering::Relaxed));
    app.stripe(&id, app.second() + made, kind, object).await;
}

/// A checkout of the first user's for a subscription.
fn subscribed(subscription: &str) -> Value {
    json!({
        "id": format!("cs_{subscription}"), "object": "checkout.session", "mode": "subscription",
        "client_reference_id": "1", "customer": "cus_1", "subscription": subscription,
    })
}

/// A subscription to these prices, each paid for so many days.
fn subscription(app: &TestApp, id: &str, prices: &[(Value, i64)]) -> Value {
    let items = prices.iter().map(|(price, days)| {
        json!({"id": "si_1", "current_period_end": app.second() + days * DAY, "price": price})
    });
    json!({
        "id": id, "object": "subscription", "customer": "cus_1", "status": "active",
        "items": {"object": "list", "data": items.collect::<Vec<_>>()},
    })
}

fn price(product: &str) -> Value {
    json!({"id": format!("price_of_{product}"), "product": product})
}

/// A checkout of the first user's that is paid once, with other fields beside these.
fn once(payment: &str, fields: Value) -> Value {
    let mut session = json!({
        "id": format!("cs_{payment}"), "object": "checkout.session", "mode": "payment", "payment_status": "paid",
        "client_reference_id": "1", "customer": null, "subscription": null, "payment_intent": payment,
        "payment_link": null, "metadata": {},
    });
    if let Value::Object(fields) = fields {
        session.as_object_mut().unwrap().extend(fields);
    }
    session
}

/// The plan, and in how many days it ends.
async fn plan(app: &TestApp, session: &Client) -> String {
    let shown = session.get("/api/subscription/").await.json();
    let end = shown["premium_until"].as_str().map(|until| {
        let until: jiff::Timestamp = until.parse().unwrap();
        (until.as_second() - app.second()) / DAY
    });
    let plan = shown["plan"].as_str().unwrap();
    end.map_or(plan.to_owned(), |days| format!("{plan} for {days} d"))
}

#[tokio::test]
async fn a_subscription_to_another_product_of_the_account_gives_nothing() {
    let app = app(&[(PRODUCTS, "prod_notes,price_team")]).await;
    let ada = app.member(&Person::new("ada")).await;
    let subscribe = async |id: &str, prices: &[(Value, i64)]| {
        tell(&app, 0, CHECKOUT, subscribed(id)).await;
        tell(&app, 1, UPDATED, subscription(&app, id, prices)).await;
        plan(&app, &ada).await
    };

    let other = subscribe("sub_other", &[(price("prod_other"), 90)]).await;
    let expanded = json!({"id": "price_1", "product": {"id": "prod_notes", "object": "product"}});
    let mixed = [
        (price("prod_other"), 40),
        (expanded, 2),
        (price("prod_more"), 30),
    ];
    let several = subscribe("sub_several", &mixed).await;
    let by_price = json!({"id": "price_team", "product": "prod_team"});
    let by_price = subscribe("sub_price", &[(by_price, 5)]).await;

    assert_eq!(other, "free");
    assert_eq!(several, "premium for 2 d");
    assert_eq!(by_price, "premium for 5 d");
    app.finish().await;
}

#[tokio::test]
async fn without_a_product_named_every_subscription_counts() {
    let app = app(&[]).await;
    let ada = app.member(&Person::new("ada")).await;

    tell(&app, 0, CHECKOUT, subscribed("sub_1")).await;
    let other = subscription(&app, "sub_1", &[(price("prod_other"), 3)]);
    tell(&app, 1, UPDATED, other).await;

    assert_eq!(plan(&app, &ada).await, "premium for 3 d");
    app.finish().await;
}

/// Older versions of Stripe's API have `plan` in the place of `price`, or beside it.
#[tokio::test]
async fn a_change_of_product_takes_and_gives_premium() {
    let app = app(&[(PRODUCTS, "prod_notes")]).await;
    let ada = app.member(&Person::new("ada")).await;
    tell(&app, 0, CHECKOUT, subscribed("sub_1")).await;
    let mut old = subscription(&app, "sub_1", &[(json!(null), 3)]);
    old["items"]["data"][0]["plan"] = price("prod_notes");
    let mut bare = old.clone();
    bare["items"] = json!(null);
    bare["plan"] = price("prod_notes");
    bare["current_period_end"] = json!(app.second() + 4 * DAY);

    let mut plans = Vec::new();
    for (made, object) in [
        (1, old),
        (2, subscription(&app, "sub_1", &[(price("prod_other"), 9)])),
        (3, bare),
    ] {
        tell(&app, made, UPDATED, object).await;
        plans.push(plan(&app, &ada).await);
    }

    assert_eq!(plans, ["premium for 3 d", "free", "premium for 4 d"]);
    app.finish().await;
}

/// Stripe's clock shows seconds. Of two states of one that nothing else tells apart, the one that came later counts.
#[tokio::test]
async fn changes_of_the_same_second_count_in_the_order_in_which_they_come() {
    let app = app(&[(PRODUCTS, "prod_notes")]).await;
    let ada = app.member(&Person::new("ada")).await;
    tell(&app, 0, CHECKOUT, subscribed("sub_1")).await;

    let mut plans = Vec::new();
    for product in ["prod_notes", "prod_other", "prod_notes", "prod_other"] {
        let changed = subscription(&app, "sub_1", &[(price(product), 3)]);
        tell(&app, 1, UPDATED, changed).await;
        plans.push(plan(&app, &ada).await);
    }

    let (on, off) = ("premium for 3 d", "free");
    assert_eq!(plans, [on, off, on, off]);
    app.finish().await;
}

/// A checkout of another app of the account says with its own numbers whose a customer is.
#[tokio::test]
async fn a_customer_is_not_whom_a_checkout_for_another_product_names() {
    let app = app(&[(PRODUCTS, "prod_notes")]).await;
    let ada = app.member(&Person::new("ada")).await;
    let bob = app.member(&Person::new("bob")).await;
    tell(&app, 0, CHECKOUT, subscribed("sub_1")).await;
    let mut of_another_app = subscribed("sub_other");
    of_another_app["client_reference_id"] = json!("2");
    tell(&app, 1, CHECKOUT, of_another_app).await;
    let other = subscription(&app, "sub_other", &[(price("prod_other"), 9)]);
    tell(&app, 2, UPDATED, other).await;

    let by_portal = subscription(&app, "sub_3", &[(price("prod_notes"), 5)]);
    tell(&app, 3, UPDATED, by_portal).await;

    assert_eq!(plan(&app, &ada).await, "premium for 5 d");
    assert_eq!(plan(&app, &bob).await, "free");
    app.finish().await;
}

#[tokio::test]
async fn a_checkout_that_is_paid_once_counts_only_where_its_link_or_metadata_is_named() {
    let settings = [
        (PRODUCTS, "prod_notes"),
        (LINKS, "plink_notes, plan=lifetime"),
    ];
    for (fields, counts) in [
        (json!({}), false),
        (json!({"payment_link": "plink_other"}), false),
        (
            json!({"metadata": {"plan": "other", "product": "prod_other"}}),
            false,
        ),
        (json!({"metadata": {"other": "lifetime"}}), false),
        (json!({"payment_link": "plink_notes"}), true),
        (json!({"payment_link": {"id": "plink_notes"}}), true),
        (json!({"metadata": {"product": "prod_notes"}}), true),
        (json!({"metadata": {"plan": "lifetime"}}), true),
        (
            json!({"payment_link": "plink_notes", "payment_status": "unpaid"}),
            false,
        ),
        (
            json!({"payment_link": "plink_notes", "payment_status": "no_payment_required"}),
            true,
        ),
        (
            json!({"payment_link": "plink_notes", "client_reference_id": "7"}),
            false,
        ),
    ] {
        let app = app(&settings).await;
        let ada = app.member(&Person::new("ada")).await;

        tell(&app, 0, CHECKOUT, once("pi_1", fields.clone())).await;

        let plan = plan(&app, &ada).await;
        assert_eq!(plan, if counts { "premium" } else { "free" }, "{fields}");
        app.finish().await;
    }
}

#[tokio::test]
async fn without_a_link_named_no_checkout_that_is_paid_once_counts() {
    let app = app(&[]).await;
    let ada = app.member(&Person::new("ada")).await;
    let link = json!({"payment_link": "plink_notes", "metadata": {"app": "notes"}});

    tell(&app, 0, CHECKOUT, once("pi_1", link)).await;

    assert_eq!(plan(&app, &ada).await, "free");
    app.finish().await;
}

#[tokio::test]
async fn a_payment_that_takes_days_counts_once_it_is_made() {
    let app = app(&[(LINKS, "plink_notes")]).await;
    let ada = app.member(&Person::new("ada")).await;
    let session = |status: &str| {
        let fields = json!({"payment_link": "plink_notes", "payment_status": status});
        once("pi_1", fields)
    };

    tell(&app, 0, CHECKOUT, session("unpaid")).await;
    let waiting = plan(&app, &ada).await;
    let paid = "checkout.session.async_payment_succeeded";
    tell(&app, 1, paid, session("paid")).await;

    assert_eq!(waiting, "free");
    assert_eq!(plan(&app, &ada).await, "premium");
    app.finish().await;
}

#[tokio::test]
async fn a_full_refund_or_a_dispute_ends_one_payment_and_its_reversal_brings_it_back() {
    let app = app(&[(LINKS, "plink_notes")]).await;
    let ada = app.member(&Person::new("ada")).await;
    let link = json!({"payment_link": "plink_notes", "customer": "cus_1"});
    tell(&app, 0, CHECKOUT, once("pi_1", link)).await;
    let charge = |refunded: bool| {
        json!({
            "id": "ch_1", "object": "charge", "customer": "cus_1", "payment_intent": "pi_1",
            "refunded": refunded, "amount": 3999, "amount_refunded": if refunded { 3999 } else { 100 },
        })
    };
    let about = |object: &str, status: &str| {
        json!({
            "id": format!("{object}_1"), "object": object, "charge": "ch_1", "payment_intent": "pi_1",
            "status": status,
        })
    };

    let mut plans = Vec::new();
    for (made, (kind, object)) in [
        ("charge.refunded", charge(false)),
        ("charge.refunded", charge(true)),
        ("refund.created", about("refund", "pending")),
        ("refund.failed", about("refund", "failed")),
        (
            "charge.dispute.created",
            about("dispute", "warning_needs_response"),
        ),
        ("charge.dispute.created", about("dispute", "needs_response")),
        ("charge.dispute.closed", about("dispute", "won")),
        ("charge.dispute.closed", about("dispute", "lost")),
    ]
    .into_iter()
    .enumerate()
    {
        let told = format!("{kind} {} {}", object["status"], object["refunded"]);
        tell(&app, 1 + i64::try_from(made).unwrap(), kind, object).await;
        plans.push(format!("{told}: {}", plan(&app, &ada).await));
    }

    assert_snapshot!(plans.join("\n"), @r#"
    charge.refunded null false: premium
    charge.refunded null true: free
    refund.created "pending" null: free
    refund.failed "failed" null: premium
    charge.dispute.created "warning_needs_response" null: premium
    charge.dispute.created "needs_response" null: free
    charge.dispute.closed "won" null: premium
    charge.dispute.closed "lost" null: free
    "#);
    app.finish().await;
}

#[tokio::test]
async fn a_refund_of_one_of_two_purchases_leaves_the_other() {
    let app = app(&[(LINKS, "plink_notes")]).await;
    let ada = app.member(&Person::new("ada")).await;
    let link = json!({"payment_link": "plink_notes", "customer": "cus_1"});
    let refund = |payment: &str| json!({"object": "charge", "customer": "cus_1", "payment_intent": payment, "refunded": true});
    // It may come first.
    tell(&app, 5, "charge.refunded", refund("pi_1")).await;
    tell(&app, 0, CHECKOUT, once("pi_1", link.clone())).await;
    let refunded = plan(&app, &ada).await;
    tell(&app, 1, CHECKOUT, once("pi_2", link)).await;
    tell(&app, 2, CHECKOUT, subscribed("sub_1")).await;
    let monthly = subscription(&app, "sub_1", &[(price("prod_notes"), 30)]);
    tell(&app, 3, UPDATED, monthly).await;
    let both = plan(&app, &ada).await;
    tell(&app, 6, "charge.refunded", refund("pi_2")).await;

    assert_eq!([refunded, both], ["free", "premium"]);
    assert_eq!(plan(&app, &ada).await, "premium for 30 d");
    app.finish().await;
}

/// Every event about a subscription shows its state, whatever the event is called.
#[tokio::test]
async fn a_subscription_that_is_paused_or_resumed_says_so_in_its_state() {
    let app = app(&[]).await;
    let ada = app.member(&Person::new("ada")).await;
    tell(&app, 0, CHECKOUT, subscribed("sub_1")).await;
    let state = |status: &str| {
        let mut subscription = subscription(&app, "sub_1", &[(price("prod_notes"), 3)]);
        subscription["status"] = json!(status);
        subscription
    };

    let mut plans = Vec::new();
    for (made, kind, status) in [
        (1, "customer.subscription.created", "incomplete"),
        (2, "customer.subscription.pending_update_applied", "active"),
        (3, "customer.subscription.paused", "paused"),
        (4, "customer.subscription.resumed", "active"),
        (5, "customer.subscription.trial_will_end", "trialing"),
        (6, "customer.subscription.updated", "incomplete_expired"),
    ] {
        tell(&app, made, kind, state(status)).await;
        plans.push(plan(&app, &ada).await);
    }

    let (on, off) = ("premium for 3 d", "free");
    assert_eq!(plans, [off, on, off, on, on, off]);
    app.finish().await;
}
