//! The connections that callers read over, lent in turns ([`connection`] has what a lent one is). No caller has all of
//! them, so that whoever comes next need not wait for a long statement of another's.

mod connection;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::store::{Caller, StoreError, Ticket};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout_at;

use crate::error::store_error;
use crate::fair::FairQueue;
use connection::{Lent, Reader};

/// Lends connections for reading. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Shared>);

struct Shared {
    options: SqliteConnectOptions,
    /// How many connections there are at most.
    most: usize,
    /// How long a read waits at most.
    timeout: Duration,
    state: Mutex<State>,
    returned: Notify,
}

#[derive(Default)]
struct State {
    idle: Vec<Reader>,
    /// Whose the others are, those that are being opened included.
    lent: Vec<Caller>,
    waiting: FairQueue<Waiting>,
    closed: bool,
}

struct Waiting {
    ticket: Ticket,
    lend: oneshot::Sender<Lent>,
}

impl Readers {
    /// So many connections, each opened when it is needed first.
    pub(crate) fn new(options: SqliteConnectOptions, most: u32, timeout: Duration) -> Self {
        Self(Arc::new(Shared {
            options,
            most: most as usize,
            timeout,
            state: Mutex::default(),
            returned: Notify::new(),
        }))
    }

    /// A connection, when the caller's turn has come.
    pub(crate) async fn lend(&self, ticket: Ticket) -> Result<Lent, StoreError> {
        let until = ticket.deadline.min(Instant::now() + self.0.timeout);
        let mut lent = match self.0.ask(ticket)? {
            Asked::Lent(lent) => lent,
            Asked::Waits(turn) => match timeout_at(until.into(), turn).await {
                Ok(lent) => lent.map_err(|_| closed())?,
                Err(_) => return Err(StoreError::Busy),
            },
        };
        if lent.reader.is_none() {
            lent.reader = Some(Reader::open(&self.0.options).await.map_err(store_error)?);
        }
        Ok(lent)
    }

    /// Waits until every connection has come back, and closes them.
    pub(crate) async fn close(&self) {
        loop {
            let (idle, over) = {
                let mut state = self.0.state();
                state.closed = true;
                state.waiting = FairQueue::default();
                (std::mem::take(&mut state.idle), state.lent.is_empty())
            };
            for reader in idle {
                let _ = reader.connection.close().await;
            }
            if over {
                break;
            }
            self.0.returned.notified().await;
        }
    }
}

fn closed() -> StoreError {
    StoreError::Backend("the database has been closed".into())
}

enum Asked {
    Lent(Lent),
    Waits(oneshot::Receiver<Lent>),
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections one caller has at most: all but one, if there are several.
    fn share(&self) -> usize {
        self.most.saturating_sub(1).max(1)
    }

    fn ask(self: &Arc<Self>, ticket: Ticket) -> Result<Asked, StoreError> {
        let mut state = self.state();
        if state.closed {
            return Err(closed());
        }
        if state.lent.len() < self.most && may_have_more(&state.lent, &ticket.caller, self.share())
        {
            state.lent.push(ticket.caller.clone());
            return Ok(Asked::Lent(Lent {
                reader: state.idle.pop(),
                ticket,
                under_way: false,
                of: Some(Arc::clone(self)),
            }));
        }
        let (lend, turn) = oneshot::channel();
        let caller = ticket.caller.clone();
        state.waiting.push(caller, Waiting { ticket, lend });
        Ok(Asked::Waits(turn))
    }

    /// Lends a caller's connection to the next, or the place for one where it is lost.
    fn give_back(self: &Arc<Self>, mut reader: Option<Reader>, caller: &Caller) {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(place) = state.lent.iter().position(|one| one == caller) {
            state.lent.swap_remove(place);
        }
        while let Some(Waiting { ticket, lend }) = {
            let (lent, share) = (&state.lent, self.share());
            let next = |caller: &Caller| may_have_more(lent, caller, share);
            state.waiting.pop(next)
        } {
            let caller = ticket.caller.clone();
            let sent = lend.send(Lent {
                reader: reader.take(),
                ticket,
                under_way: false,
                of: Some(Arc::clone(self)),
            });
            match sent {
                Ok(()) => {
                    state.lent.push(caller);
                    return;
                }
                // It has gone away meanwhile.
                Err(mut unsent) => {
                    unsent.of = None;
                    reader = unsent.reader.take();
                }
            }
        }
        state.idle.extend(reader);
        if state.closed {
            self.returned.notify_one();
        }
    }
}

fn may_have_more(lent: &[Caller], caller: &Caller, share: usize) -> bool {
    *caller == Caller::Process || lent.iter().filter(|one| *one == caller).count() < share
}

#[cfg(test)]
mod tests;
