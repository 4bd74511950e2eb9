//! Counts of the SMTP stages that mails reach, so that a test can wait for one.
//!
//! Separate from the SMTP code because tests use it: "kill the worker once the end of data has
//! arrived" needs a signal, not a sleep. Counted by `smtp::connection`, awaited through
//! [`crate::Catcher::stages`].

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// A point in an SMTP conversation, in the order in which one mail reaches them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stage {
    /// A connection was accepted; the greeting is not written yet.
    Connect,
    /// The EHLO or HELO command.
    Hello,
    /// The MAIL FROM command.
    Mail,
    /// The RCPT TO command.
    Rcpt,
    /// The DATA command, before the 354.
    Data,
    /// The first bytes of the mail itself have arrived.
    Body,
    /// The end of data has arrived; the mail is neither stored nor answered yet.
    EndOfData,
    /// The mail is in the archive and in the inbox; the reply is not written yet.
    Stored,
    /// The reply to the end of data was written to the socket.
    Answered,
}

/// The number of variants of [`Stage`].
const STAGES: usize = Stage::Answered as usize + 1;

/// The number of times that each stage was reached, over all connections. Clones share the counts.
#[derive(Clone, Default)]
pub struct Stages {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    counts: [AtomicU64; STAGES],
    changed: Notify,
}

/// A wait that timed out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} did not come within {waited:?}: {seen}")]
pub struct TimedOut {
    pub(crate) what: String,
    pub(crate) seen: String,
    pub(crate) waited: Duration,
}

impl Stages {
    /// How often `stage` has been reached since the start.
    #[must_use]
    pub fn count(&self, stage: Stage) -> u64 {
        self.shared.counts[stage as usize].load(Ordering::SeqCst)
    }

    /// Waits until `stage` has been reached `n` times since the start.
    pub async fn wait(&self, stage: Stage, n: u64, timeout: Duration) -> Result<(), TimedOut> {
        tokio::time::timeout(timeout, self.until(stage, n))
            .await
            .map_err(|_elapsed| TimedOut {
                what: format!("stage {stage} number {n}"),
                seen: format!("reached {} times", self.count(stage)),
                waited: timeout,
            })
    }

    /// Waits for the next time that `stage` is reached after this call (not after the first poll),
    /// so it can be called before the action that sends the mail.
    pub fn next(&self, stage: Stage) -> impl Future<Output = ()> + Send + 'static {
        let (stages, n) = (self.clone(), self.count(stage) + 1);
        async move { stages.until(stage, n).await }
    }

    async fn until(&self, stage: Stage, n: u64) {
        loop {
            let mut changed = pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            if self.count(stage) >= n {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn reached(&self, stage: Stage) {
        self.shared.counts[stage as usize].fetch_add(1, Ordering::SeqCst);
        self.shared.changed.notify_waiters();
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Hello => "EHLO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Body => "body",
            Self::EndOfData => "end of data",
            Self::Stored => "stored",
            Self::Answered => "answered",
        })
    }
}
