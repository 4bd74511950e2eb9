//! A connection under the ports: inside a transaction of the writer, or one of the readers.

use std::ops::DerefMut;

use jiff::Timestamp;
use sqlx::SqliteConnection;

/// Implements the ports on whatever leads to a connection.
pub(crate) struct Access<C>(pub(crate) C);

/// What leads to a connection: one that is lent, or the writer's.
pub(crate) trait Connected: DerefMut<Target = SqliteConnection> + Send {
    /// Every statement so far has ended.
    fn idle(&mut self) {}
}

impl Connected for &mut SqliteConnection {}

/// A time as it is stored: microseconds since 1970-01-01 UTC.
pub(crate) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A stored time. One outside of the calendar, which nobody here writes, reads as the nearest inside.
pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}
