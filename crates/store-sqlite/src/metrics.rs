//! Metrics of the database: how long reads and writes wait, and how many are refused.
//!
//! They use the `metrics` facade. Without a recorder in the process (metrics are off by default) each call does nothing.

use std::time::Duration;

use domain::store::StoreError;
use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};

const WRITE_WAIT: &str = "smart_notes_database_write_wait_seconds";
const COMMIT: &str = "smart_notes_database_commit_seconds";
const READ_WAIT: &str = "smart_notes_database_read_wait_seconds";
const BUSY: &str = "smart_notes_database_busy_total";

/// Handles of the metrics, looked up once.
#[derive(Clone)]
pub(crate) struct Metrics {
    write_wait: Histogram,
    commit: Histogram,
    read_wait: Histogram,
    queue_full: Counter,
    late: Counter,
    locked: Counter,
    readers: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        describe_histogram!(WRITE_WAIT, "From a write's request to its transaction.");
        describe_histogram!(COMMIT, "One transaction of a group of writes, to the disk.");
        describe_histogram!(READ_WAIT, "Until a connection for reading was free.");
        describe_counter!(
            BUSY,
            "Refused as busy: the queue of writes was full, a write's deadline passed before its turn (late), \
             another process had the lock (locked), or no connection for reading came free (readers)."
        );
        let busy = |reason: &'static str| counter!(BUSY, "reason" => reason);
        Self {
            write_wait: histogram!(WRITE_WAIT),
            commit: histogram!(COMMIT),
            read_wait: histogram!(READ_WAIT),
            queue_full: busy("line_full"),
            late: busy("late"),
            locked: busy("locked"),
            readers: busy("readers"),
        }
    }

    /// Records how long a write has waited for its transaction.
    pub(crate) fn begins(&self, waited: Duration) {
        self.write_wait.record(waited);
    }

    /// Records how long the transaction of a group took.
    pub(crate) fn committed(&self, took: Duration) {
        self.commit.record(took);
    }

    /// Counts a write that was refused because too many wait.
    pub(crate) fn queue_full(&self) {
        self.queue_full.increment(1);
    }

    /// Counts a write whose deadline passed before its turn.
    pub(crate) fn late(&self) {
        self.late.increment(1);
    }

    /// Counts writes whose transaction another process blocked.
    pub(crate) fn refused(&self, error: &StoreError, writes: usize) {
        if matches!(error, StoreError::Busy) {
            self.locked
                .increment(u64::try_from(writes).unwrap_or(u64::MAX));
        }
    }

    /// Records how long a request for a read connection took, and whether it was refused.
    pub(crate) fn reads<T>(&self, asked: Duration, got: &Result<T, StoreError>) {
        self.read_wait.record(asked);
        if matches!(got, Err(StoreError::Busy)) {
            self.readers.increment(1);
        }
    }
}
