//! How many connections a relay accepts. Many accept fewer from one client than our own limit and say so only when one
//! more is opened. A mail whose connection was refused so waits for one of those that are open: the relay works.
//!
//! Where none of ours is open, the relay is full of other clients' connections, another worker of ours perhaps, or it
//! accepts none at all. Both are said with 421 and can't be told apart; either is trouble and may open the breaker (test
//! `a_relay_that_takes_no_connection_at_all_is_in_trouble`). That is right for a full relay too. No try is counted. A
//! worker that gets no connection claims nothing, and leaves the mails to the one that has them, or it sends them to
//! the next relay. Its probes, which take a connection for a moment only, find out within seconds when one more is accepted.
//! With its breaker closed it would claim one mail after another to have each refused and wait, while others could
//! have sent it.
//!
//! Apart from the pool, which holds the idle connections alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

use super::{Reply, Stage};

/// For how long no more connections are asked for after one was refused.
const FULL: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct ConnectionLimit {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Connections that are open or being opened.
    open: usize,
    /// Until when one more would be refused, and how one was.
    full: Option<(Instant, Reply)>,
}

/// The permit for a connection, from before it is opened until it is closed.
pub(super) struct ConnectionPermit(Arc<ConnectionLimit>);

impl ConnectionLimit {
    /// Whether a reply to a new connection says that it is one too many (RFC 5321 §3.8: 421).
    pub(super) fn is_denied_by(stage: Stage, reply: &Reply) -> bool {
        stage == Stage::Greeting && reply.code == 421
    }

    /// A permit for one more connection, or else until when there is none and how one was refused. Where none is open, one
    /// may be opened at any time.
    pub(super) fn enter(self: &Arc<Self>) -> Result<ConnectionPermit, (Instant, Reply)> {
        let mut state = self.lock();
        if let Some((until, reply)) = &state.full
            && state.open > 0
            && *until > Instant::now()
        {
            return Err((*until, reply.clone()));
        }
        state.open += 1;
        Ok(ConnectionPermit(Arc::clone(self)))
    }

    /// A connection may have come free: there is an idle one, or one is gone.
    pub(super) fn has_changed(&self) {
        self.changed.notify_one();
    }

    /// Waits for that.
    pub(super) fn change(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// How many connections are open or being opened.
    pub(super) fn open(&self) -> usize {
        self.lock().open
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionPermit {
    /// The relay refused this connection as one too many. True: there are others, which can be waited for.
    pub(super) fn was_denied(self, reply: &Reply) -> bool {
        let mut state = self.0.lock();
        let others = state.open > 1;
        if others {
            state.full = Some((Instant::now() + FULL, reply.clone()));
        }
        others
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.lock().open -= 1;
        self.0.has_changed();
    }
}
