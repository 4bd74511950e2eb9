//! `POST /api/webhooks/revenuecat/`: events of RevenueCat, with the secret as their `Authorization`.

mod event;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::{Extension, Json};
use domain::payments::proof;
use domain::plans::Source;
use utoipa_axum::routes;

use super::{take, unproven};
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Exact;
use crate::openapi::answers::Message;
use crate::openapi::requests::RevenueCatEvent;
use crate::request::RequestContext;
use crate::route::{Routes, proven};

pub(super) fn router() -> Routes {
    proven(Routes::new(), routes!(receive))
}

/// Receive an event of RevenueCat
///
/// `Authorization` must be the secret that is set in both places. `app_user_id`, `original_app_user_id` or one of the
/// `aliases` is the user's number; a `TRANSFER` has `transferred_from` and `transferred_to`. Each event counts once, in
/// whatever order they come; those of other kinds are kept and do nothing, and so are those whose `environment` is not
/// `PRODUCTION` unless the settings accept tests.
#[utoipa::path(
    post,
    path = "/api/webhooks/revenuecat/",
    operation_id = "takeRevenueCatEvent",
    tag = "Payments",
    request_body = RevenueCatEvent,
    responses(
        (status = 200, description = "The event is stored.", body = Message),
        (status = 400, description = "`invalid_signature`: `Authorization` is not the secret. Nothing is stored."),
    ),
)]
async fn receive(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    Exact(body): Exact,
) -> Result<Json<Message>, ApiError> {
    let secret = state.payments.revenuecat_secret.as_ref();
    let sent = headers.get(header::AUTHORIZATION);
    let proven = secret
        .zip(sent)
        .is_some_and(|(secret, sent)| proof::is_secret(secret, sent.as_bytes()));
    if !proven {
        return Err(unproven(&state, &context, Source::RevenueCat));
    }
    take(&state, &context, event::read(&body?)).await
}
