//! Adds routes: their methods, `OPTIONS`, and the response to other methods.
//!
//! A route is created from the description of its handlers (`utoipa_axum::routes!`), so that every
//! served route is in the document that [`crate::openapi`] completes, and vice versa.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Extension, Json, middleware};
use serde_json::json;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::AppState;
use crate::auth::session::Authenticated;
use crate::client_rate_limit::{self, ClientRateLimit};
use crate::error::ApiError;
use crate::openapi;
use crate::padding;
use crate::request::RequestContext;

/// Routes with their description.
pub type Routes = OpenApiRouter<AppState>;

/// One path with its methods and their description, as `utoipa_axum::routes!` makes it.
pub type Route = UtoipaMethodRouter<AppState>;

/// The optional routes that the settings enable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Login with a mailed code.
    pub otp_login: bool,
    /// Events of Stripe.
    pub stripe: bool,
    /// Events of RevenueCat.
    pub revenuecat: bool,
}

const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const PATCHES: &str = "application/json, application/merge-patch+json";

/// Adds a public route: each request counts against the client's rate limit.
///
/// The route is also served without its final slash, and every response lists the methods in
/// `Allow`, as in the service that this one replaces.
#[must_use]
pub fn public(routes: Routes, route: Route) -> Routes {
    let limited = |handler: MethodRouter<AppState>| {
        let handler = handler.options(options).fallback(method_not_allowed);
        handler.layer(middleware::from_fn(client_rate_limit::pass))
    };
    add(routes, route, limited)
}

/// The same for a route whose response depends on accounts: its time is padded so that it reveals
/// nothing.
#[must_use]
pub fn padded(routes: Routes, (schemas, paths, handler): Route) -> Routes {
    let handler = handler.layer(middleware::from_fn(padding::pad));
    public(routes, (schemas, paths, handler))
}

/// Adds a route for probes, without a rate limit, because a throttled probe would restart a healthy
/// process.
#[must_use]
pub fn unlimited(routes: Routes, route: Route) -> Routes {
    let open =
        |handler: MethodRouter<AppState>| handler.options(options).fallback(method_not_allowed);
    add(routes, route, open)
}

/// Adds a route for signed requests, without a rate limit, because a throttled service retries
/// late. The handler itself counts requests with a wrong signature; other methods are unsigned and
/// always count.
#[must_use]
pub fn proven(routes: Routes, route: Route) -> Routes {
    type Sender = (Extension<ClientRateLimit>, Extension<RequestContext>);
    let proven = |handler: MethodRouter<AppState>| {
        handler
            .options(async |(Extension(limit), Extension(context)): Sender| {
                limit.count(&context.actor.client)?;
                Ok::<_, ApiError>(options().await)
            })
            .fallback(
                async |(Extension(limit), Extension(context)): Sender, method: Method| match limit
                    .count(&context.actor.client)
                {
                    Ok(()) => method_not_allowed(method).await,
                    Err(refused) => refused,
                },
            )
    };
    add(routes, route, proven)
}

/// Adds a route that needs a token for every method: 401 comes before 405.
#[must_use]
pub fn protected(routes: Routes, (schemas, mut paths, handler): Route) -> Routes {
    for item in paths.paths.values_mut() {
        for operation in openapi::operations(item) {
            operation.security =
                Some(Vec::from(openapi::SCHEMES.map(|scheme| {
                    SecurityRequirement::new::<_, [&str; 0], &str>(scheme, [])
                })));
        }
    }
    let patched = paths.paths.values().any(|item| item.patch.is_some());
    let closed = |handler: MethodRouter<AppState>| {
        handler
            .options(async move |_: Authenticated| {
                // RFC 5789, section 3.1.
                (
                    patched.then_some([(ACCEPT_PATCH, PATCHES)]),
                    options().await,
                )
            })
            .fallback(async |_: Authenticated, method: Method| method_not_allowed(method).await)
    };
    add(routes, (schemas, paths, handler), closed)
}

/// Adds a route under both paths, with `Allow` on every response.
fn add(
    routes: Routes,
    (schemas, paths, handler): Route,
    finish: impl FnOnce(MethodRouter<AppState>) -> MethodRouter<AppState>,
) -> Routes {
    let Some((path, item)) = paths.paths.first_key_value() else {
        return routes;
    };
    let (path, allow) = (path.clone(), allowed(item));
    let handler = finish(handler).layer(SetResponseHeaderLayer::overriding(header::ALLOW, allow));
    let routes = match path.strip_suffix('/') {
        Some(bare) => routes.route(bare, handler.clone()),
        None => routes,
    };
    routes.routes((schemas, paths, handler))
}

/// The `Allow` header of a path.
fn allowed(item: &PathItem) -> HeaderValue {
    let method = |operation: &Option<Operation>, names| operation.as_ref().map(|_| names);
    let names: Vec<&str> = [
        method(&item.get, "GET, HEAD"),
        method(&item.post, "POST"),
        method(&item.put, "PUT"),
        method(&item.patch, "PATCH"),
        method(&item.delete, "DELETE"),
        Some("OPTIONS"),
    ]
    .into_iter()
    .flatten()
    .collect();
    HeaderValue::try_from(names.join(", ")).expect("names of methods are plain")
}

async fn options() -> Response {
    let body = json!({
        "renders": ["application/json"],
        "parses": openapi::BODIES,
    });
    (StatusCode::OK, Json(body)).into_response()
}

async fn method_not_allowed(method: Method) -> ApiError {
    ApiError::MethodNotAllowed(method.to_string())
}

/// The response on every path without a route.
pub async fn not_found(
    Extension(limit): Extension<ClientRateLimit>,
    Extension(context): Extension<RequestContext>,
    _request: Request,
) -> ApiError {
    match limit.count(&context.actor.client) {
        Ok(()) => ApiError::NotFound,
        Err(refused) => refused,
    }
}
