//! CORS: lets the web pages of `http.cors_origins` call the API from a browser.
//!
//! It runs before everything that responds, so that a preflight reaches neither a route's own
//! `OPTIONS` nor its 401. There are no cookies, so there are no credentials in the sense of CORS: a
//! page sends its token itself.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use runtime::settings::Http;
use tower::{Layer, ServiceExt};
use tower_http::cors::CorsLayer;

/// How long a browser may cache a preflight.
const MAX_AGE: Duration = Duration::from_hours(1);

/// Headers that pages may send, in addition to the safelisted ones and `http.cors_headers`.
/// Libraries add the last five: those for errors and traces, and those that mark a request as a
/// script's or as uncached.
const SENT: [HeaderName; 9] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::CACHE_CONTROL,
    HeaderName::from_static("x-requested-with"),
    HeaderName::from_static("sentry-trace"),
    HeaderName::from_static("baggage"),
    HeaderName::from_static("traceparent"),
];

/// Headers that pages may read, in addition to the safelisted ones.
const READ: [HeaderName; 6] = [
    HeaderName::from_static("x-request-id"),
    header::RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    header::ETAG,
    header::LOCATION,
];

/// The CORS layer for these settings; `None` if no page is configured, and then no CORS header is
/// ever sent.
#[must_use]
pub fn rules(http: &Http) -> Option<Arc<CorsLayer>> {
    let origins: Vec<HeaderValue> = http
        .cors_origins
        .iter()
        .filter_map(|origin| HeaderValue::from_str(origin).ok())
        .collect();
    let named = http.cors_headers.iter();
    let sent = named.filter_map(|name| name.parse().ok()).chain(SENT);
    (!origins.is_empty()).then(|| {
        let rules = CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([
                Method::GET,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers(sent.collect::<Vec<_>>())
            .expose_headers(READ)
            .max_age(MAX_AGE);
        Arc::new(rules)
    })
}

/// Answers preflights and adds the CORS headers. Other `OPTIONS` requests go to the route.
pub async fn apply(State(rules): State<Arc<CorsLayer>>, request: Request, next: Next) -> Response {
    let preflight = request
        .headers()
        .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() == Method::OPTIONS && !preflight {
        return next.run(request).await;
    }
    match rules.layer(next).oneshot(request).await {
        Ok(answer) => answer.into_response(),
        Err(never) => match never {},
    }
}
