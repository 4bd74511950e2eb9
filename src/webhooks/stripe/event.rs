//! Parses Stripe's events: subscriptions, one-time checkouts, and refunded payments.

use domain::payments::{self, Event, Fact, Item, Says, Until};
use domain::plans::Source;
use jiff::Timestamp;
use serde_json::Value;

use crate::webhooks::json::{name, number, seconds};

/// Parses an event; an unreadable one has no effect.
pub(super) fn read(body: &[u8]) -> Event {
    let event = Event::unreadable(Source::Stripe, body);
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return event;
    };
    let Some(id) = name(&json["id"]) else {
        return event;
    };
    let kind = name(&json["type"]).unwrap_or_default();
    let object = &json["data"]["object"];
    let about = Fact {
        id,
        made: seconds(&json["created"]),
        customer: reference(&object["customer"]).or_else(|| own_id(object, "customer")),
        transaction: transaction(object),
        ..Fact::default()
    };
    let fact = match kind.as_str() {
        kind if kind.starts_with("checkout.session.") => checkout(kind, object, about),
        kind if kind.starts_with("customer.subscription.") => subscription(kind, object, about),
        kind => Fact {
            says: of_payment(kind, object),
            ..about
        },
    };
    Event {
        kind,
        fact,
        // Every event of Stripe has its mode.
        is_test: json["livemode"] == false,
        ..event
    }
}

/// The id of another object, which may be expanded in place.
fn reference(value: &Value) -> Option<String> {
    name(value).or_else(|| name(&value["id"]))
}

fn own_id(object: &Value, kind: &str) -> Option<String> {
    let is_one = object["object"] == kind;
    is_one.then(|| name(&object["id"])).flatten()
}

/// The subscription that an object belongs to, else the payment. Since Stripe's API of 2025-03-31 an invoice names its
/// subscription under `parent`.
fn transaction(object: &Value) -> Option<String> {
    let of_invoice = &object["parent"]["subscription_details"]["subscription"];
    reference(&object["subscription"])
        .or_else(|| reference(of_invoice))
        .or_else(|| reference(&object["payment_intent"]))
        .or_else(|| own_id(object, "payment_intent"))
}

/// A checkout, which names its user. A one-time checkout is a separate transaction without end.
fn checkout(kind: &str, session: &Value, about: Fact) -> Fact {
    let names = Vec::from_iter(number(&session["client_reference_id"]));
    if session["mode"] != "payment" {
        let is_done = kind != "checkout.session.expired" && !names.is_empty();
        let says = if is_done { Says::Owner } else { Says::Nothing };
        return Fact {
            names,
            says,
            ..about
        };
    }
    let says = match (kind, session["payment_status"].as_str()) {
        ("checkout.session.async_payment_failed", _) => Says::Lapsed(None),
        ("checkout.session.expired", _) => Says::Nothing,
        (_, Some("unpaid")) => Says::Pending,
        _ => Says::Paid(Until::Endless),
    };
    Fact {
        names,
        says,
        transaction: about.transaction.or_else(|| name(&session["id"])),
        sold: vec![Item {
            names: names_of_session(session),
            until: None,
        }],
        once: true,
        ..about
    }
}

/// The names of a session, whose event has no line items: its payment link, and its metadata as
/// values and as pairs.
fn names_of_session(session: &Value) -> Vec<String> {
    let mut names = Vec::from_iter(reference(&session["payment_link"]));
    for (key, value) in session["metadata"].as_object().into_iter().flatten() {
        if let Some(value) = name(value) {
            names.push(payments::name(&format!("{key}={value}")));
            names.push(payments::name(&value));
        }
    }
    names
}

/// A subscription. Every event about it contains the whole object.
fn subscription(kind: &str, subscription: &Value, about: Fact) -> Fact {
    let kind_of = &subscription["object"];
    let is_one = kind_of.is_null() || kind_of == "subscription";
    let id = name(&subscription["id"]).filter(|_| is_one);
    let sold = items(subscription);
    let until = sold.iter().filter_map(|item| item.until).max();
    let says = match (&id, subscription["status"].as_str(), until) {
        (None, ..) => Says::Nothing,
        _ if kind == "customer.subscription.deleted" => Says::Ended,
        // `past_due`: the renewal is not paid yet, and Stripe keeps retrying.
        (_, Some("active" | "trialing" | "past_due"), Some(until)) => {
            Says::Paid(Until::Time(until))
        }
        (_, Some("active" | "trialing" | "past_due") | None, _) => Says::Nothing,
        (_, Some("incomplete"), _) => Says::Pending,
        (_, Some(_), until) => Says::Lapsed(until),
    };
    Fact {
        transaction: id.or(about.transaction),
        says,
        sold,
        began: seconds(&subscription["current_period_start"]),
        ..about
    }
}

/// The items of a subscription. The end of the period belongs to the item since Stripe's API of
/// 2025-03-31, before that to the subscription.
fn items(subscription: &Value) -> Vec<Item> {
    let own_end = seconds(&subscription["current_period_end"]);
    let items = subscription["items"]["data"].as_array();
    let of_items = items.into_iter().flatten().map(|item| Item {
        names: names_of_item(item),
        until: seconds(&item["current_period_end"]).or(own_end),
    });
    let mut sold: Vec<_> = of_items.filter(|item| item.until.is_some()).collect();
    if sold.is_empty() {
        sold.extend(own_end.map(|end: Timestamp| Item {
            names: names_of_item(subscription),
            until: Some(end),
        }));
    }
    sold
}

/// The ids of the price and its product; in older versions of the API the price is called `plan`.
fn names_of_item(item: &Value) -> Vec<String> {
    let names = ["price", "plan"].iter().flat_map(|kind| {
        let price = &item[*kind];
        [reference(price), reference(&price["product"])]
    });
    let mut names: Vec<_> = names.flatten().collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The meaning of an event about a one-time payment. For a subscription's payments, only the state
/// of the subscription counts.
fn of_payment(kind: &str, object: &Value) -> Says {
    let status = object["status"].as_str();
    match (kind, status) {
        ("charge.refunded", _) if object["refunded"] == true => Says::Lapsed(None),
        (
            "charge.refund.updated" | "refund.created" | "refund.updated" | "refund.failed",
            Some("failed" | "canceled"),
        ) => Says::Restored,
        (kind, Some(status)) if kind.starts_with("charge.dispute.") => match status {
            "needs_response" | "under_review" | "lost" => Says::Lapsed(None),
            "won" | "warning_closed" | "prevented" => Says::Restored,
            _ => Says::Nothing,
        },
        _ => Says::Nothing,
    }
}
