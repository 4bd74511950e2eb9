//! What tests of a store write again and again: people who register, mails, calls of use cases, units of work.

pub mod calls;
pub mod mails;
pub mod people;
pub mod units;

use std::time::Duration;

use jiff::Timestamp;

/// How long a test waits for something that must happen.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// A time, in seconds after the one at which tests begin.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}
