//! Returns the free memory after a load peak to the operating system.
//!
//! Separate from the programs because the allocator keeps free memory in each of them
//! ([`malloc_trim`] explains how and why). `main` calls [`trim_regularly`] once the log runs.

use std::thread;
use std::time::Duration;

/// The interval. After a failure, memory use must be normal again within a minute.
const EVERY: Duration = Duration::from_secs(10);

/// Returns free memory regularly, for as long as the process runs. It uses a separate thread,
/// because a call may take milliseconds and no request must wait for it.
pub fn trim_regularly() {
    let spawned = thread::Builder::new()
        .name("free-memory".to_owned())
        .spawn(|| {
            loop {
                thread::sleep(EVERY);
                malloc_trim::trim();
            }
        });
    if let Err(error) = spawned {
        tracing::warn!(%error, "could not start the thread that returns free memory");
    }
}
