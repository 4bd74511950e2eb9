//! The connections that callers read over, lent in turns.
//!
//! sqlx runs each connection's statements on a thread of the connection's own: a future that is dropped leaves its
//! statement running and the connection busy. So a connection that comes back is asked whether it is idle before it
//! is lent again, its statement is interrupted meanwhile, and until then it counts as the caller's; unless its caller says
//! that every statement has ended. No caller has all of them, so that whoever comes next need not wait for a long statement of another's.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::store::{Caller, StoreError, Ticket};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout_at;

use crate::access::Connected;
use crate::error::store_error;
use crate::fair::FairQueue;

/// After so many steps of its virtual machine `SQLite` looks whether the statement's caller has gone away. A step may
/// read or write a whole note, so these are few.
const STEPS: i32 = 50;

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

struct Reader {
    connection: SqliteConnection,
    /// Whether its statement may be interrupted: the caller has gone away.
    abandoned: Arc<AtomicBool>,
}

/// A connection that is lent. It goes back when it is dropped and its statement has ended.
pub(crate) struct Lent {
    /// Missing while it is opened.
    reader: Option<Reader>,
    ticket: Ticket,
    /// Whether a statement may be.
    under_way: bool,
    /// Where it goes back to; nowhere if nobody was there to take it.
    of: Option<Arc<Shared>>,
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

impl Reader {
    async fn open(options: &SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        let mut connection = options.connect().await?;
        let abandoned = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&abandoned);
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, move || !asked.load(Ordering::Relaxed));
        Ok(Self {
            connection,
            abandoned,
        })
    }

    /// Waits until what may still run has ended; `None` if the connection is lost.
    async fn settled(mut self) -> Option<Self> {
        if let Err(error) = self.connection.ping().await {
            tracing::warn!(%error, "a connection to the database is lost");
            return None;
        }
        self.abandoned.store(false, Ordering::Relaxed);
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
        &mut self.reader.as_mut().expect("it is open").connection
    }
}

impl Connected for Lent {
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
        let reader = self.reader.take();
        if !self.under_way {
            drop(slot);
            return of.give_back(reader, &caller);
        }
        match (reader, Handle::try_current()) {
            (Some(reader), Ok(runtime)) => {
                reader.abandoned.store(true, Ordering::Relaxed);
                runtime.spawn(async move {
                    let reader = reader.settled().await;
                    drop(slot);
                    of.give_back(reader, &caller);
                });
            }
            _ => of.give_back(None, &caller),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::id::UserId;
    use futures_util::future::poll_immediate;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn readers(most: u32) -> Readers {
        let options = SqliteConnectOptions::new().filename(":memory:");
        Readers::new(options, most, PATIENCE)
    }

    fn ticket(number: i64) -> Ticket {
        Ticket::new(
            Caller::User(UserId(number)),
            Instant::now() + Duration::from_secs(30),
        )
    }

    #[tokio::test]
    async fn no_caller_has_all_connections() {
        let readers = readers(3);
        let _held = [
            readers.lend(ticket(1)).await.unwrap(),
            readers.lend(ticket(1)).await.unwrap(),
        ];

        let third = poll_immediate(Box::pin(readers.lend(ticket(1)))).await;
        let anothers = readers.lend(ticket(2)).await;

        assert!(third.is_none(), "it waits");
        assert!(anothers.is_ok());
    }

    #[tokio::test]
    async fn connections_are_lent_in_turns() {
        let readers = readers(1);
        let held = readers.lend(ticket(1)).await.unwrap();
        let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
        for number in [1, 1, 1, 2, 3] {
            let mut turn = Box::pin({
                let readers = readers.clone();
                async move { readers.lend(ticket(number)).await.unwrap() }
            });
            assert!(poll_immediate(&mut turn).await.is_none());
            let served = served.clone();
            tokio::spawn(async move {
                let lent = turn.await;
                served.send(number).unwrap();
                drop(lent);
            });
        }

        drop(held);

        let mut all = Vec::new();
        for _ in 0..5 {
            all.push(order.recv().await.unwrap());
        }
        assert_eq!(all, [1, 2, 3, 1, 1]);
    }

    /// The statement has no end of its own.
    #[tokio::test]
    async fn a_statement_whose_caller_goes_away_is_interrupted_and_counts_until_then() {
        let readers = readers(1);
        let slot = Arc::new(());
        let mut lent = readers
            .lend(Ticket {
                slot: Some(slot.clone()),
                ..ticket(1)
            })
            .await
            .unwrap();
        let mut endless = Box::pin(async move {
            let statement = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
            sqlx::query(statement).fetch_one(&mut *lent).await
        });
        assert!(poll_immediate(&mut endless).await.is_none());

        drop(endless);
        let counted = Arc::strong_count(&slot);
        let mut next = readers.lend(ticket(2)).await.unwrap();
        let answered: i64 = sqlx::query_scalar("select 7")
            .fetch_one(&mut *next)
            .await
            .unwrap();

        assert_eq!((counted, answered), (2, 7));
        drop(next);
        readers.close().await;
        assert_eq!(Arc::strong_count(&slot), 1, "it is given back");
    }

    #[tokio::test]
    async fn a_connection_whose_statements_have_ended_goes_back_at_once() {
        let readers = readers(1);
        let mut held = readers.lend(ticket(1)).await.unwrap();
        let one: i64 = sqlx::query_scalar("select 1")
            .fetch_one(&mut *held)
            .await
            .unwrap();

        held.idle();
        drop(held);

        let next = poll_immediate(Box::pin(readers.lend(ticket(2)))).await;
        assert_eq!(one, 1);
        assert!(next.is_some_and(|next| next.is_ok()));
    }

    #[tokio::test]
    async fn whoever_goes_away_while_waiting_keeps_nobody_else_waiting() {
        let readers = readers(1);
        let held = readers.lend(ticket(1)).await.unwrap();
        for _ in 0..10 {
            let mut leaver = Box::pin(readers.lend(ticket(2)));
            assert!(poll_immediate(&mut leaver).await.is_none());
        }

        drop(held);

        assert!(readers.lend(ticket(3)).await.is_ok());
        readers.close().await;
    }

    #[tokio::test]
    async fn a_deadline_ends_the_wait() {
        let readers = readers(1);
        let _held = readers.lend(ticket(1)).await.unwrap();

        let late = Ticket::new(Caller::Process, Instant::now());
        let answer = readers.lend(late).await.err();

        assert!(matches!(answer, Some(StoreError::Busy)), "{answer:?}");
    }
}
