//! What an operator asks of the mail queue and does to it. Whatever changes something is recorded as `admin`
//! in the same transaction.
//!
//! Apart from [`queue`](crate::queue), which is the queue as a worker sees it: here people look, with the
//! command line, and now and then reach in.

mod cancel;
mod pause;
mod port;
mod retry;
mod suppression;

pub use cancel::{CancelMail, CancelRefusal};
pub use pause::{Pause, PauseQueue, ReleaseHeld, ResumeQueue, Resumed};
pub use port::{Inquiries, Interventions, QueueCounts, Registration, Standing, StateCount};
pub use retry::{Retried, RetryMail, RetryRefusal};
pub use suppression::{Suppression, Unsuppress};
