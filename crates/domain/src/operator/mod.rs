//! What an operator reads from the mail queue and changes in it. Every change is recorded as `admin` in the same
//! transaction.
//!
//! Apart from [`queue`](crate::queue), which is the queue as a worker sees it: these use cases serve the command line and the
//! console.

mod cancel;
mod pause;
mod port;
mod retry;
mod suppression;

pub use cancel::{CancelMail, CancelRefusal};
pub use pause::{Pause, PauseQueue, ReleaseHeld, ResumeQueue, Resumed, waits};
pub use port::{
    MailStatus, OperatorCommands, OperatorQueries, QueueCounts, Registration, StateCount,
};
pub use retry::{Retried, RetryMail, RetryRefusal};
pub use suppression::{Suppression, Unsuppress};
