//! Refusals and errors as responses: the only file that knows their status and body.
//!
//! The formats are those that clients know: `{"field": ["…"]}`, `{"error": "…"}` and `{"detail":
//! "…"}`. The last two also have a stable `code`. Internal errors are logged here, once, and never
//! sent.

mod plan;
mod throttle;
mod unauthorized;

use std::any::Any;
use std::path::Path;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::limits::Refusal;
use domain::notes::{PlanLimitReached, StorageLimitReached};
use domain::store::StoreError;
use jiff::Timestamp;
use runtime::hashing::NotHashed;
use serde_json::{Map, Value, json};

use crate::access_log::Reason;

pub use throttle::Throttle;
pub use unauthorized::Unauthorized;

/// Every response that is not a success.
#[derive(Debug)]
pub enum ApiError {
    /// 400 `{"field": ["…"]}`: the errors of each field.
    Fields(Map<String, Value>),
    /// 400 `{"error": "…"}`.
    Refused {
        /// The message for the client.
        error: &'static str,
        /// The stable error code.
        code: &'static str,
    },
    /// 401 with `WWW-Authenticate: Token`.
    Unauthorized(Unauthorized),
    /// 403: the password is correct, but the address is not verified yet.
    Unverified,
    /// 400 `{"detail": "…"}`: the body can't be read.
    UnreadableBody {
        /// What is said to the client.
        detail: String,
        /// The stable word for it.
        code: &'static str,
    },
    /// 400: not a valid HTTP/1.1 request.
    MalformedRequest,
    /// 403: the plan's limit of notes is reached.
    PlanLimit(PlanLimitReached),
    /// 403: the plan's limit of storage is reached.
    StorageLimit(StorageLimitReached),
    /// 409: another note has this id.
    NoteTaken,
    /// 410: deletions since the cursor may no longer be known.
    CursorExpired,
    /// 412: the note does not match the client's condition. Contains the current note, if there is
    /// one.
    NoteChanged(Option<Value>),
    /// 404: there is no such resource.
    NotFound,
    /// 405: the route has no such method.
    MethodNotAllowed(String),
    /// 408: the body did not arrive in time.
    BodyTimeout,
    /// 413: the body is too large.
    BodyTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// 414: the path and query are too long.
    TargetTooLong,
    /// 415: the media type of the body is not supported.
    UnsupportedMediaType(String),
    /// 415: the body is compressed.
    UnsupportedContentEncoding(String),
    /// 429: a limit was reached.
    Throttled(Throttle),
    /// 431: the headers are too many or too large.
    HeadersTooLarge,
    /// 503 or 507: nothing was changed; a retry may succeed.
    Store(StoreError),
    /// 503: too many passwords wait to be hashed, in total or for this client. Not 429, because the
    /// time until a slot is free is unknown.
    Overloaded(NotHashed),
    /// 503: the memory for request bodies is used up, for this client or in total.
    BodiesHeld,
    /// 503 of a probe: the disk of the database is full.
    DiskFull,
    /// 503 of a probe: the database of that name was moved or replaced.
    DatabaseMoved(String),
    /// 503 of a probe: the database can't be written for another reason.
    NotWritable(StoreError),
    /// 500: a bug.
    Panicked,
    /// 501: the transfer coding of the body is not supported (RFC 9112, section 6.1).
    TransferCoding,
}

/// The retry delay after a 503, in seconds.
const RETRY_AFTER_BUSY: u64 = 1;

/// The retry delay after a 507, in seconds: an operator must free space.
const RETRY_AFTER_FULL: u64 = 30;

