//! Running handlers: the tower layer between apalis and the handler.
//!
//! Each handler is a task of its own, so that a slow one delays nobody and a panic ends nothing
//! but itself. However it ends, the ledger is told.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use domain::queue::Claimed;
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service};

use super::ledger::{Ending, LedgerHandle};
use crate::smtp::LONGEST_HAND_OVER;

/// The longest a handler may take. Longer than handing a mail over to one relay after another, so it is met only by a
/// handler that hangs.
pub const JOB_LIMIT: Duration = Duration::from_mins(21);

// Some seconds are left for what a handler does before and after.
const _: () = assert!(LONGEST_HAND_OVER.as_secs() + 5 <= JOB_LIMIT.as_secs());

/// Wraps the handler.
#[derive(Clone)]
pub struct HandsLayer {
    ledger: LedgerHandle,
    abandon: CancellationToken,
}

impl HandsLayer {
    /// A layer that tells `ledger`, and gives running handlers up when `abandon` is cancelled.
    #[must_use]
    pub fn new(ledger: LedgerHandle, abandon: CancellationToken) -> Self {
        Self { ledger, abandon }
    }
}

impl<S> Layer<S> for HandsLayer {
    type Service = Hands<S>;

    fn layer(&self, handler: S) -> Hands<S> {
        Hands {
            handler,
            layer: self.clone(),
        }
    }
}

/// The wrapped handler.
#[derive(Clone)]
pub struct Hands<S> {
    handler: S,
    layer: HandsLayer,
}

impl<S> Service<Task<Claimed>> for Hands<S>
where
    S: Service<Task<Claimed>, Response = Ending>,
    S::Error: Into<BoxDynError> + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The ledger claims only for free hands; a handler that could refuse would keep a claimed mail waiting.
        let _ = self.handler.poll_ready(cx);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Claimed>) -> Self::Future {
        let claim = task.args.claim;
        let handler = tokio::spawn(self.handler.call(task));
        let abort = handler.abort_handle();
        let HandsLayer { ledger, abandon } = self.layer.clone();
        Box::pin(async move {
            let ending = tokio::select! {
                // A result counts even if it comes in the moment in which handlers are given up.
                biased;
                done = handler => match done {
                    Ok(Ok(ending)) => ending,
                    Ok(Err(error)) => {
                        let error = error.into();
                        tracing::error!(mail.id = %claim.mail, %error, "a handler failed");
                        Ending::Panicked
                    }
                    // Not its message, which may quote the mail. The panic's own line says what may be said.
                    Err(_) => {
                        tracing::error!(mail.id = %claim.mail, "a handler panicked");
                        Ending::Panicked
                    }
                },
                () = tokio::time::sleep(JOB_LIMIT) => Ending::Overdue,
                () = abandon.cancelled() => Ending::Stopped,
            };
            abort.abort();
            ledger.ended(claim, ending);
            Ok(())
        })
    }
}
