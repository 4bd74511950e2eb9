//! Parses RevenueCat's events: transactions, their owners, and transfers.

use domain::payments::{self, Event, Fact, Item, Says, Until};
use domain::plans::Source;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::webhooks::json::{millis, name, number};

/// The maximum number of stored names of a customer; the service lists all that it ever had.
const MAX_NAMES: usize = 256;

/// Parses an event; an unreadable one has no effect.
pub(super) fn read(body: &[u8]) -> Event {
    let unreadable = Event::unreadable(Source::RevenueCat, body);
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return unreadable;
    };
    let event = &json["event"];
    let Some(id) = name(&event["id"]) else {
        return unreadable;
    };
    let kind = name(&event["type"]).unwrap_or_default();
    if kind == "TEST" {
        // A test event of the dashboard has invented data.
        let fact = Fact {
            id,
            ..unreadable.fact
        };
        return Event {
            kind,
            fact,
            ..unreadable
        };
    }
    let is_transfer = kind == "TRANSFER";
    let names = if is_transfer {
        names([&event["transferred_to"]])
    } else {
        let all = ["app_user_id", "original_app_user_id", "aliases"];
        names(all.map(|field| &event[field]))
    };
    let until = &event["expiration_at_ms"];
    let fact = Fact {
        id,
        made: millis(&event["event_timestamp_ms"]),
        arrival: 0,
        transaction: transaction(event, &names),
        from: self::names(is_transfer.then_some(&event["transferred_from"])),
        names,
        customer: None,
        says: says(&kind, event),
        sold: vec![Item {
            names: entitlements(event),
            until: millis(until),
        }],
        once: kind == "NON_RENEWING_PURCHASE" || until.is_null(),
        began: began(&kind, event),
    };
    Event {
        kind,
        fact,
        is_test: is_test(event),
        ..unreadable
    }
}

/// The distinct names of a customer in these fields, which are texts or lists of texts.
fn names<'a>(fields: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let values = fields.into_iter().flat_map(|field| match field {
        Value::Array(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    });
    let mut names: Vec<String> = Vec::new();
    for value in values {
        let text = number(value).or_else(|| name(value)).unwrap_or_default();
        let stored = payments::name(&text);
        if !text.trim().is_empty() && names.len() < MAX_NAMES && !names.contains(&stored) {
            names.push(stored);
        }
    }
    names
}

/// The transaction of the event. Without an id, a customer has one transaction for each product.
fn transaction(event: &Value, names: &[String]) -> Option<String> {
    let original = name(&event["original_transaction_id"]);
    let told = original.or_else(|| name(&event["transaction_id"]));
    told.or_else(|| {
        let product = name(&event["product_id"])?;
        let is_number = |name: &&String| name.bytes().all(|byte| byte.is_ascii_digit());
        let customer = names.iter().find(is_number).or_else(|| names.first())?;
        Some(format!("{product} of {customer}"))
    })
}

/// The entitlements of the product. `entitlement_id` is the older field.
fn entitlements(event: &Value) -> Vec<String> {
    let listed = event["entitlement_ids"].as_array().into_iter().flatten();
    let mut entitlements: Vec<_> = listed.filter_map(name).collect();
    if entitlements.is_empty() {
        entitlements.extend(name(&event["entitlement_id"]));
    }
    entitlements
}

/// When the period began. A renewal without a start began at the earliest an hour before the event,
/// because the service may learn of it that late.
fn began(kind: &str, event: &Value) -> Option<Timestamp> {
    let told = millis(&event["event_timestamp_ms"]).filter(|_| kind == "RENEWAL");
    let earliest = told.and_then(|told| told.checked_sub(SignedDuration::from_hours(1)).ok());
    millis(&event["purchased_at_ms"]).or(earliest)
}

/// Whether the purchase was made in a store's sandbox, which is free. Every event about a purchase
/// has its environment.
fn is_test(event: &Value) -> bool {
    let environment = &event["environment"];
    let is_production = |text: &str| text.eq_ignore_ascii_case("PRODUCTION");
    !environment.is_null() && !environment.as_str().is_some_and(is_production)
}

/// The meaning of an event type for its transaction. Only non-renewing purchases may have no end.
fn says(kind: &str, event: &Value) -> Says {
    let until = millis(&event["expiration_at_ms"]);
    let is_endless = event["expiration_at_ms"].is_null();
    match (kind, until) {
        (
            "INITIAL_PURCHASE"
            | "RENEWAL"
            | "UNCANCELLATION"
            | "SUBSCRIPTION_EXTENDED"
            | "TEMPORARY_ENTITLEMENT_GRANT"
            | "NON_RENEWING_PURCHASE"
            | "REFUND_REVERSED",
            Some(until),
        ) => Says::Paid(Until::Time(until)),
        ("NON_RENEWING_PURCHASE" | "REFUND_REVERSED", None) if is_endless => {
            Says::Paid(Until::Endless)
        }
        // The new product takes effect with the following renewal.
        ("PRODUCT_CHANGE", Some(until)) => Says::Extended(until),
        ("BILLING_ISSUE", _) => {
            let grace = millis(&event["grace_period_expiration_at_ms"]);
            grace.map_or(Says::Nothing, Says::Extended)
        }
        ("CANCELLATION", until) if is_taken_back(event) => {
            let made = millis(&event["event_timestamp_ms"]);
            match until {
                // A refund need not end the period; the store reports when it ends.
                Some(until) if made.is_some_and(|made| made < until) => {
                    Says::Paid(Until::Time(until))
                }
                until => Says::Lapsed(until),
            }
        }
        ("EXPIRATION", until) if event["expiration_reason"] == "CUSTOMER_SUPPORT" => {
            Says::Lapsed(until)
        }
        ("EXPIRATION", until) => Says::Expired(until),
        ("TRANSFER", _) => Says::Transfer,
        _ => Says::Nothing,
    }
}

/// Whether a cancellation is a refund, or revokes a grant of the support.
fn is_taken_back(event: &Value) -> bool {
    let is_refund = event["price"].as_f64().is_some_and(|price| price < 0.0);
    let reason = &event["cancel_reason"];
    let is_revoked = reason == "DEVELOPER_INITIATED" && event["store"] == "PROMOTIONAL";
    is_refund || is_revoked || reason == "CUSTOMER_SUPPORT"
}
