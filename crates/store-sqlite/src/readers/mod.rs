//! The connections that callers read over, lent in turns ([`connection`] has what a lent one is).
//!
//! A statement can't be put aside once it runs, so a short read is quick only if a connection is free. One caller leaves
//! a quarter of the connections to others, at least one; and so do all greedy callers together, however many they are
//! ([`greedy`], [`loans`]).

mod connection;
mod greedy;
mod loans;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::store::{Caller, StoreError, Ticket};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout_at;

use crate::error::store_error;
use crate::fair_queue::FairQueue;
use connection::{Lent, ReadConnection};
use loans::Loans;

/// Lends connections for reading. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Shared>);

struct Shared {
    options: SqliteConnectOptions,
    /// How long a read waits at most.
    timeout: Duration,
    state: Mutex<State>,
    returned: Notify,
}

struct State {
    idle: Vec<ReadConnection>,
    loans: Loans,
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
            timeout,
            state: Mutex::new(State {
                idle: Vec::new(),
                loans: Loans::new(most as usize),
                waiting: FairQueue::default(),
                closed: false,
            }),
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
            lent.reader = Some(
                ReadConnection::open(&self.0.options)
                    .await
                    .map_err(store_error)?,
            );
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
                (std::mem::take(&mut state.idle), state.loans.are_over())
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

    fn ask(self: &Arc<Self>, ticket: Ticket) -> Result<Asked, StoreError> {
        let mut state = self.state();
        if state.closed {
            return Err(closed());
        }
        let now = Instant::now();
        if state.loans.may_have_one(&ticket.caller, now) {
            return Ok(Asked::Lent(self.take(&mut state, ticket, now)));
        }
        let (lend, turn) = oneshot::channel();
        let caller = ticket.caller.clone();
        state.waiting.push(caller, Waiting { ticket, lend });
        Ok(Asked::Waits(turn))
    }

    /// A connection, or the place for one.
    fn take(self: &Arc<Self>, state: &mut State, ticket: Ticket, now: Instant) -> Lent {
        state.loans.begin(ticket.caller.clone(), now);
        Lent {
            reader: state.idle.pop(),
            ticket,
            since: now,
            under_way: false,
            of: Some(Arc::clone(self)),
        }
    }

    /// Takes back what a caller was lent, and lends what there is to those who wait. A connection may be lost.
    fn give_back(
        self: &Arc<Self>,
        reader: Option<ReadConnection>,
        caller: &Caller,
        since: Instant,
    ) {
        let mut state = self.state();
        let state = &mut *state;
        let now = Instant::now();
        let worked = reader
            .as_ref()
            .map_or(Duration::ZERO, ReadConnection::worked);
        state.idle.extend(reader);
        state.loans.end(caller, since);
        let waiting = state.waiting.callers();
        state.loans.greedy.count(caller, worked, waiting, now);
        while let Some(Waiting { ticket, lend }) = {
            let may = |caller: &Caller| state.loans.may_have_one(caller, now);
            state.waiting.pop(may)
        } {
            if let Err(mut unsent) = lend.send(self.take(state, ticket, now)) {
                // Its caller has gone away meanwhile.
                unsent.of = None;
                state.idle.extend(unsent.reader.take());
                state.loans.undo();
            }
        }
        if state.closed {
            self.returned.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
