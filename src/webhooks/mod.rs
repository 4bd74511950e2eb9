//! `/api/webhooks/`: events of payment services. The route of a service is only served if its
//! secret is set.
//!
//! Each file checks one service's signature and parses its format; [`domain::payments`] decides the
//! effect of an event. Signed requests have no rate limit; all others count as anonymous.

mod json;
mod revenuecat;
mod stripe;

use axum::Json;
use domain::payments::{Event, EventResult, ReceiveEvent};
use domain::plans::Source;

use crate::AppState;
use crate::error::ApiError;
use crate::openapi::answers::Message;
use crate::request::RequestContext;
use crate::route::{Features, Routes};

/// The routes of this folder.
#[must_use]
pub fn router(features: Features) -> Routes {
    let on = |is_on, routes: fn() -> Routes| if is_on { routes() } else { Routes::new() };
    on(features.stripe, stripe::router).merge(on(features.revenuecat, revenuecat::router))
}

/// Stores a verified event. On an error, the service sends it again.
async fn take(
    state: &AppState,
    context: &RequestContext,
    event: Event,
) -> Result<Json<Message>, ApiError> {
    let (source, id, kind) = (
        event.source.as_str(),
        event.fact.id.clone(),
        event.kind.clone(),
    );
    let take = ReceiveEvent {
        event,
        accept_tests: state.payments.accept_test_events,
        products: state.payments.products(),
        now: state.clock.now(),
    };
    let taken = state.store.write_by(&context.ticket, take).await?;
    let did = match &taken {
        EventResult::New(did) => did,
        EventResult::Again => "nothing: it came before",
    };
    tracing::info!(
        payment.source = source,
        payment.event = id,
        payment.kind = kind,
        payment.did = did,
        "payment event received"
    );
    Ok(Json(Message {
        message: "Event received.",
    }))
}

/// The response to a request without a valid signature.
fn unproven(state: &AppState, context: &RequestContext, source: Source) -> ApiError {
    let refused = ApiError::Refused {
        error: "The signature is missing or wrong.",
        code: "invalid_signature",
    };
    let answer = counted(state, context, refused);
    if !matches!(answer, ApiError::Throttled(_)) {
        tracing::warn!(
            payment.source = source.as_str(),
            "refused an event without a valid signature; if the service sent it, the secrets differ"
        );
    }
    answer
}

/// The response to an anonymous request, which counts against the client's rate limit.
fn counted(state: &AppState, context: &RequestContext, answer: ApiError) -> ApiError {
    let limit = state.client_rate_limit.count(&context.actor.client);
    limit.err().unwrap_or(answer)
}
