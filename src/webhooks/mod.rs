//! `/api/webhooks/`: what payment services tell. A service's route is there only where its secret is set.
//!
//! Each file checks one service's proof and reads its format; what follows from an event is the business of
//! [`domain::payments`]. Who has proven to be the service is never limited; everybody else floods.

mod json;
mod revenuecat;
mod stripe;

use axum::Json;
use domain::payments::{Event, EventResult, ReceiveEvent};
use domain::plans::Source;

use crate::AppState;
use crate::error::ApiError;
use crate::openapi::answers::Message;
use crate::request::Origin;
use crate::route::{Routes, Switches};

/// The routes of this folder.
#[must_use]
pub fn router(switches: Switches) -> Routes {
    let on = |is_on, routes: fn() -> Routes| if is_on { routes() } else { Routes::new() };
    on(switches.stripe, stripe::router).merge(on(switches.revenuecat, revenuecat::router))
}

/// Takes in what a service has proven to have sent. A failure makes it send the same again.
async fn take(state: &AppState, origin: &Origin, event: Event) -> Result<Json<Message>, ApiError> {
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
    let taken = state.store.write_by(&origin.ticket, take).await?;
    let did = match &taken {
        EventResult::New(did) => did,
        EventResult::Again => "nothing: it came before",
    };
    tracing::info!(
        payment.source = source,
        payment.event = id,
        payment.kind = kind,
        payment.did = did,
        "a payment event was taken"
    );
    Ok(Json(Message {
        message: "Event received.",
    }))
}

/// What is answered to who does not prove to be the service.
fn unproven(state: &AppState, origin: &Origin, source: Source) -> ApiError {
    let refused = ApiError::Refused {
        error: "The signature is missing or wrong.",
        code: "invalid_signature",
    };
    let answer = counted(state, origin, refused);
    if !matches!(answer, ApiError::Throttled(_)) {
        tracing::warn!(
            payment.source = source.as_str(),
            "refused an event that its service has not signed. If it has, the secrets differ"
        );
    }
    answer
}

/// An answer to who may be anybody: it counts as a flood.
fn counted(state: &AppState, origin: &Origin, answer: ApiError) -> ApiError {
    let flood = state.flood.count(&origin.actor.client);
    flood.err().unwrap_or(answer)
}
