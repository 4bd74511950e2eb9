//! The queue of units of work that wait for the writer, and what its task knows about the disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::store::{Caller, StoreError};
use tokio::sync::Notify;

use crate::fair_queue::FairQueue;
use crate::writer::{QueuedWork, gone};

/// The most units of work that wait; more are refused as [`StoreError::Busy`].
const WAITING: usize = 4096;

/// The most of them that are one caller's.
const WAITING_OF_ONE: usize = WAITING / 4;

/// The queue, shared by the writer's task and its callers.
pub(crate) struct WriteQueue {
    state: Mutex<State>,
    asked: Notify,
}

#[derive(Default)]
struct State {
    waiting: FairQueue<QueuedWork>,
    doubt: Option<Doubt>,
    closed: bool,
}

/// Why the disk may not be writable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It was full.
    Full,
    /// It failed.
    Failed,
}

/// A queue that is closed when this handle is dropped.
pub(crate) struct OpenQueue(Arc<WriteQueue>);

impl OpenQueue {
    pub(crate) fn new() -> Self {
        Self(Arc::new(WriteQueue {
            state: Mutex::default(),
            asked: Notify::new(),
        }))
    }

    pub(crate) fn queue(&self) -> Arc<WriteQueue> {
        Arc::clone(&self.0)
    }
}

impl Drop for OpenQueue {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl WriteQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a unit of work behind those of its caller. The process itself is never refused, since it asks for little.
    pub(crate) fn push(&self, caller: Caller, unit: QueuedWork) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.closed {
            return Err(gone());
        }
        let waiting = &mut state.waiting;
        let is_full = waiting.len() >= WAITING || waiting.len_of(&caller) >= WAITING_OF_ONE;
        if is_full && caller != Caller::Process {
            return Err(StoreError::Busy);
        }
        waiting.push(caller, unit);
        drop(state);
        self.asked.notify_one();
        Ok(())
    }

    /// The next unit of work, if one waits.
    pub(crate) fn pop(&self) -> Option<QueuedWork> {
        self.state().waiting.pop(|_| true)
    }

    /// Waits for a unit of work. False once the queue is closed and empty.
    pub(crate) async fn has_some(&self) -> bool {
        loop {
            {
                let state = self.state();
                if state.waiting.len() > 0 {
                    return true;
                }
                if state.closed {
                    return false;
                }
            }
            self.asked.notified().await;
        }
    }

    /// Refuses further units of work. Those that wait are still run.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.asked.notify_one();
    }

    /// What the last failed write says about the disk, until a probe has succeeded.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        self.state().doubt
    }

    /// A probe has written to the disk.
    pub(crate) fn trust(&self) {
        self.state().doubt = None;
    }

    /// Keeps what a failed write says about the disk. A write that succeeds proves nothing about a longer one.
    pub(crate) fn learn(&self, error: &StoreError) {
        let doubt = match error {
            StoreError::Full => Doubt::Full,
            StoreError::Backend(_) => Doubt::Failed,
            StoreError::Busy
            | StoreError::Conflict(_)
            | StoreError::Moved(_)
            | StoreError::Rejected(_) => return,
        };
        self.state().doubt = Some(doubt);
    }
}
