//! The handle through which tests change the faults of a running catcher.
//!
//! Separate from the rules because it also sends commands to the listener. Each connection has a
//! clone and queries it at each stage.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use super::rules::Rules;
use super::{Effect, Fault};
use crate::stage::Stage;

/// The active faults. Clones share them.
#[derive(Clone)]
pub struct Faults {
    shared: Arc<Shared>,
    commands: mpsc::Sender<ListenerCommand>,
}

struct Shared {
    /// One bit for each stage with a rule, so that a stage without rules takes no lock.
    armed: AtomicU32,
    sets: Mutex<Sets>,
    releases: watch::Sender<u64>,
}

#[derive(Default)]
struct Sets {
    injected: Rules,
    /// Rules from the configuration. They match last, and [`Faults::clear`] keeps them.
    configured: Rules,
}

/// A command to the listener, which replies when it is done.
pub(crate) enum ListenerCommand {
    Refuse(oneshot::Sender<io::Result<()>>),
    Accept(oneshot::Sender<io::Result<()>>),
    Cut(oneshot::Sender<io::Result<()>>),
}

impl Faults {
    pub(crate) fn new(
        configured: impl IntoIterator<Item = Fault>,
        commands: mpsc::Sender<ListenerCommand>,
    ) -> Self {
        let mut sets = Sets::default();
        configured
            .into_iter()
            .for_each(|fault| sets.configured.add(fault));
        let shared = Shared {
            armed: AtomicU32::new(sets.armed()),
            sets: Mutex::new(sets),
            releases: watch::Sender::new(0),
        };
        Self {
            shared: Arc::new(shared),
            commands,
        }
    }

    /// Activates a fault. If several match, the one added first applies.
    pub fn add(&self, fault: Fault) {
        self.change(|sets| sets.injected.add(fault));
    }

    /// Removes all added faults. Hanging connections keep hanging; see [`Faults::release`].
    pub fn clear(&self) {
        self.change(|sets| sets.injected.clear());
    }

    /// Resumes every hanging connection, including one that has reached its stage and is about to
    /// hang.
    pub fn release(&self) {
        self.shared.releases.send_modify(|releases| *releases += 1);
    }

    /// Stops listening: the operating system refuses new connections, as when a relay is down. The
    /// port stays reserved and open connections continue.
    pub async fn refuse_connections(&self) -> io::Result<()> {
        self.command(ListenerCommand::Refuse).await
    }

    /// Starts listening again on the same port.
    pub async fn accept_connections(&self) -> io::Result<()> {
        self.command(ListenerCommand::Accept).await
    }

    /// Closes every open connection at whatever stage, and waits until all are closed.
    pub async fn cut_connections(&self) -> io::Result<()> {
        self.command(ListenerCommand::Cut).await
    }

    pub(crate) fn effect<'a>(
        &self,
        stage: Stage,
        target: &(impl Iterator<Item = &'a str> + Clone),
    ) -> Option<Effect> {
        if self.shared.armed.load(Ordering::SeqCst) & (1 << stage as u8) == 0 {
            return None;
        }
        let mut sets = self.sets();
        let hits = sets.injected.effect(stage, target);
        let mut effect = hits.or_else(|| sets.configured.effect(stage, target))?;
        effect.release = Some(self.shared.releases.subscribe());
        Some(effect)
    }

    async fn command(
        &self,
        command: impl FnOnce(oneshot::Sender<io::Result<()>>) -> ListenerCommand,
    ) -> io::Result<()> {
        let gone = || io::Error::other("the mail catcher has been stopped");
        let (done, answer) = oneshot::channel();
        self.commands
            .send(command(done))
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
        self.injected.armed() | self.configured.armed()
    }
}
