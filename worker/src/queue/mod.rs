//! The apalis backend over the use cases of [`domain::queue`].
//!
//! apalis runs the worker: it polls [`MailBackend`] for mails, calls the handler for each and
//! waits for all of them when it stops. Around that, parts of ours keep the promises that the
//! stock storage breaks:
//!
//! - [`dispatcher`]: the one task that talks to the queue. It claims exactly as many mails as there
//!   are free slots, grants permits, and settles, many at once in one transaction;
//! - [`gate`]: holds the queue while no relay takes mails;
//! - [`run_layer`]: the tower layer that runs each handler as a task of its own, within its time, and
//!   tells the dispatcher how it ended, whatever happens;
//! - [`heartbeat`]: says that this worker lives, takes back the mails of those that do not, and
//!   maintains mails that no worker claims;
//! - [`relay_status`]: posts the state of this worker's relays.

pub mod backend;
pub mod dispatcher;
pub mod gate;
pub mod heartbeat;
pub mod relay_status;
pub mod run_layer;

pub use backend::MailBackend;
pub use dispatcher::{DispatcherHandle, HandlerResult};

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
