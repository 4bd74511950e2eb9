//! Refusals and failures as answers: the only file that knows which status and body they have.
//!
//! The shapes are those clients know: `{"field": ["…"]}`, `{"error": "…"}` and `{"detail": "…"}`.
//! The last two also carry a stable `code`. What went wrong inside is logged here, once, and
//! never told.

use std::any::Any;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::store::StoreError;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Any answer that is not the one asked for.
#[derive(Debug)]
pub enum ApiError {
    /// 400 `{"field": ["…"]}`: what is wrong with which field.
    Fields(Map<String, Value>),
    /// 400 `{"error": "…"}`.
    Refused {
        /// What is said to the client.
        error: &'static str,
        /// The stable word for it.
        code: &'static str,
    },
    /// 403: the password is right, but no code has confirmed the address.
    Unverified,
    /// 400 `{"detail": "…"}`: the body can't be read.
    Malformed {
        /// What is said to the client.
        detail: String,
        /// The stable word for it.
        code: &'static str,
    },
    /// 404.
    NotFound,
    /// 405: the route has no such method.
    MethodNotAllowed(String),
    /// 408: the body did not arrive in time.
    BodyTimeout,
    /// 413: the body has more bytes than are read.
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// 415.
    UnsupportedMediaType(String),
    /// 429: a limit was reached.
    Throttled {
        /// Seconds until the next try may succeed.
        seconds: u64,
    },
    /// 503 or 507: nothing was changed; the same may succeed in a moment.
    Store(StoreError),
    /// 503: too many passwords wait to be hashed.
    Overloaded,
    /// 500: a bug.
    Panicked,
}

/// How long a client should wait after a 503, in seconds.
const RETRY_AFTER_BUSY: u64 = 1;

/// How long a client should wait after a 507, in seconds: somebody must make room.
const RETRY_AFTER_FULL: u64 = 30;

impl ApiError {
    /// A limit that lifts at `retry_at`.
    #[must_use]
    pub fn throttled(retry_at: Timestamp, now: Timestamp) -> Self {
        let millis = retry_at.duration_since(now).as_millis();
        let millis = u64::try_from(millis).unwrap_or(0).max(1);
        Self::Throttled {
            seconds: millis.div_ceil(1000),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Fields(_) | Self::Refused { .. } | Self::Malformed { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::Unverified => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Store(StoreError::Full) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Store(_) | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn body(&self) -> Value {
        match self {
            Self::Fields(fields) => Value::Object(fields.clone()),
            Self::Refused { error, code } => json!({"error": error, "code": code}),
            Self::Unverified => json!({
                "error": "Email is not verified. Please verify OTP first.",
                "code": "email_not_verified",
            }),
            Self::Malformed { detail, code } => json!({"detail": detail, "code": code}),
            Self::NotFound => json!({"detail": "Not found.", "code": "not_found"}),
            Self::MethodNotAllowed(method) => json!({
                "detail": format!("Method \"{method}\" not allowed."),
                "code": "method_not_allowed",
            }),
            Self::BodyTimeout => json!({
                "detail": "The request's body did not arrive in time.",
                "code": "body_timeout",
            }),
            Self::BodyTooLarge { limit } => json!({
                "detail": format!("The request's body is too large: at most {limit} bytes are read."),
                "code": "body_too_large",
            }),
            Self::UnsupportedMediaType(media) => json!({
                "detail": format!("Unsupported media type \"{media}\" in request."),
                "code": "unsupported_media_type",
            }),
            Self::Throttled { seconds } => {
                let unit = if *seconds == 1 { "second" } else { "seconds" };
                json!({
                    "detail": format!("Request was throttled. Expected available in {seconds} {unit}."),
                    "code": "throttled",
                })
            }
            Self::Store(_) | Self::Overloaded => json!({
                "error": "The service is busy. Nothing was changed. Please try again.",
                "code": "busy",
            }),
            Self::Panicked => json!({"error": "Internal Server Error", "code": "internal"}),
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled { seconds } => Some(*seconds),
            Self::Store(StoreError::Full) => Some(RETRY_AFTER_FULL),
            Self::Store(_) | Self::Overloaded => Some(RETRY_AFTER_BUSY),
            _ => None,
        }
    }

    fn log(&self) {
        match self {
            Self::Store(StoreError::Busy) => {
                tracing::warn!("answered 503: the database was busy for too long");
            }
            Self::Store(error) => tracing::error!(error = chain(error), "the database failed"),
            Self::Overloaded => {
                tracing::warn!("answered 503: too many passwords wait to be hashed");
            }
            _ => {}
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let mut response = (self.status(), Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<runtime::hashing::Full> for ApiError {
    fn from(_: runtime::hashing::Full) -> Self {
        Self::Overloaded
    }
}

/// The answer to a request whose handler panicked.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the layer hands over the panic's box"
)]
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = message, "a handler panicked");
    ApiError::Panicked.into_response()
}

/// An error with everything that led to it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
