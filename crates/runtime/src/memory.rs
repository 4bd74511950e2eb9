//! Memory that a crowd of connections or mails has left behind, given back to the system.
//!
//! Apart from the programs because the allocator keeps it in each of them ([`heap`] says how and why). `main` calls
//! [`give_back_regularly`] once the log runs.

use std::thread;
use std::time::Duration;

/// How often. After a fault all is to be as before within a minute.
const EVERY: Duration = Duration::from_secs(10);

/// Gives back what is free, for as long as the process runs: on a thread of its own, because it may take
/// milliseconds in which no request is to wait.
pub fn give_back_regularly() {
    let spawned = thread::Builder::new()
        .name("free-memory".to_owned())
        .spawn(|| {
            loop {
                thread::sleep(EVERY);
                heap::give_back();
            }
        });
    if let Err(error) = spawned {
        tracing::warn!(%error, "memory that is free stays with this process");
    }
}
