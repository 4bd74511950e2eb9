//! Running handlers: the tower layer between apalis and the handler.
//!
//! Each handler is a task of its own, so that a slow one delays no other and a panic ends nothing but itself. Its result
//! goes to the dispatcher in any case.

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

use super::dispatcher::{DispatcherHandle, HandlerResult};
use crate::smtp::LONGEST_HAND_OVER;

/// The longest a handler may take. Longer than handing a mail over to one relay after another, so it is met only by a
/// handler that hangs.
pub const JOB_LIMIT: Duration = Duration::from_mins(21);

// Some seconds are left for what a handler does before and after.
const _: () = assert!(LONGEST_HAND_OVER.as_secs() + 5 <= JOB_LIMIT.as_secs());

/// Wraps the handler.
#[derive(Clone)]
pub struct RunLayer {
    dispatcher: DispatcherHandle,
    abandon: CancellationToken,
}

impl RunLayer {
    /// A layer that reports to `dispatcher`, and aborts running handlers when `abandon` is cancelled.
    #[must_use]
    pub fn new(dispatcher: DispatcherHandle, abandon: CancellationToken) -> Self {
        Self {
            dispatcher,
            abandon,
        }
    }
}

impl<S> Layer<S> for RunLayer {
    type Service = Run<S>;

    fn layer(&self, handler: S) -> Run<S> {
        Run {
            handler,
            layer: self.clone(),
        }
    }
}

/// The wrapped handler.
#[derive(Clone)]
pub struct Run<S> {
    handler: S,
    layer: RunLayer,
}

impl<S> Service<Task<Claimed>> for Run<S>
where
    S: Service<Task<Claimed>, Response = HandlerResult>,
    S::Error: Into<BoxDynError> + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The dispatcher claims only for free slots; a handler that could refuse would keep a claimed mail waiting.
        let _ = self.handler.poll_ready(cx);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Claimed>) -> Self::Future {
        let claim = task.args.claim;
        let handler = tokio::spawn(self.handler.call(task));
        let abort = handler.abort_handle();
        let RunLayer {
            dispatcher,
            abandon,
        } = self.layer.clone();
        Box::pin(async move {
            let result = tokio::select! {
                // A result counts even if it comes in the moment in which handlers are given up.
                biased;
                done = handler => match done {
                    Ok(Ok(result)) => result,
                    Ok(Err(error)) => {
                        let error = error.into();
                        tracing::error!(mail.id = %claim.mail, %error, "a handler failed");
                        HandlerResult::Panicked
                    }
                    // Not its message, which may quote the mail. The panic's own line says what may be said.
                    Err(_) => {
                        tracing::error!(mail.id = %claim.mail, "a handler panicked");
                        HandlerResult::Panicked
                    }
                },
                () = tokio::time::sleep(JOB_LIMIT) => HandlerResult::Overdue,
                () = abandon.cancelled() => HandlerResult::Stopped,
            };
            abort.abort();
            dispatcher.finished(claim, result);
            Ok(())
        })
    }
}
