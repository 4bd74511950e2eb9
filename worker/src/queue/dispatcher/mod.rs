//! The one task that talks to the queue.
//!
//! Handlers ask it for permits and report their results. It knows the mails in flight and commits batches: settlements,
//! permits and claims together in one transaction, so that one write to the disk serves many mails. Nothing is dropped
//! when the database is busy: the commit is repeated. A batch that the database would refuse for ever is split.
//!
//! | File | What it holds |
//! |---|---|
//! | `mod` | when a batch is committed |
//! | `batch` | what goes into a batch, and what its report changes |
//! | `claims` | which mails a batch claims |
//! | `commit` | the commit with its retries |
//! | `handle` | how handlers reach the dispatcher |

mod batch;
mod claims;
mod commit;
mod handle;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use domain::id::MailId;
use domain::queue::due::due;
use domain::queue::{Claim, Claimed, Keys, QueueBatch, Watch};
use domain::store::{Store, StoreError};
use jiff::Timestamp;
use runtime::shutdown::Shutdown;
use runtime::systemd::Liveness;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use crate::smtp::SlowLane;
use batch::InFlight;
pub(super) use batch::tell_foreign;
use claims::{Claims, may_claim};
use commit::RETRY;
use handle::Message;
pub use handle::{DispatcherHandle, HandlerResult};

/// The most messages in one batch.
const BATCH: usize = 256;

/// How long messages are gathered after a commit. The database's writer pauses as long anyway: a batch made earlier would
/// only wait there, without the messages that come in meanwhile.
const GATHER: Duration = Duration::from_millis(2);

/// The longest sleep without looking for due mails: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(2);

/// The worker that claims: how many mails, and which.
#[derive(Debug, Clone)]
pub struct Claimant {
    /// The worker's name, unique per start.
    pub worker: String,
    /// How many mails may be in flight at once.
    pub slots: usize,
    /// The keys of the codes that it can make.
    pub keys: Keys,
    /// The places for attempts that take long.
    pub lane: SlowLane,
}

/// The dispatcher, to be [`run`](Dispatcher::run) as a task of its own.
pub struct Dispatcher {
    store: Store,
    clock: Arc<dyn Clock>,
    claimant: Claimant,
    gate: Gate,
    shutdown: Shutdown,
    /// Cancelled when handlers are given up: from then on time is short.
    abandon: CancellationToken,
    inbox: mpsc::UnboundedReceiver<Message>,
    claimed: mpsc::UnboundedSender<Claimed>,
    in_flight: HashMap<Claim, InFlight>,
    /// Mails to be woken.
    woken: Vec<MailId>,
    liveness: Liveness,
    claims: Claims,
    /// Whether a slot came free without anything to settle.
    freed: bool,
    /// Until when messages are gathered for the next batch.
    gather: tokio::time::Instant,
    closing: bool,
}

