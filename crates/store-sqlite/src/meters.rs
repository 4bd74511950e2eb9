//! What is measured of the database: how long reads and writes wait, and who is turned away.
//!
//! By the `metrics` facade: without a recorder in the process (metrics are off by default) each call
//! does nothing.

use std::time::Duration;

use domain::store::StoreError;
use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};

const WRITE_WAIT: &str = "smart_notes_database_write_wait_seconds";
const COMMIT: &str = "smart_notes_database_commit_seconds";
const READ_WAIT: &str = "smart_notes_database_read_wait_seconds";
const BUSY: &str = "smart_notes_database_busy_total";

/// Handles, looked up once.
#[derive(Clone)]
pub(crate) struct Meters {
    write_wait: Histogram,
    commit: Histogram,
    read_wait: Histogram,
    line_full: Counter,
    late: Counter,
    locked: Counter,
    readers: Counter,
}

impl Meters {
    pub(crate) fn new() -> Self {
        describe_histogram!(WRITE_WAIT, "From a write's request to its transaction.");
        describe_histogram!(COMMIT, "One transaction of a group of writes, to the disk.");
        describe_histogram!(READ_WAIT, "Until a connection for reading was free.");
        describe_counter!(
            BUSY,
            "Refused as busy: the line of writes was full, a write's time was over before its turn (late), \
             another process had the lock (locked), or no connection for reading came free (readers)."
        );
        let busy = |reason: &'static str| counter!(BUSY, "reason" => reason);
        Self {
            write_wait: histogram!(WRITE_WAIT),
            commit: histogram!(COMMIT),
            read_wait: histogram!(READ_WAIT),
            line_full: busy("line_full"),
            late: busy("late"),
            locked: busy("locked"),
            readers: busy("readers"),
        }
    }

    /// A write's transaction begins, so long after it was asked for.
    pub(crate) fn begins(&self, waited: Duration) {
        self.write_wait.record(waited);
    }

    /// A group's transaction took so long.
    pub(crate) fn committed(&self, took: Duration) {
        self.commit.record(took);
    }

    /// Too many writes wait.
    pub(crate) fn line_full(&self) {
        self.line_full.increment(1);
    }

    /// A write's time was over before its turn came.
    pub(crate) fn late(&self) {
        self.late.increment(1);
    }

    /// A transaction was refused to so many writes.
    pub(crate) fn refused(&self, error: &StoreError, writes: usize) {
        if matches!(error, StoreError::Busy) {
            self.locked
                .increment(u64::try_from(writes).unwrap_or(u64::MAX));
        }
    }

    /// A connection for reading was asked for.
    pub(crate) fn reads<T>(&self, asked: Duration, got: &Result<T, StoreError>) {
        self.read_wait.record(asked);
        if matches!(got, Err(StoreError::Busy)) {
            self.readers.increment(1);
        }
    }
}
