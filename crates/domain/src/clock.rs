//! The source of the time, so that a test can set it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// A row dated further in the future than this was written while the clock was ahead, and is
/// ignored. A row written while a request waits in a queue may be slightly later than the request.
pub const AHEAD: Duration = Duration::from_mins(1);

/// The earliest possible time of this program: 2026-01-01 00:00 UTC.
const BUILT_AFTER: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The latest plausible time of its use: 2100-01-01 00:00 UTC.
const USED_BEFORE: Timestamp = Timestamp::constant(4_102_444_800, 0);

/// Whether a correct clock may show this time. A clock without battery shows an earlier one at
/// start.
#[must_use]
pub fn is_possible(now: Timestamp) -> bool {
    (BUILT_AFTER..USED_BEFORE).contains(&now)
}

/// A source of the current time. Injected everywhere a rule depends on time.
pub trait Clock: Send + Sync + 'static {
    /// The current wall-clock time in UTC.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Microseconds are what the databases keep; cutting here makes a time read back equal to the one written.
        let now = Timestamp::now();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

/// A clock for tests that stands still until it is set. Clones share the time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(start)))
    }

    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
    }

    /// Sets the clock, forwards or backwards.
    pub fn set(&self, to: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
