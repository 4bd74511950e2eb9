//! `POST /api/webhooks/stripe/`: events of Stripe, signed with the endpoint's secret.

mod event;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use domain::payments::proof;
use domain::plans::Source;
use utoipa_axum::routes;

use super::{counted, take, unproven};
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Exact;
use crate::openapi::answers::Message;
use crate::openapi::requests::StripeEvent;
use crate::request::RequestContext;
use crate::route::{Routes, proven};

pub(super) fn router() -> Routes {
    proven(Routes::new(), routes!(receive))
}

/// Receive an event of Stripe
///
/// `client_reference_id` of a checkout session is the user's number. Subscriptions count by their state, and sessions of
/// mode `payment` once they are paid, if the settings name what was sold; a full refund or a dispute ends the latter. Each
/// event counts once, in whatever order they come; those of other kinds are kept and do nothing, and so are those of test
/// mode (`livemode` is `false`) unless the settings accept tests.
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
        (status = 200, description = "The event is stored.", body = Message),
        (status = 400, description = "`invalid_signature`. Nothing is stored."),
    ),
)]
async fn receive(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    Exact(body): Exact,
) -> Result<Json<Message>, ApiError> {
    let secret = state.payments.stripe_secret.as_ref();
    let signature = headers.get("stripe-signature");
    let unproven = || unproven(&state, &context, Source::Stripe);
    let (Some(secret), Some(signature)) = (secret, signature) else {
        return Err(unproven());
    };
    let body = body.map_err(|error| counted(&state, &context, error))?;
    if !proof::is_signed(secret, signature.as_bytes(), &body, state.clock.now()) {
        return Err(unproven());
    }
    take(&state, &context, event::read(&body)).await
}
