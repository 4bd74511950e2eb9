//! The handle by which tests change the faults of a running catcher.
//!
//! Apart from the rules because it also carries orders to the listener. Cloned into
//! every connection, which asks it at each stage.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use super::rules::Rules;
use super::{Fault, Strike};
use crate::stage::Stage;

/// The faults in force. Clones share them.
#[derive(Clone)]
pub struct Faults {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
}

struct Shared {
    /// One bit for each stage that has any rule: spares the lock where there is none.
    armed: AtomicU32,
    sets: Mutex<Sets>,
    releases: watch::Sender<u64>,
}

#[derive(Default)]
struct Sets {
    injected: Rules,
    /// Rules from the configuration; they come last and outlive [`Faults::clear`].
    standing: Rules,
}

/// What the listener is told to do; it answers when that is done.
pub(crate) enum Order {
    Refuse(oneshot::Sender<io::Result<()>>),
    Accept(oneshot::Sender<io::Result<()>>),
    Cut(oneshot::Sender<io::Result<()>>),
}

impl Faults {
    pub(crate) fn new(
        standing: impl IntoIterator<Item = Fault>,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        let mut sets = Sets::default();
        standing
            .into_iter()
            .for_each(|fault| sets.standing.add(fault));
        let shared = Shared {
            armed: AtomicU32::new(sets.armed()),
            sets: Mutex::new(sets),
            releases: watch::Sender::new(0),
        };
        Self {
            shared: Arc::new(shared),
            orders,
        }
    }

    /// Puts a fault in force. Where several match, the one added first strikes.
    pub fn add(&self, fault: Fault) {
        self.change(|sets| sets.injected.add(fault));
    }

    /// Takes all added faults out of force. Connections that hang go on hanging;
    /// see [`Faults::release`].
    pub fn clear(&self) {
        self.change(|sets| sets.injected.clear());
    }

    /// Lets every connection that hangs now go on as if it had not, including one
    /// that has reached its stage but is only about to hang.
    pub fn release(&self) {
        self.shared.releases.send_modify(|releases| *releases += 1);
    }

    /// Stops listening: new connections are refused by the system, as they are when
    /// a relay is down. The port stays reserved; open connections go on.
    pub async fn refuse_connections(&self) -> io::Result<()> {
        self.order(Order::Refuse).await
    }

    /// Listens again, on the same port.
    pub async fn accept_connections(&self) -> io::Result<()> {
        self.order(Order::Accept).await
    }

    /// Closes every open connection, wherever it stands, and waits until that is done.
    pub async fn cut_connections(&self) -> io::Result<()> {
        self.order(Order::Cut).await
    }

    pub(crate) fn strike<'a>(
        &self,
        stage: Stage,
        whom: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Option<Strike> {
        if self.shared.armed.load(Ordering::SeqCst) & (1 << stage as u8) == 0 {
            return None;
        }
        let mut sets = self.sets();
        let struck = sets.injected.strike(stage, whom);
        let mut strike = struck.or_else(|| sets.standing.strike(stage, whom))?;
        strike.release = Some(self.shared.releases.subscribe());
        Some(strike)
    }

    async fn order(
        &self,
        order: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Order,
    ) -> io::Result<()> {
        let gone = || io::Error::other("the mail catcher has been stopped");
        let (done, answer) = oneshot::channel();
        self.orders
            .send(order(done))
            .await
            .map_err(|_closed| gone())?;
        answer.await.map_err(|_closed| gone())?
    }

    fn change(&self, change: impl FnOnce(&mut Sets)) {
        let mut sets = self.sets();
        change(&mut sets);
        self.shared.armed.store(sets.armed(), Ordering::SeqCst);
    }

    fn sets(&self) -> MutexGuard<'_, Sets> {
        self.shared
            .sets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sets {
    fn armed(&self) -> u32 {
        self.injected.armed() | self.standing.armed()
    }
}
