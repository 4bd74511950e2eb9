//! The limit in a 429 response.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};

/// The limit that was reached.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    /// The name of the limit, a stable word.
    pub limit: &'static str,
    /// The number that it allows in its window.
    pub quota: u32,
    /// The window, in seconds.
    pub window: u64,
    /// Seconds until a retry may succeed.
    pub seconds: u64,
}

impl Throttle {
    /// A delay in whole seconds, rounded up, at least one.
    #[must_use]
    pub fn whole_seconds(wait: Duration) -> u64 {
        let begun = u64::from(wait.subsec_nanos() > 0);
        wait.as_secs().saturating_add(begun).max(1)
    }

    /// The limit, as draft-ietf-httpapi-ratelimit-headers-10 writes it: its quota, and what is
    /// left.
    pub(super) fn headers(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let Self {
            limit,
            quota,
            window,
            seconds,
        } = self;
        let policy = format!("\"{limit}\";q={quota};w={window}");
        let left = format!("\"{limit}\";r=0;t={seconds}");
        [("ratelimit-policy", policy), ("ratelimit", left)]
            .into_iter()
            .filter_map(|(name, value)| {
                Some((
                    HeaderName::from_static(name),
                    HeaderValue::try_from(value).ok()?,
                ))
            })
    }
}
