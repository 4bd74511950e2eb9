//! The one task that talks to the queue.
//!
//! Handlers ask it for marks and tell it how they ended; it keeps account of what is in hand and
//! takes turns: settlements, marks and claims together in one transaction, so that one write
//! to the disk serves many mails. Nothing is dropped when the database is busy: the same turn
//! is taken again; only one that it would refuse for ever is taken apart.
//!
//! Here is when it takes a turn; what goes into one and what it brings stands in `books`, which mails it claims in `claims`, that it is
//! taken in the end in `taking`, and how handlers reach it in `handle`.

mod books;
mod claims;
mod handle;
mod taking;

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
use books::InHand;
pub(super) use books::tell_foreign;
use claims::{Claims, may_claim};
use handle::Message;
pub use handle::{Ending, LedgerHandle};
use taking::RETRY;

/// The most messages that go into one turn.
const BATCH: usize = 256;

/// How long messages are gathered after a turn. The database's writer rests as long anyway; a turn that was made
/// up meanwhile would only wait there, and leave behind what comes in while it waits.
const GATHER: Duration = Duration::from_millis(2);

/// The longest sleep without looking for due mails: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(2);

/// Who claims, how much and what.
#[derive(Debug, Clone)]
pub struct Claimant {
    /// The worker's name, unique per start.
    pub worker: String,
    /// Mails it can have in hand at once.
    pub hands: usize,
    /// Whose codes it can make.
    pub keys: Keys,
    /// The places for attempts that take long.
    pub lane: SlowLane,
}

/// The ledger, to be [`run`](Ledger::run) as a task of its own.
pub struct Ledger {
    store: Store,
    clock: Arc<dyn Clock>,
    claimant: Claimant,
    gate: Gate,
    shutdown: Shutdown,
    /// Cancelled when handlers are given up: from then on time is short.
    abandon: CancellationToken,
    inbox: mpsc::UnboundedReceiver<Message>,
    claimed: mpsc::UnboundedSender<Claimed>,
    in_hand: HashMap<Claim, InHand>,
    /// Mails to be woken.
    woken: Vec<MailId>,
    liveness: Liveness,
    claims: Claims,
    /// A hand came free without anything to settle.
    freed: bool,
    /// Until when messages are gathered for the next turn.
    gather: tokio::time::Instant,
    closing: bool,
}

impl Ledger {
    /// A ledger for a worker, the way to reach it, and the mails it claims.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        claimant: Claimant,
        gate: Gate,
        shutdown: Shutdown,
        abandon: CancellationToken,
    ) -> (Self, LedgerHandle, mpsc::UnboundedReceiver<Claimed>) {
        let (sender, inbox) = mpsc::unbounded_channel();
        let (claimed, mails) = mpsc::unbounded_channel();
        let ledger = Self {
            store,
            clock,
            claimant,
            gate,
            shutdown,
            abandon,
            inbox,
            claimed,
            in_hand: HashMap::new(),
            woken: Vec::new(),
            liveness: Liveness::of("the ledger"),
            claims: Claims::default(),
            freed: false,
            gather: tokio::time::Instant::now(),
            closing: false,
        };
        (ledger, LedgerHandle::new(sender), mails)
    }

    /// That the ledger goes round: it answers between two turns, and between two tries of one.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        self.liveness.clone()
    }

    /// Takes turns until it is closed and everything is settled.
    pub async fn run(mut self) -> Result<(), StoreError> {
        let mut watch = self.store.watch().await?;
        let mut due = Some(self.clock.now());
        let mut messages = Vec::with_capacity(BATCH);
        while !(self.closing && self.in_hand.is_empty()) {
            let look = self.wait(&mut messages, watch.as_mut(), due).await;
            self.liveness.pong();
            let (turn, waiting) = self.prepare(messages.drain(..));
            let freed = std::mem::take(&mut self.freed);
            if is_empty(&turn) && !((look || freed) && turn.claim + turn.slow > 0) {
                // What was due is gone, or held: without this the wait above would be none at all.
                if due.is_some_and(|at| at <= self.clock.now()) {
                    due = self.next_due(watch.as_mut()).await;
                }
                continue;
            }
            let (asked, asked_slow) = (turn.claim as usize, turn.slow as usize);
            let taken = self.take(turn).await?;
            self.gather = tokio::time::Instant::now() + GATHER;
            let all_claimed =
                self.learn(asked, asked_slow, &taken.report.claimed) && !taken.refuses_claims;
            self.account(taken, waiting);
            // With free hands left nothing more is due now; otherwise a settlement will bring the next turn. What
            // can't be claimed is looked at after the longest sleep.
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

    /// A cheap look before a transaction: most commits of the API are none of the queue's business.
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
        // A slow mail that finds no place is claimed when one comes free.
        let slow = (due.slow).filter(|at| *at > now || self.slow_room(self.free()) > 0);
        next.into_iter().chain(slow).min()
    }

    /// How many mails that were claimed while the queue was held are still on their way.
    fn trials(&self) -> usize {
        self.in_hand.values().filter(|hand| hand.trial).count()
    }

    /// How many hands are free.
    fn free(&self) -> usize {
        self.room(0)
    }

    /// How many mails to claim when so many have ended since the last turn: for each free hand one, and as many
    /// ahead as have ended, since about as many will have ended by the next turn. Then a connection that comes free
    /// finds a mail at once instead of waiting for a commit. Where mails take long few end at a time, and few wait here
    /// that another worker could have taken.
    fn room(&self, ended: usize) -> usize {
        if self.closing || self.shutdown.is_cancelled() {
            return 0;
        }
        let hands = self.claimant.hands;
        (hands + ended.min(hands)).saturating_sub(self.in_hand.len())
    }
}

fn is_empty(turn: &QueueBatch) -> bool {
    turn.settlements.is_empty()
        && turn.permits.is_empty()
        && turn.releases.is_empty()
        && turn.woken.is_empty()
}
