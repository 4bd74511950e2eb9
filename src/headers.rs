//! Headers that every answer carries.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Security headers as clients have them from before, and `no-store` (OWASP ASVS 5.0 14.3.2).
const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// How many headers an answer has at most, as a rule: the most that a map holds before it takes twice the room.
pub const USUAL: usize = 12;

/// Adds them, where the handler has not set its own.
pub fn add(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    // Beside what CORS says of it.
    headers.append(header::VARY, HeaderValue::from_static("Accept"));
}
