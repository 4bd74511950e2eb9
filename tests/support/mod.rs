//! What the tests share: two ways to run the system, a client for each, and a look at the rows.
//!
//! [`TestApp`] runs API and worker inside the test, on a clock that the test moves.
//! [`Processes`] runs the real programs, on the machine's clock. Both have a database and a
//! mail catcher of their own, and a [`Client`].

mod account;
mod answer;
mod app;
pub mod binaries;
mod client;
mod database;
mod notes;
pub mod payments;
mod people;
mod place;
mod process;
mod processes;
mod raw;
mod request;
mod scrape;
mod throttled;

use std::time::{Duration, Instant};

pub use account::long_code;
pub use answer::Answer;
pub use app::{Builder, TestApp};
pub use binaries::{API, fresh, worker};
pub use client::Client;
pub use database::Rows;
pub use notes::{
    BATCH, CHANGES, NOTES, deletion, grant_premium, path_of, target_of, titles_of, upsert, uuid,
};
pub use people::{PASSWORD, Person, wrong};
pub use place::Place;
pub use process::Process;
pub use processes::{Api, Processes, address};
pub use raw::Raw;
pub use request::Request;
pub use scrape::Scrape;
pub use throttled::{assert_lifted_after, assert_throttled};

/// How long a test waits for something that must happen. Nothing is measured by it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `look` finds what it looks for.
///
/// # Panics
///
/// When that takes longer than [`PATIENCE`].
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
