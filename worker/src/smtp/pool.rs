//! Idle connections, the latest on top.
//!
//! A connection is taken out by value and comes back only when an exchange ended cleanly, so a
//! try that is cancelled, times out or fails cannot leave a half-used one here. The relay is the
//! only user.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::RelayOptions;
use super::connection::Connection;
use super::connection_limit::ConnectionLimit;

/// How long a relay may take over its goodbye.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

pub(super) struct Pool {
    max_idle: Duration,
    max_mails: u32,
    max_refusals: u32,
    max_age: Duration,
    connection_limit: Arc<ConnectionLimit>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In the order they came back.
    idle: Vec<Idle>,
    /// Whether a task is waiting to drop them by age.
    reaping: bool,
    closed: bool,
}

struct Idle {
    connection: Connection,
    until: Instant,
}

impl Pool {
    pub(super) fn new(options: &RelayOptions, connection_limit: Arc<ConnectionLimit>) -> Arc<Self> {
        Arc::new(Self {
            max_idle: options.max_idle,
            max_mails: options.max_mails,
            max_refusals: options.max_refusals,
            max_age: options.max_age,
            connection_limit,
            state: Mutex::default(),
        })
    }

    /// The connection used last, if it is not too old.
    pub(super) fn take(&self) -> Option<Connection> {
        let now = Instant::now();
        let mut state = self.lock();
        // Those that are too old are the reaper's.
        let youngest = state.idle.iter().rposition(|idle| idle.until > now)?;
        Some(state.idle.remove(youngest).connection)
    }

    /// Puts back a connection whose last exchange ended cleanly.
    pub(super) fn put(self: &Arc<Self>, connection: Connection) {
        let mut state = self.lock();
        let now = Instant::now();
        let aged = connection.opened() + self.max_age;
        let worn = connection.mails() >= self.max_mails
            || connection.refusals() >= self.max_refusals
            || aged <= now;
        if state.closed || worn {
            drop(state);
            // The mail is done; its caller need not wait for a goodbye.
            tokio::spawn(connection.quit(GOODBYE));
            return;
        }
        let until = aged.min(now + self.max_idle);
        state.idle.push(Idle { connection, until });
        self.connection_limit.has_changed();
        if !std::mem::replace(&mut state.reaping, true) {
            tokio::spawn(reap(Arc::downgrade(self), until));
        }
    }

    /// How many connections wait for a mail.
    pub(super) fn idle(&self) -> usize {
        self.lock().idle.len()
    }

    /// Says goodbye to all idle connections; none is kept from now on.
    pub(super) async fn close(&self) {
        let idle = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        goodbye(idle).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops connections as they get too old, and ends when none is left.
async fn reap(pool: Weak<Pool>, mut next: Instant) {
    loop {
        sleep_until(next).await;
        let Some(pool) = pool.upgrade() else { return };
        let (old, more) = {
            let mut state = pool.lock();
            let now = Instant::now();
            let old: Vec<_> = state
                .idle
                .extract_if(.., |idle| idle.until <= now)
                .collect();
            match state.idle.iter().map(|idle| idle.until).min() {
                Some(first) => next = first,
                None => state.reaping = false,
            }
            (old, state.reaping)
        };
        goodbye(old).await;
        if !more {
            return;
        }
    }
}

async fn goodbye(idle: Vec<Idle>) {
    let mut leaving: JoinSet<()> = idle
        .into_iter()
        .map(|idle| idle.connection.quit(GOODBYE))
        .collect();
    while leaving.join_next().await.is_some() {}
}
