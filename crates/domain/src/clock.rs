//! Where the time comes from, so that a test can move it.

use jiff::Timestamp;

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
