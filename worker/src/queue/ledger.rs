//! The one task that talks to the queue.
//!
//! Handlers ask it for marks and tell it how they ended; it keeps account of what is in hand and
//! takes turns: settlements, marks and claims together in one transaction, so that one write
//! to the disk serves many mails. Nothing is dropped when the database is busy: the same turn
//! is taken again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::clock::Clock;
use domain::mail::MailKind;
use domain::queue::{Claim, Claimed, JobQueue, Keys, Marked, Settlement, Turn, TurnReport, Watch};
use domain::store::StoreError;
use jiff::Timestamp;
use runtime::shutdown::{Reason, Shutdown};
use runtime::supervisor::Pulse;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use crate::meters;
use crate::outcome::Outcome;

/// The most messages that go into one turn.
const BATCH: usize = 256;

/// How long messages are gathered after a turn. The database's writer rests as long anyway; a turn that was made
/// up meanwhile would only wait there, and leave behind what comes in while it waits.
const GATHER: Duration = Duration::from_millis(2);

/// How long to wait after a turn that the database refused: doubled each time, up to the second.
const RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// How long a worker that must end goes on trying to settle what it has.
const LAST_TRIES: Duration = Duration::from_secs(5);

/// After a handler that broke without having sent anything.
const BROKEN_PAUSE: Duration = Duration::from_secs(5);

const PANICKED: &str = "its handler panicked";
const OVERDUE: &str = "its handler took too long";

/// The longest sleep without looking for due mails: the clock may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(2);

/// How a handler ended.
#[derive(Debug)]
pub enum Ending {
    /// It came to a result.
    Settled(Box<Outcome>),
    /// Somebody else has the mail by now; there is nothing to settle.
    Lost,
    /// It panicked: a try that counts, so that it does not go on for ever.
    Panicked,
    /// It took too long. Nobody's fault but the relay's or the database's, so no try is counted.
    Overdue,
    /// The worker stops and could not wait for it.
    Stopped,
    /// No relay takes mails any more. It goes back as it came.
    Held,
}

enum Message {
    Mark(Claim, oneshot::Sender<Marked>),
    Ended(Claim, Ending),
    /// Everything that will ever be said has been said.
    Close,
}

/// How handlers reach the ledger. Cheap to clone.
#[derive(Clone)]
pub struct LedgerHandle(mpsc::UnboundedSender<Message>);

impl LedgerHandle {
    /// Asks whether the final dot may be written; the answer is on record before it is given.
    pub async fn mark(&self, claim: Claim) -> Marked {
        let (sender, answer) = oneshot::channel();
        if self.0.send(Message::Mark(claim, sender)).is_err() {
            return Marked::Lost;
        }
        answer.await.unwrap_or(Marked::Lost)
    }

    /// Says how a claim ended.
    pub fn ended(&self, claim: Claim, ending: Ending) {
        let _ = self.0.send(Message::Ended(claim, ending));
    }

    /// Says that nothing more will come; the ledger ends when all is settled.
    pub fn close(&self) {
        let _ = self.0.send(Message::Close);
    }
}

/// What is known of a mail in hand.
struct InHand {
    kind: MailKind,
    /// When the mail was asked for.
    created: Timestamp,
    /// Whether its handler was told that it may write the final dot.
    marked: bool,
    /// Tries cut off before this one.
    cut_offs: u32,
    /// Whether it was claimed while the queue was held.
    trial: bool,
}

/// Who claims, how much and what.
#[derive(Debug, Clone)]
pub struct Claimant {
    /// The worker's name, unique per start.
    pub worker: String,
    /// Mails it can have in hand at once.
    pub hands: usize,
    /// Whose codes it can make.
    pub keys: Keys,
}

/// The ledger, to be [`run`](Ledger::run) as a task of its own.
pub struct Ledger {
    queue: Arc<dyn JobQueue>,
    clock: Arc<dyn Clock>,
    claimant: Claimant,
    gate: Gate,
    shutdown: Shutdown,
    /// Cancelled when handlers are given up: from then on time is short.
    abandon: CancellationToken,
    inbox: mpsc::UnboundedReceiver<Message>,
    claimed: mpsc::UnboundedSender<Claimed>,
    in_hand: HashMap<Claim, InHand>,
    pulse: Pulse,
    /// A hand came free without anything to settle.
    freed: bool,
    /// Until when messages are gathered for the next turn.
    gather: tokio::time::Instant,
    closing: bool,
}

