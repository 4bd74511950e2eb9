//! `POST /api/webhooks/revenuecat/`: events of RevenueCat, with the secret as their `Authorization`.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::{Extension, Json};
use domain::payments::{Event, Says, proof};
use domain::plans::Source;
use serde_json::Value;
use utoipa_axum::routes;

use super::json::{millis, name, user};
use super::{take, unproven};
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Exact;
use crate::openapi::answers::Message;
use crate::openapi::requests::RevenueCatEvent;
use crate::request::Origin;
use crate::route::{Routes, proven};

pub(super) fn router() -> Routes {
    proven(Routes::new(), routes!(receive))
}

/// Take an event of RevenueCat
///
/// `Authorization` must be the secret that is set in both places. `app_user_id` is the user's number. Each event counts
/// once, in whatever order they come; those of other kinds are kept and do nothing, and so are those whose `environment`
/// is not `PRODUCTION` unless the settings accept tests.
#[utoipa::path(
    post,
    path = "/api/webhooks/revenuecat/",
    operation_id = "takeRevenueCatEvent",
    tag = "Payments",
    request_body = RevenueCatEvent,
    responses(
        (status = 200, description = "It is kept.", body = Message),
        (status = 400, description = "`invalid_signature`: `Authorization` is not the secret. Nothing is kept."),
    ),
)]
async fn receive(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    Exact(body): Exact,
) -> Result<Json<Message>, ApiError> {
    let secret = state.payments.revenuecat_secret.as_ref();
    let sent = headers.get(header::AUTHORIZATION);
    let proven = secret
        .zip(sent)
        .is_some_and(|(secret, sent)| proof::is_secret(secret, sent.as_bytes()));
    if !proven {
        return Err(unproven(&state, &origin, Source::RevenueCat));
    }
    take(&state, &origin, read(&body?)).await
}

/// What an event says; one that can't be read says nothing.
fn read(body: &[u8]) -> Event {
    let unreadable = Event::unreadable(Source::RevenueCat, body);
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return unreadable;
    };
    let event = &json["event"];
    let Some(id) = name(&event["id"]) else {
        return unreadable;
    };
    let kind = name(&event["type"]).unwrap_or_default();
    Event {
        id,
        made: millis(&event["event_timestamp_ms"]),
        user: user(&event["app_user_id"]),
        subscription: name(&event["original_transaction_id"]),
        says: says(&kind, event),
        is_test: is_test(event),
        kind,
        ..unreadable
    }
}

/// Whether it is about a purchase in a store's sandbox, which costs nothing. Every event about a purchase says where that
/// was made.
fn is_test(event: &Value) -> bool {
    let environment = &event["environment"];
    !environment.is_null() && environment != "PRODUCTION"
}

/// A cancellation says nothing: what was paid stays good to its end, at which an expiration follows.
fn says(kind: &str, event: &Value) -> Says {
    let until = millis(&event["expiration_at_ms"]);
    match (kind, until) {
        (
            "INITIAL_PURCHASE"
            | "RENEWAL"
            | "UNCANCELLATION"
            | "PRODUCT_CHANGE"
            | "SUBSCRIPTION_EXTENDED",
            Some(until),
        ) => Says::Paid(until),
        ("EXPIRATION", until) => Says::Lapsed(until),
        _ => Says::Nothing,
    }
}
