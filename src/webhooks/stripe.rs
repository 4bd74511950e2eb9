//! `POST /api/webhooks/stripe/`: events of Stripe, signed with the endpoint's secret.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use domain::payments::{Event, Says, proof};
use domain::plans::Source;
use jiff::Timestamp;
use serde_json::Value;
use utoipa_axum::routes;

use super::json::{name, seconds, user};
use super::{counted, take, unproven};
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Exact;
use crate::openapi::answers::Message;
use crate::openapi::requests::StripeEvent;
use crate::request::Origin;
use crate::route::{Routes, proven};

pub(super) fn router() -> Routes {
    proven(Routes::new(), routes!(receive))
}

/// Take an event of Stripe
///
/// `client_reference_id` of a checkout session is the user's number. Each event counts once, in whatever order they
/// come; those of other kinds are kept and do nothing, and so are those of test mode (`livemode` is `false`) unless the
/// settings accept tests.
#[utoipa::path(
    post,
    path = "/api/webhooks/stripe/",
    operation_id = "takeStripeEvent",
    tag = "Payments",
    params((
        "Stripe-Signature" = String, Header,
        description = "`t=TIME,v1=SIGNATURE`: when it was signed, at most five minutes from now, and an HMAC-SHA-256 \
            over `TIME.BODY` with the endpoint's secret.",
        example = "t=1800000000,v1=7656fc2882a7ca0a651666b36bf2f2f22ee204f54f608f227498a2419f2890b2",
    )),
    request_body = StripeEvent,
    responses(
        (status = 200, description = "It is kept.", body = Message),
        (status = 400, description = "`invalid_signature`. Nothing is kept."),
    ),
)]
async fn receive(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Exact(body): Exact,
) -> Result<Json<Message>, ApiError> {
    let secret = state.payments.stripe_secret.as_ref();
    let signature = headers.get("stripe-signature");
    let unproven = || unproven(&state, &origin, Source::Stripe);
    let (Some(secret), Some(signature)) = (secret, signature) else {
        return Err(unproven());
    };
    let body = body.map_err(|error| counted(&state, &origin, error))?;
    if !proof::is_signed(secret, signature.as_bytes(), &body, state.clock.now()) {
        return Err(unproven());
    }
    take(&state, &origin, read(&body)).await
}

/// What an event says; one that can't be read says nothing.
fn read(body: &[u8]) -> Event {
    let event = Event::unreadable(Source::Stripe, body);
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return event;
    };
    let Some(id) = name(&json["id"]) else {
        return event;
    };
    let kind = name(&json["type"]).unwrap_or_default();
    let object = &json["data"]["object"];
    let its_own = |kind: &str| {
        (object["object"] == kind)
            .then(|| name(&object["id"]))
            .flatten()
    };
    let event = Event {
        id,
        made: seconds(&json["created"]),
        customer: name(&object["customer"]).or_else(|| its_own("customer")),
        subscription: name(&object["subscription"]),
        // Every event of Stripe says in which mode it was made.
        is_test: json["livemode"] == false,
        ..event
    };
    match kind.as_str() {
        "checkout.session.completed" => {
            let user = user(&object["client_reference_id"]);
            let says = user.map_or(Says::Nothing, |_| Says::Owner);
            Event {
                kind,
                user,
                says,
                ..event
            }
        }
        "customer.subscription.created"
        | "customer.subscription.updated"
        | "customer.subscription.deleted" => {
            let subscription = name(&object["id"]);
            let says = match &subscription {
                Some(_) if kind.ends_with("deleted") => Says::Ended,
                Some(_) => of_subscription(object),
                None => Says::Nothing,
            };
            Event {
                kind,
                subscription,
                says,
                ..event
            }
        }
        _ => Event { kind, ..event },
    }
}

/// What a subscription's state says. `past_due`: the renewal was not paid yet, and Stripe goes on trying.
fn of_subscription(subscription: &Value) -> Says {
    let until = period_end(subscription);
    match (subscription["status"].as_str(), until) {
        (Some("active" | "trialing" | "past_due"), Some(until)) => Says::Paid(until),
        (Some("active" | "trialing" | "past_due") | None, _) => Says::Nothing,
        (Some(_), until) => Says::Lapsed(until),
    }
}

/// The end of the period: the subscription's, or (since Stripe's API of 2025-03-31) the latest of its items'.
fn period_end(subscription: &Value) -> Option<Timestamp> {
    let own = seconds(&subscription["current_period_end"]);
    own.or_else(|| {
        let items = subscription["items"]["data"].as_array()?;
        let ends = items
            .iter()
            .filter_map(|item| seconds(&item["current_period_end"]));
        ends.max()
    })
}
