//! Refusals and failures as answers: the only file that knows which status and body they have.
//!
//! The shapes are those clients know: `{"field": ["…"]}`, `{"error": "…"}` and `{"detail": "…"}`.
//! The last two also carry a stable `code`. What went wrong inside is logged here, once, and
//! never told.

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
    /// 401 with `WWW-Authenticate: Token`.
    Unauthorized(Unauthorized),
    /// 403: the password is right, but no code has confirmed the address.
    Unverified,
    /// 400 `{"detail": "…"}`: the body can't be read.
    Malformed {
        /// What is said to the client.
        detail: String,
        /// The stable word for it.
        code: &'static str,
    },
    /// 400: what came is no HTTP request.
    NoHttp,
    /// 403: the plan holds no more notes.
    PlanLimit(PlanLimitReached),
    /// 403: the plan holds no more bytes of notes.
    StorageLimit(StorageLimitReached),
    /// 409: another note has the identifier.
    NoteTaken,
    /// 410: what was deleted since the cursor was given may be forgotten.
    CursorExpired,
    /// 412: the note is another than the client expects; as it is now, if there is one.
    NoteChanged(Option<Value>),
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
    /// 414: the path and query have more bytes than are read.
    TargetTooLong,
    /// 415.
    UnsupportedMediaType(String),
    /// 415: the body is compressed.
    UnsupportedContentEncoding(String),
    /// 429: a limit was reached.
    Throttled(Throttle),
    /// 431: the headers are more, or have more bytes, than are read.
    HeadersTooLarge,
    /// 503 or 507: nothing was changed; the same may succeed in a moment.
    Store(StoreError),
    /// 503: too many passwords wait to be hashed, in all or for this client. No 429, since nobody can say to the
    /// second when a place will be free.
    Overloaded(NotHashed),
    /// 503: requests' bodies take all the memory that they may, those of the client or of all.
    BodiesHeld,
    /// 503 of a probe: the disk of the database is full.
    DiskFull,
    /// 503 of a probe: the database of that name is not where it was opened any more.
    DatabaseMoved(String),
    /// 503 of a probe: the database can't be written for another reason.
    NotWritable(StoreError),
    /// 500: a bug.
    Panicked,
    /// 501: the body is in a transfer coding that is not read (RFC 9112, section 6.1).
    TransferCoding,
}

/// How long a client should wait after a 503, in seconds.
const RETRY_AFTER_BUSY: u64 = 1;

/// How long a client should wait after a 507, in seconds: somebody must make room.
const RETRY_AFTER_FULL: u64 = 30;

impl ApiError {
    /// A limit of the domain was reached.
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
            Self::Fields(_) | Self::Refused { .. } | Self::Malformed { .. } | Self::NoHttp => {
                StatusCode::BAD_REQUEST
            }
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
            Self::Malformed { detail, code } => json!({"detail": detail, "code": code}),
            Self::NoHttp => json!({
                "detail": "This is no request in HTTP/1.1.",
                "code": "no_http",
            }),
            Self::PlanLimit(full) => plan_limit(*full),
            Self::StorageLimit(full) => storage_limit(*full),
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

    /// For what reason the client is refused, where it may be thousands of times.
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
    /// What is said to the client and the stable word for it, where a refusal is a part of an answer.
    #[must_use]
    pub fn words(&self) -> (String, String) {
        self.log();
        let body = self.body();
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
        let error = text("error").or_else(|| text("detail"));
        (error.unwrap_or_default(), text("code").unwrap_or_default())
    }
}

/// A plan's limit, told with the true number of notes.
fn plan_limit(full: PlanLimitReached) -> Value {
    let PlanLimitReached { plan, limit, used } = full;
    let plan = plan.as_str();
    let notes = if limit == 1 { "note" } else { "notes" };
    json!({
        "error": format!(
            "The {plan} plan holds {limit} {notes}. Delete some, or change to a plan that holds more."
        ),
        "code": "note_limit_reached",
        "limit": limit,
        "used": used,
        "plan": plan,
    })
}

/// A plan's budget of bytes, told with the true number of them.
fn storage_limit(full: StorageLimitReached) -> Value {
    let StorageLimitReached { plan, limit, used } = full;
    let plan = plan.as_str();
    let mib = limit >> 20;
    json!({
        "error": format!(
            "The {plan} plan stores {mib} MiB of notes, those in the trash included. \
             Delete some for good (empty the trash), or change to a plan that stores more."
        ),
        "code": "storage_limit_reached",
        "limit": limit,
        "used": used,
        "plan": plan,
    })
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

/// The answer to a request whose handler panicked. The panic's own line in the log says what may be said of it: its
/// message may quote what the client sent.
pub fn panicked(_panic: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
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
