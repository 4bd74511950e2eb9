//! What RevenueCat's events say: of transactions, of their owners, and of transfers.

use domain::payments::{self, Event, Fact, Item, Says, Until};
use domain::plans::Source;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::webhooks::json::{millis, name, number};

/// The most names of a customer that are kept: the service lists all that one ever had.
const MAX_NAMES: usize = 256;

/// What an event says; one that can't be read says nothing.
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
        // What it shows is made up.
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

/// The names of a customer in these fields, texts and lists of them, each once.
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

/// Which transaction it is about. Where none is named, a customer has one of each product.
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

/// The entitlements that the product gives. `entitlement_id` is the older field.
fn entitlements(event: &Value) -> Vec<String> {
    let listed = event["entitlement_ids"].as_array().into_iter().flatten();
    let mut entitlements: Vec<_> = listed.filter_map(name).collect();
    if entitlements.is_empty() {
        entitlements.extend(name(&event["entitlement_id"]));
    }
    entitlements
}

/// When the period began. A renewal that does not say so began an hour before it was told at the earliest: the service
/// may learn of it as late as that.
fn began(kind: &str, event: &Value) -> Option<Timestamp> {
    let told = millis(&event["event_timestamp_ms"]).filter(|_| kind == "RENEWAL");
    let earliest = told.and_then(|told| told.checked_sub(SignedDuration::from_hours(1)).ok());
    millis(&event["purchased_at_ms"]).or(earliest)
}

/// Whether it is about a purchase in a store's sandbox, which costs nothing. Every event about a purchase says where that
/// was made.
fn is_test(event: &Value) -> bool {
    let environment = &event["environment"];
    let is_production = |text: &str| text.eq_ignore_ascii_case("PRODUCTION");
    !environment.is_null() && !environment.as_str().is_some_and(is_production)
}

/// What a kind of event says of its transaction. Only purchases that do not renew may have no end.
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
        // The next product counts with the renewal that follows.
        ("PRODUCT_CHANGE", Some(until)) => Says::Extended(until),
        ("BILLING_ISSUE", _) => {
            let grace = millis(&event["grace_period_expiration_at_ms"]);
            grace.map_or(Says::Nothing, Says::Extended)
        }
        ("CANCELLATION", until) if is_taken_back(event) => {
            let made = millis(&event["event_timestamp_ms"]);
            match until {
                // Not all refunds end what was paid for: the store says when it ends.
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

/// Whether a cancellation is a refund, or takes back what support had granted.
fn is_taken_back(event: &Value) -> bool {
    let is_refund = event["price"].as_f64().is_some_and(|price| price < 0.0);
    let reason = &event["cancel_reason"];
    let is_revoked = reason == "DEVELOPER_INITIATED" && event["store"] == "PROMOTIONAL";
    is_refund || is_revoked || reason == "CUSTOMER_SUPPORT"
}
