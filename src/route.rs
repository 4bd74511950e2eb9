//! The shape of a route: one method, `OPTIONS`, and a clear answer to every other.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Json, middleware};
use serde_json::json;

use crate::AppState;
use crate::error::ApiError;

/// Adds a route under its path, and without its final slash if it has one. Every answer names the
/// methods in `Allow`, as clients have it from before.
pub fn endpoint<H, T>(
    router: Router<AppState>,
    path: &'static str,
    method: MethodFilter,
    allow: &'static str,
    handler: H,
) -> Router<AppState>
where
    H: Handler<T, AppState>,
    T: 'static,
{
    let route: MethodRouter<AppState> = on(method, handler)
        .options(options)
        .fallback(method_not_allowed)
        .layer(middleware::map_response(
            move |mut response: Response| async move {
                let allow = HeaderValue::from_static(allow);
                response.headers_mut().insert(header::ALLOW, allow);
                response
            },
        ));
    match path.strip_suffix('/') {
        Some(bare) => router.route(path, route.clone()).route(bare, route),
        None => router.route(path, route),
    }
}

/// Adds a `POST` route.
pub fn post<H, T>(router: Router<AppState>, path: &'static str, handler: H) -> Router<AppState>
where
    H: Handler<T, AppState>,
    T: 'static,
{
    endpoint(router, path, MethodFilter::POST, "POST, OPTIONS", handler)
}

async fn options() -> Response {
    let body = json!({
        "renders": ["application/json"],
        "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
    });
    (StatusCode::OK, Json(body)).into_response()
}

async fn method_not_allowed(method: Method) -> ApiError {
    ApiError::MethodNotAllowed(method.to_string())
}

/// The answer on every path that is no route.
pub async fn not_found(_request: Request) -> ApiError {
    ApiError::NotFound
}
