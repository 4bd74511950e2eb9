//! The backend that apalis polls: mails that the dispatcher has claimed.

use std::task::{Context, Poll};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use domain::queue::Claimed;
use domain::store::StoreError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::dispatcher::{DispatcherHandle, HandlerResult};
use super::run_layer::RunLayer;

/// The source of mails for an apalis worker. It only receives: claiming is the dispatcher's work.
pub struct MailBackend {
    mails: mpsc::UnboundedReceiver<Claimed>,
    dispatcher: DispatcherHandle,
    dispatcher_task: JoinHandle<Result<(), StoreError>>,
    layer: RunLayer,
    closing: bool,
}

impl MailBackend {
    /// A backend over the claims of a running dispatcher.
    #[must_use]
    pub fn new(
        mails: mpsc::UnboundedReceiver<Claimed>,
        dispatcher: DispatcherHandle,
        dispatcher_task: JoinHandle<Result<(), StoreError>>,
        layer: RunLayer,
    ) -> Self {
        Self {
            mails,
            dispatcher,
            dispatcher_task,
            layer,
            closing: false,
        }
    }
}

impl Backend for MailBackend {
    type Task = Task<Claimed>;
    type Error = StoreError;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), StoreError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Claimed>, StoreError>>> {
        self.mails.poll_recv(cx).map(|mail| {
            mail.map(|mail| {
                let id = TaskId::from_ulid(mail.claim.mail.ulid());
                Ok(TaskBuilder::new(mail).task_id(id).build())
            })
        })
    }

    /// Called when every handler has ended: releases claims that were not begun, then waits until
    /// the dispatcher has settled everything.
    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), StoreError>> {
        if !self.closing {
            self.closing = true;
            self.dispatcher.close();
        }
        // A turn under way may still bring mails.
        while let Poll::Ready(Some(mail)) = self.mails.poll_recv(cx) {
            self.dispatcher.finished(mail.claim, HandlerResult::Stopped);
        }
        std::pin::Pin::new(&mut self.dispatcher_task)
            .poll(cx)
            .map(|ended| ended.unwrap_or_else(|error| Err(StoreError::Backend(Box::new(error)))))
    }
}

impl BackendConfig for MailBackend {
    type Args = Claimed;
    type Id = ulid::Ulid;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = RunLayer;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> RunLayer {
        self.layer.clone()
    }
}
