//! The apalis backend over the use cases of [`domain::queue`].
//!
//! apalis runs the worker: it polls [`MailBackend`] for mails, calls the handler for each and
//! waits for all of them when it stops. Around that, parts of ours keep the promises that the
//! stock storage breaks:
//!
//! - [`ledger`]: the one task that talks to the queue. It claims exactly as many mails as there
//!   are free hands, grants marks, and settles, many at once in one transaction;
//! - [`gate`]: holds the queue while no relay takes mails;
//! - [`hands`]: the tower layer that runs each handler as a task of its own, within its time, and
//!   tells the ledger how it ended, whatever happens;
//! - [`heartbeat`]: says that this worker lives, takes back the mails of those that do not, and
//!   looks after those that nobody claims;
//! - [`standings`]: posts how this worker stands with its relays.

pub mod backend;
pub mod gate;
pub mod hands;
pub mod heartbeat;
pub mod ledger;
pub mod standings;

pub use backend::MailBackend;
pub use ledger::{Ending, LedgerHandle};

/// A name that no other start of a worker has: jobs are locked under it.
#[must_use]
pub fn worker_name(host: &str) -> String {
    let unique = ulid::Ulid::generate().to_string();
    format!(
        "{host}-{}-{}",
        std::process::id(),
        &unique[unique.len() - 8..]
    )
}