impl ApiError {
    /// The response to a limit of the domain.
    #[must_use]
    pub fn throttled(refusal: Refusal, now: Timestamp) -> Self {
        let wait = Duration::try_from(refusal.retry_at.duration_since(now)).unwrap_or_default();
        Self::Throttled(Throttle {
            limit: refusal.limit,
            quota: refusal.rate.most,
            window: refusal.rate.window.as_secs(),
            seconds: Throttle::whole_seconds(wait),
        })
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Fields(_)
            | Self::Refused { .. }
            | Self::UnreadableBody { .. }
            | Self::MalformedRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Unverified | Self::PlanLimit(_) | Self::StorageLimit(_) => StatusCode::FORBIDDEN,
            Self::NoteTaken => StatusCode::CONFLICT,
            Self::CursorExpired => StatusCode::GONE,
            Self::NoteChanged(_) => StatusCode::PRECONDITION_FAILED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::UnsupportedMediaType(_) | Self::UnsupportedContentEncoding(_) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Store(StoreError::Full) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Store(_)
            | Self::Overloaded(_)
            | Self::BodiesHeld
            | Self::DiskFull
            | Self::DatabaseMoved(_)
            | Self::NotWritable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
        }
    }

    fn body(&self) -> Value {
        match self {
            Self::Fields(fields) => Value::Object(fields.clone()),
            Self::Refused { error, code } => json!({"error": error, "code": code}),
            Self::Unauthorized(why) => json!({"detail": why.detail(), "code": why.code()}),
            Self::Unverified => json!({
                "error": "Email is not verified. Please verify OTP first.",
                "code": "email_not_verified",
            }),
            Self::UnreadableBody { detail, code } => json!({"detail": detail, "code": code}),
            Self::MalformedRequest => json!({
                "detail": "Not a valid HTTP/1.1 request.",
                "code": "malformed_request",
            }),
            Self::PlanLimit(full) => plan::plan_limit(*full),
            Self::StorageLimit(full) => plan::storage_limit(*full),
            Self::NoteTaken => json!({
                "error": "Another note has this id.",
                "code": "taken",
            }),
            Self::CursorExpired => json!({
                "error": "The cursor is too old: what was deleted since may be forgotten. Start over without a cursor.",
                "code": "cursor_expired",
            }),
            Self::NoteChanged(note) => json!({
                "error": "The note is not the version that was expected.",
                "code": "note_changed",
                "note": note,
            }),
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
            Self::TargetTooLong => json!({
                "detail": "The request's path and query are too long.",
                "code": "target_too_long",
            }),
            Self::UnsupportedMediaType(media) => json!({
                "detail": format!("Unsupported media type \"{media}\" in request."),
                "code": "unsupported_media_type",
            }),
            Self::UnsupportedContentEncoding(coding) => json!({
                "detail": format!("Unsupported content encoding \"{coding}\" in request. Send the body uncompressed."),
                "code": "unsupported_content_encoding",
            }),
            Self::Throttled(Throttle { seconds, .. }) => {
                let unit = if *seconds == 1 { "second" } else { "seconds" };
                json!({
                    "detail": format!("Request was throttled. Expected available in {seconds} {unit}."),
                    "code": "throttled",
                })
            }
            Self::HeadersTooLarge => json!({
                "detail": "The request's headers are too many or too large.",
                "code": "headers_too_large",
            }),
            Self::Store(_) | Self::Overloaded(_) | Self::BodiesHeld => json!({
                "error": "The service is busy. Nothing was changed. Please try again.",
                "code": "busy",
            }),
            Self::DiskFull => json!({
                "error": "The disk of the database is full. Notes can be read, and nothing can be written.",
                "code": "disk_full",
            }),
            Self::DatabaseMoved(name) => json!({
                "error": format!(
                    "The database {} was moved away or replaced. Nothing is written until it is back, or the service has started again.",
                    Path::new(name).file_name().unwrap_or_default().display()
                ),
                "code": "database_moved",
            }),
            Self::NotWritable(_) => json!({
                "error": "The database can't be written. Notes can be read.",
                "code": "not_writable",
            }),
            Self::Panicked => json!({"error": "Internal Server Error", "code": "internal"}),
            Self::TransferCoding => json!({
                "detail": "The only transfer coding that is read is chunked.",
                "code": "unsupported_transfer_coding",
            }),
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled(throttle) => Some(throttle.seconds),
            Self::Store(StoreError::Full) | Self::DiskFull | Self::DatabaseMoved(_) => {
                Some(RETRY_AFTER_FULL)
            }
            Self::Store(_) | Self::Overloaded(_) | Self::BodiesHeld | Self::NotWritable(_) => {
                Some(RETRY_AFTER_BUSY)
            }
            _ => None,
        }
    }

    /// The reason of a refusal that may occur thousands of times.
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::Throttled(throttle) => Some(Reason(throttle.limit)),
            Self::BodiesHeld => Some(Reason("body-memory")),
            _ => None,
        }
    }

    fn log(&self) {
        match self {
            Self::Store(StoreError::Busy) => {
                tracing::warn!("answered 503: the database was busy for too long");
            }
            Self::Store(error) => tracing::error!(error = chain(error), "the database failed"),
            Self::Overloaded(why) => tracing::warn!("answered 503: {why}"),
            Self::DiskFull => tracing::error!("not ready: the disk of the database is full"),
            Self::DatabaseMoved(name) => {
                tracing::error!("not ready: the database {name} was moved away or replaced");
            }
            Self::NotWritable(error) => {
                tracing::error!(
                    error = chain(error),
                    "not ready: the database can't be written"
                );
            }
            _ => {}
        }
    }
}

impl ApiError {
    /// The message and code of a refusal that is a part of a response.
    #[must_use]
    pub fn words(&self) -> (String, String) {
        self.log();
        let body = self.body();
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
        let error = text("error").or_else(|| text("detail"));
        (error.unwrap_or_default(), text("code").unwrap_or_default())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let mut response = (self.status(), Json(self.body())).into_response();
        if matches!(self, Self::Unauthorized(_)) {
            let scheme = HeaderValue::from_static("Token");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        if matches!(self, Self::UnsupportedContentEncoding(_)) {
            // RFC 9110, section 15.5.16.
            let identity = HeaderValue::from_static("identity");
            response
                .headers_mut()
                .insert(header::ACCEPT_ENCODING, identity);
        }
        if let Some(seconds) = self.retry_after() {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(reason) = self.reason() {
            response.extensions_mut().insert(reason);
        }
        if let Self::Throttled(throttle) = self {
            response.headers_mut().extend(throttle.headers());
        }
        response
    }
}

impl From<Unauthorized> for ApiError {
    fn from(why: Unauthorized) -> Self {
        Self::Unauthorized(why)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NotHashed> for ApiError {
    fn from(why: NotHashed) -> Self {
        Self::Overloaded(why)
    }
}

/// The response to a request whose handler panicked. The log line of the panic has the masked
/// message, which might quote the client's data.
pub fn panicked(_panic: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    ApiError::Panicked.into_response()
}

/// An error with its causes.
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
