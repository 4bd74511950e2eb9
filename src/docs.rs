//! Serves the description of the API, for programs (`/api/openapi.json`) and for people
//! (`/api/docs`).
//!
//! The page is Swagger UI, whose files are part of this program. It loads nothing from other hosts,
//! and its content security policy enforces that.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router, middleware};
use bytes::Bytes;
use serde_json::Value;
use utoipa_axum::routes;
use utoipa_swagger_ui::Config;

use crate::AppState;
use crate::client_rate_limit;
use crate::error::ApiError;
use crate::route::{Routes, public};

/// The page. Its links are relative, so that it works under a proxy's path prefix.
const PAGE: &str = include_str!("docs/page.html");

/// Additional files of the page, with their types: the start script, separate because the policy
/// forbids inline scripts, and a style sheet for colors and widths.
const OWN: [(&str, &str, &str); 2] = [
    ("start.js", "text/javascript", include_str!("docs/start.js")),
    ("page.css", "text/css", include_str!("docs/page.css")),
];

/// The files of Swagger UI that the page uses.
const FILES: [&str; 3] = [
    "swagger-ui-bundle.js",
    "swagger-ui.css",
    "favicon-32x32.png",
];

/// Allows nothing from other hosts. The icons of the style sheet are `data:` URLs.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; object-src 'none'";

/// The serialised description, shared by all requests.
#[derive(Clone)]
pub struct Document(Bytes);

impl Document {
    /// A finished description.
    #[must_use]
    pub fn new(document: &Value) -> Self {
        Self(document.to_string().into())
    }
}

/// The routes in the description.
#[must_use]
pub fn routes() -> Routes {
    let routes = public(Routes::new(), routes!(openapi));
    public(routes, routes!(page))
}

/// The files of the page, which are not part of the API.
pub fn files() -> Router<AppState> {
    Router::new()
        .route("/api/docs/", get(async || Redirect::permanent("../docs")))
        .route("/api/docs/{file}", get(file))
        .layer(middleware::from_fn(client_rate_limit::pass))
}

/// Get this description
///
/// The description of the API in `OpenAPI` 3.1, as this server serves it: routes that the settings
/// disable are left out.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "getDescription",
    tag = "Description",
    responses((status = 200, description = "The description.", content_type = "application/json", body = serde_json::Map<String, Value>))
)]
async fn openapi(Extension(Document(document)): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

/// Read this description
///
/// A page for reading the description and trying out the API.
#[utoipa::path(
    get,
    path = "/api/docs",
    operation_id = "getPage",
    tag = "Description",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String))
)]
async fn page() -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, POLICY)];
    (policy, Html(PAGE)).into_response()
}

async fn file(Path(name): Path<String>) -> Result<Response, ApiError> {
    const CACHE: (HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=3600");
    if let Some((_, kind, text)) = OWN.iter().find(|(own, ..)| *own == name) {
        return Ok(([(header::CONTENT_TYPE, *kind), CACHE], *text).into_response());
    }
    let known = FILES.contains(&name.as_str());
    let file = known.then(|| utoipa_swagger_ui::serve(&name, Arc::<Config<'static>>::default()));
    let Some(Ok(Some(file))) = file else {
        return Err(ApiError::NotFound);
    };
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let mut response = ([CACHE], bytes).into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::try_from(file.content_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if file.gzpipped {
        let gzip = HeaderValue::from_static("gzip");
        headers.insert(header::CONTENT_ENCODING, gzip);
    }
    Ok(response)
}
