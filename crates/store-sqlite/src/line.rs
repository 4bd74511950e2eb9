//! The units of work that wait for the writer, and what else its task shares with those who ask it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::store::{Caller, StoreError};
use tokio::sync::Notify;

use crate::fair::FairQueue;
use crate::writer::{Waiting, gone};

/// The most units of work that wait; more are refused as [`StoreError::Busy`].
const WAITING: usize = 4096;

/// The most of them that are one caller's.
const WAITING_OF_ONE: usize = WAITING / 4;

pub(crate) struct Line {
    state: Mutex<State>,
    asked: Notify,
}

#[derive(Default)]
struct State {
    waiting: FairQueue<Waiting>,
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

/// A line that is closed when this is dropped.
pub(crate) struct Open(Arc<Line>);

impl Open {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Line {
            state: Mutex::default(),
            asked: Notify::new(),
        }))
    }

    pub(crate) fn line(&self) -> Arc<Line> {
        Arc::clone(&self.0)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a unit of work at the end of its caller's. The process itself is never refused: what it waits for is
    /// little.
    pub(crate) fn push(&self, caller: Caller, unit: Waiting) -> Result<(), StoreError> {
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

    /// What is next, if anything waits.
    pub(crate) fn pop(&self) -> Option<Waiting> {
        self.state().waiting.pop(|_| true)
    }

    /// Waits until something waits. False once the line is closed and empty.
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

    /// Takes in no more. What waits is still served.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.asked.notify_one();
    }

    /// What the last write that failed because of the disk says of it, until it is trusted again.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        self.state().doubt
    }

    /// The disk was tried, and can be written.
    pub(crate) fn trust(&self) {
        self.state().doubt = None;
    }

    /// Something could not be written: what that says of the disk. What can be written says nothing of what is longer.
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
