//! Chance for pauses, so that what failed together does not come back together.

use domain::random;

/// Evenly spread over -1.0 to 1.0.
pub(crate) fn jitter() -> f64 {
    f64::from(i16::from_be_bytes(random::bytes())) / f64::from(i16::MAX)
}