impl Ledger {
    /// A ledger for a worker, the way to reach it, and the mails it claims.
    pub fn new(
        queue: Arc<dyn JobQueue>,
        clock: Arc<dyn Clock>,
        claimant: Claimant,
        gate: Gate,
        shutdown: Shutdown,
        abandon: CancellationToken,
    ) -> (Self, LedgerHandle, mpsc::UnboundedReceiver<Claimed>) {
        let (sender, inbox) = mpsc::unbounded_channel();
        let (claimed, mails) = mpsc::unbounded_channel();
        let ledger = Self {
            queue,
            clock,
            claimant,
            gate,
            shutdown,
            abandon,
            inbox,
            claimed,
            in_hand: HashMap::new(),
            pulse: Pulse::of("the ledger"),
            freed: false,
            gather: tokio::time::Instant::now(),
            closing: false,
        };
        (ledger, LedgerHandle(sender), mails)
    }

    /// That the ledger goes round: it answers between two turns, and between two tries of one.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Takes turns until it is closed and everything is settled.
    pub async fn run(mut self) -> Result<(), StoreError> {
        let mut watch = self.queue.watch().await?;
        let mut due = Some(self.clock.now());
        let mut messages = Vec::with_capacity(BATCH);
        while !(self.closing && self.in_hand.is_empty()) {
            let look = self.wait(&mut messages, watch.as_mut(), due).await;
            self.pulse.beat();
            let (turn, waiting) = self.prepare(messages.drain(..));
            let freed = std::mem::take(&mut self.freed);
            if is_empty(&turn) && !((look || freed) && turn.claim > 0) {
                // What was due is gone, or held: without this the wait above would be none at all.
                if due.is_some_and(|at| at <= self.clock.now()) {
                    due = self.next_due().await;
                }
                continue;
            }
            let asked = turn.claim as usize;
            let report = self.take(turn).await?;
            self.gather = tokio::time::Instant::now() + GATHER;
            let all_claimed = report.claimed.len() < asked;
            self.account(report, waiting);
            // With free hands left nothing more is due now; otherwise a settlement will bring the next turn.
            due = if all_claimed {
                self.next_due().await
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
        let may_claim = self.gate.allows(free, trials) > 0;
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
            () = self.pulse.asked() => false,
            () = self.shutdown.cancelled(), if !stopping => false,
            () = self.gate.changed(), if free > 0 => {
                self.gate.allows(free, trials) > 0 && self.anything_due().await
            }
            () = sleep(pause), if may_claim => self.anything_due().await,
            changed = watch.changed(), if may_claim => match changed {
                Ok(()) => self.anything_due().await,
                Err(error) => {
                    tracing::warn!(%error, "the queue can't be watched");
                    sleep(RETRY).await;
                    true
                }
            },
        }
    }

    /// A cheap look before a transaction: most commits of the API are none of the queue's business.
    async fn anything_due(&self) -> bool {
        match self.queue.due(&self.claimant.keys, self.clock.now()).await {
            Ok(due) => due.now,
            Err(error) => {
                tracing::warn!(%error, "the queue can't be read");
                sleep(RETRY).await;
                true
            }
        }
    }

    async fn next_due(&self) -> Option<Timestamp> {
        match self.queue.due(&self.claimant.keys, self.clock.now()).await {
            Ok(due) if due.now => Some(self.clock.now()),
            Ok(due) => due.next,
            Err(_) => None,
        }
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

    /// Turns messages into a turn, and remembers who waits for a mark.
    fn prepare(
        &mut self,
        messages: impl Iterator<Item = Message>,
    ) -> (Turn, HashMap<Claim, oneshot::Sender<Marked>>) {
        let mut turn = Turn::default();
        let mut waiting = HashMap::new();
        for message in messages {
            match message {
                Message::Close => self.closing = true,
                Message::Mark(claim, answer) => {
                    turn.marks.push(claim);
                    waiting.insert(claim, answer);
                }
                Message::Ended(claim, ending) => {
                    let Some(hand) = self.in_hand.remove(&claim) else {
                        continue;
                    };
                    // A handler that has ended does not write a dot any more.
                    if waiting.remove(&claim).is_some() {
                        turn.marks.retain(|mark| *mark != claim);
                    }
                    self.end(&mut turn, claim, &hand, ending);
                }
            }
        }
        let room = self.room(turn.settlements.len());
        let claim = self.gate.allows(room, self.trials());
        turn.keys = self.claimant.keys.clone();
        turn.claim = u32::try_from(claim).unwrap_or(u32::MAX);
        (turn, waiting)
    }

    fn end(&mut self, turn: &mut Turn, claim: Claim, hand: &InHand, ending: Ending) {
        let now = self.clock.now();
        let outcome = match ending {
            Ending::Lost => {
                self.freed = true;
                return;
            }
            Ending::Settled(outcome) => *outcome,
            Ending::Stopped if hand.marked => {
                Outcome::interrupted(hand.cut_offs, now, "the worker was stopped")
            }
            Ending::Panicked if hand.marked => Outcome::interrupted(hand.cut_offs, now, PANICKED),
            Ending::Overdue if hand.marked => Outcome::interrupted(hand.cut_offs, now, OVERDUE),
            Ending::Stopped | Ending::Held => return turn.releases.push(claim),
            Ending::Panicked => Outcome::waiting(PANICKED, now + BROKEN_PAUSE)
                .counted()
                .on_record("unknown", "panicked", PANICKED.to_owned(), now),
            Ending::Overdue => Outcome::waiting(OVERDUE, now + BROKEN_PAUSE).on_record(
                "unknown",
                "overdue",
                OVERDUE.to_owned(),
                now,
            ),
        };
        meters::settled(hand.kind, outcome.state, hand.created, now);
        turn.settlements.push(Settlement {
            claim,
            state: outcome.state,
            reason: outcome.reason,
            again_at: outcome.again_at,
            counted: outcome.counted,
            cut_off: outcome.cut_off,
            records: outcome.records,
            suppress_until: outcome.suppress_until,
            at: now,
        });
    }

    /// Takes a turn, again and again if need be: what it holds must not get lost. Gives up only when
    /// the worker must end; then others take the mails back when its lease is over.
    async fn take(&self, turn: Turn) -> Result<TurnReport, StoreError> {
        let turn = Arc::new(turn);
        let mut pause = RETRY;
        let mut last_tries = None;
        loop {
            let now = self.clock.now();
            let error = match self
                .queue
                .turn(&self.claimant.worker, Arc::clone(&turn), now)
                .await
            {
                Ok(report) => return Ok(report),
                Err(error) => error,
            };
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                settlements = turn.settlements.len(),
                marks = turn.marks.len(),
                "the queue refused a turn; it is taken again"
            );
            if matches!(self.shutdown.reason(), Some(Reason::Fatal(_))) {
                return Err(error);
            }
            if self.abandon.is_cancelled() {
                let until = *last_tries.get_or_insert_with(|| Instant::now() + LAST_TRIES);
                if Instant::now() > until {
                    return Err(error);
                }
            }
            // It goes round: starting anew would mend no database.
            self.pulse.beat();
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_RETRY);
        }
    }

    /// Keeps account of what a turn brought.
    fn account(
        &mut self,
        report: TurnReport,
        mut waiting: HashMap<Claim, oneshot::Sender<Marked>>,
    ) {
        for claim in report.lost {
            tracing::warn!(
                mail.id = %claim.mail,
                claim = claim.number,
                "a result came too late: this worker had been given up and another has the mail"
            );
        }
        for (claim, answer) in report.marks {
            let heard = waiting
                .remove(&claim)
                .is_some_and(|waiting| waiting.send(answer).is_ok());
            if let Some(hand) = self.in_hand.get_mut(&claim) {
                hand.marked = heard && answer == Marked::Go;
            }
        }
        for mail in report.claimed {
            let hand = InHand {
                kind: mail.kind,
                created: mail.created,
                marked: false,
                cut_offs: mail.cut_offs,
                trial: self.gate.is_held(),
            };
            let claim = mail.claim;
            self.in_hand.insert(claim, hand);
            // The backend holds the other end for as long as this task lives.
            let _ = self.claimed.send(mail);
        }
    }
}

fn is_empty(turn: &Turn) -> bool {
    turn.settlements.is_empty() && turn.marks.is_empty() && turn.releases.is_empty()
}
