//! What a statement tells while it runs, and what it is told, on the thread that runs it.
//!
//! How long a caller holds a connection says little on a busy machine: most of that time, its result waits for a thread
//! that takes it. What counts is how long `SQLite` was at work, and a short statement does not even take the first look.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After this many steps of its virtual machine `SQLite` calls the handler. A step may read or write a whole note, so
/// there are few; at 50, reading the clock took a twentieth of a search.
pub(super) const STEPS: i32 = 250;

/// Of one connection.
pub(super) struct Watch {
    /// Whether the statement may be interrupted: its caller has gone away.
    pub(super) abandoned: AtomicBool,
    opened: Instant,
    /// The last look at the statement that runs, in nanoseconds after `opened`; 0 if there was none.
    last: AtomicU64,
    /// Nanoseconds between looks at the same statement.
    worked: AtomicU64,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            abandoned: AtomicBool::new(false),
            opened: Instant::now(),
            last: AtomicU64::new(0),
            worked: AtomicU64::new(0),
        }
    }

    /// A statement begins.
    pub(super) fn begins(&self) {
        self.last.store(0, Ordering::Relaxed);
    }

    /// A look at the statement that runs: whether it is to go on.
    pub(super) fn goes_on(&self) -> bool {
        let now = u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let last = self.last.swap(now, Ordering::Relaxed);
        if last > 0 {
            let worked = now.saturating_sub(last);
            self.worked.fetch_add(worked, Ordering::Relaxed);
        }
        !self.abandoned.load(Ordering::Relaxed)
    }

    /// How long statements were at work since this was asked last, but for the ends of each.
    pub(super) fn worked(&self) -> Duration {
        Duration::from_nanos(self.worked.swap(0, Ordering::Relaxed))
    }
}
