//! One connection: opened, lent, and given back once its statement has ended.
//!
//! sqlx runs each connection's statements on a thread of the connection's own: a future that is dropped leaves its
//! statement running and the connection busy. So a connection that comes back is asked whether it is idle before it
//! is lent again, its statement is interrupted meanwhile, and until then it counts as the caller's; unless its caller says
//! that every statement has ended.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::store::{Caller, Ticket};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Handle;

use super::Shared;
use super::watch::{STEPS, Watch};
use crate::executor::ConnectionGuard;

pub(super) struct ReadConnection {
    pub(super) connection: SqliteConnection,
    watch: Arc<Watch>,
}

/// A connection that is lent. It goes back when it is dropped and its statement has ended.
pub(crate) struct Lent {
    /// Missing while it is opened.
    pub(super) reader: Option<ReadConnection>,
    pub(super) ticket: Ticket,
    pub(super) since: Instant,
    /// Whether a statement may be.
    pub(super) under_way: bool,
    /// Where it goes back to; nowhere if no receiver was there.
    pub(super) of: Option<Arc<Shared>>,
}

impl ReadConnection {
    pub(super) async fn open(options: &SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let mut connection = options.connect().await?;
        let watch = Arc::new(Watch::new());
        let asked = Arc::clone(&watch);
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, move || asked.goes_on());
        Ok(Self { connection, watch })
    }

    /// How long its statements were at work since this was asked last.
    pub(super) fn worked(&self) -> Duration {
        self.watch.worked()
    }

    /// Waits until what may still run has ended; `None` if the connection is lost.
    async fn settled(mut self) -> Option<Self> {
        if let Err(error) = self.connection.ping().await {
            tracing::warn!(%error, "a connection to the database is lost");
            return None;
        }
        self.watch.abandoned.store(false, Ordering::Relaxed);
        Some(self)
    }
}

impl Deref for Lent {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.reader.as_ref().expect("it is open").connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        self.under_way = true;
        let reader = self.reader.as_mut().expect("it is open");
        reader.watch.begins();
        &mut reader.connection
    }
}

impl ConnectionGuard for Lent {
    fn idle(&mut self) {
        self.under_way = false;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(of) = self.of.take() else {
            return;
        };
        let nothing = Ticket::new(Caller::Process, self.ticket.deadline);
        let Ticket { caller, slot, .. } = std::mem::replace(&mut self.ticket, nothing);
        let (reader, since) = (self.reader.take(), self.since);
        if !self.under_way {
            drop(slot);
            return of.give_back(reader, &caller, since);
        }
        match (reader, Handle::try_current()) {
            (Some(reader), Ok(runtime)) => {
                reader.watch.abandoned.store(true, Ordering::Relaxed);
                runtime.spawn(async move {
                    let reader = reader.settled().await;
                    drop(slot);
                    of.give_back(reader, &caller, since);
                });
            }
            _ => of.give_back(None, &caller, since),
        }
    }
}
