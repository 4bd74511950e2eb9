//! The ports on a connection: the writer's, inside a transaction, or one that is lent for reading.

use std::ops::DerefMut;

use jiff::Timestamp;
use sqlx::SqliteConnection;

/// Runs the statements of the ports on a connection.
pub(crate) struct Executor<C>(pub(crate) C);

/// A guard of a connection: one that is lent for reading, or a reference to the writer's.
pub(crate) trait ConnectionGuard: DerefMut<Target = SqliteConnection> + Send {
    /// Tells the guard that every statement so far has ended.
    fn idle(&mut self) {}
}

impl ConnectionGuard for &mut SqliteConnection {}

/// A time as it is stored: microseconds since 1970-01-01 UTC.
pub(crate) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A stored time. A number outside the calendar, which this program never writes, reads as the nearest time inside.
pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}
