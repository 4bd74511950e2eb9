//! Headers of every response.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// The security headers of the service that this one replaces, and `no-store` (OWASP ASVS 5.0
/// 14.3.2).
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

/// The usual maximum number of headers: the capacity of a map before it doubles.
pub const USUAL: usize = 12;

/// Adds the headers that the handler has not set.
pub fn add(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    // In addition to the value that CORS sets.
    headers.append(header::VARY, HeaderValue::from_static("Accept"));
}
