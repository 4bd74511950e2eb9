//! The units of work that wait for the writer, and what else its task shares with those who ask it.

use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Whether the last that is known of the disk is that it could not be written.
    in_doubt: AtomicBool,
}

#[derive(Default)]
struct State {
    waiting: FairQueue<Waiting>,
    closed: bool,
}

/// A line that is closed when this is dropped.
pub(crate) struct Open(Arc<Line>);

impl Open {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Line {
            state: Mutex::default(),
            asked: Notify::new(),
            in_doubt: AtomicBool::new(false),
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

    /// Whether the last write that failed, failed because of the disk.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.in_doubt.load(Ordering::Relaxed)
    }

    /// Something was written, or could not be: what that says of the disk.
    pub(crate) fn learn(&self, written: Result<(), &StoreError>) {
        match written {
            Ok(()) => self.in_doubt.store(false, Ordering::Relaxed),
            Err(StoreError::Full | StoreError::Backend(_)) => {
                self.in_doubt.store(true, Ordering::Relaxed);
            }
            Err(StoreError::Busy | StoreError::Conflict(_) | StoreError::Rejected(_)) => {}
        }
    }
}