impl Dispatcher {
    /// A dispatcher for a worker, the way to reach it, and the mails it claims.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        claimant: Claimant,
        gate: Gate,
        shutdown: Shutdown,
        abandon: CancellationToken,
    ) -> (Self, DispatcherHandle, mpsc::UnboundedReceiver<Claimed>) {
        let (sender, inbox) = mpsc::unbounded_channel();
        let (claimed, mails) = mpsc::unbounded_channel();
        let dispatcher = Self {
            store,
            clock,
            claimant,
            gate,
            shutdown,
            abandon,
            inbox,
            claimed,
            in_flight: HashMap::new(),
            woken: Vec::new(),
            liveness: Liveness::of("the dispatcher"),
            claims: Claims::default(),
            freed: false,
            gather: tokio::time::Instant::now(),
            closing: false,
        };
        (dispatcher, DispatcherHandle::new(sender), mails)
    }

    /// The dispatcher's liveness: it answers between two batches, and between two commits of one.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        self.liveness.clone()
    }

    /// Commits batches until it is closed and everything is settled.
    pub async fn run(mut self) -> Result<(), StoreError> {
        let mut watch = self.store.watch().await?;
        let mut due = Some(self.clock.now());
        let mut messages = Vec::with_capacity(BATCH);
        while !(self.closing && self.in_flight.is_empty()) {
            let look = self.wait(&mut messages, watch.as_mut(), due).await;
            self.liveness.pong();
            let (batch, pending) = self.prepare(messages.drain(..));
            let freed = std::mem::take(&mut self.freed);
            if is_empty(&batch) && !((look || freed) && batch.claim + batch.slow > 0) {
                // What was due is gone, or held: without this the wait above would be none at all.
                if due.is_some_and(|at| at <= self.clock.now()) {
                    due = self.next_due(watch.as_mut()).await;
                }
                continue;
            }
            let (asked, asked_slow) = (batch.claim as usize, batch.slow as usize);
            let committed = self.commit(batch).await?;
            self.gather = tokio::time::Instant::now() + GATHER;
            let all_claimed = self.learn(asked, asked_slow, &committed.report.claimed)
                && !committed.refuses_claims;
            self.apply_report(committed, pending);
            // With free slots left nothing more is due now; otherwise a settlement causes the next batch. Mails that
            // can't be claimed are looked at after the longest sleep.
            due = if all_claimed {
                self.next_due(watch.as_mut()).await
            } else {
                None
            };
        }
        Ok(())
    }

    /// Waits for something to do. True: mails may be due.
    async fn wait(
        &mut self,
        messages: &mut Vec<Message>,
        watch: &mut dyn Watch,
        due: Option<Timestamp>,
    ) -> bool {
        let (free, trials) = (self.free(), self.trials());
        let may_claim_any = may_claim(&self.gate, free, trials);
        let pause = match due {
            Some(at) => Duration::try_from(at.duration_since(self.clock.now()))
                .unwrap_or_default()
                .min(LONGEST_SLEEP),
            None => LONGEST_SLEEP,
        };
        let stopping = self.shutdown.is_cancelled();
        tokio::time::sleep_until(self.gather).await;
        tokio::select! {
            biased;
            _ = self.inbox.recv_many(messages, BATCH) => false,
            () = self.liveness.pinged() => false,
            () = self.shutdown.cancelled(), if !stopping => false,
            () = self.gate.changed(), if free > 0 => {
                may_claim(&self.gate, free, trials) && self.anything_due(watch).await
            }
            () = sleep(pause), if may_claim_any => self.anything_due(watch).await,
            changed = watch.changed(), if may_claim_any => match changed {
                Ok(()) => self.anything_due(watch).await,
                Err(error) => {
                    tracing::warn!(%error, "the queue can't be watched");
                    sleep(RETRY).await;
                    true
                }
            },
        }
    }

    /// A cheap read before a transaction: most commits of the API do not concern the queue.
    async fn anything_due(&mut self, watch: &mut dyn Watch) -> bool {
        let now = self.clock.now();
        match due(watch, &self.claimant.keys, now).await {
            Ok(due) => {
                self.knows(due);
                (due.now && self.may_claim_usual()) || self.slow_room(self.free()) > 0
            }
            Err(error) => {
                tracing::warn!(%error, "the queue can't be read");
                sleep(RETRY).await;
                true
            }
        }
    }

    async fn next_due(&mut self, watch: &mut dyn Watch) -> Option<Timestamp> {
        let now = self.clock.now();
        let due = due(watch, &self.claimant.keys, now).await.ok()?;
        self.knows(due);
        let next = if due.now { Some(now) } else { due.next };
        let next = next.filter(|_| self.may_claim_usual());
        // A slow mail without a place on the lane is claimed when one comes free.
        let slow = (due.slow).filter(|at| *at > now || self.slow_room(self.free()) > 0);
        next.into_iter().chain(slow).min()
    }

    /// How many mails that were claimed while the queue was held are still on their way.
    fn trials(&self) -> usize {
        self.in_flight
            .values()
            .filter(|mail_in_flight| mail_in_flight.trial)
            .count()
    }

    /// How many hands are free.
    fn free(&self) -> usize {
        self.room(0)
    }

    /// How many mails to claim when so many have ended since the last batch: for each free slot one, and as many
    /// ahead as have ended, since about as many will have ended by the next batch. Then a connection that comes free
    /// finds a mail at once instead of waiting for a commit. Where mails take long few end at a time, and few wait here
    /// that another worker could have taken.
    fn room(&self, ended: usize) -> usize {
        if self.closing || self.shutdown.is_cancelled() {
            return 0;
        }
        let slots = self.claimant.slots;
        (slots + ended.min(slots)).saturating_sub(self.in_flight.len())
    }
}

fn is_empty(batch: &QueueBatch) -> bool {
    batch.settlements.is_empty()
        && batch.permits.is_empty()
        && batch.releases.is_empty()
        && batch.woken.is_empty()
}
