//! What goes into a turn, and what it brought: the ledger's account of the mails in hand.

use std::collections::HashMap;
use std::time::Duration;

use domain::mail::{Lane, MailKind, MailState};
use domain::queue::{Claim, Loss, QueueBatch, SendPermit, Settlement};
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Ledger;
use super::handle::{Ending, Message};
use super::taking::Taken;
use crate::meters;
use crate::outcome::Outcome;

/// After a handler that broke without having sent anything.
const BROKEN_PAUSE: Duration = Duration::from_secs(5);

const PANICKED: &str = "its handler panicked";
const OVERDUE: &str = "its handler took too long";

/// What is known of a mail in hand.
pub(super) struct InHand {
    pub(super) kind: MailKind,
    /// When the mail was asked for.
    pub(super) created: Timestamp,
    /// Whether its handler was told that it may write the final dot.
    pub(super) marked: bool,
    /// Tries cut off before this one.
    pub(super) cut_offs: u32,
    /// Whether it was claimed while the queue was held.
    pub(super) trial: bool,
    /// Where it was claimed from, and when.
    lane: Lane,
    since: Instant,
    /// Whether its claim was found to be void, and that has been told.
    lost: bool,
    /// Who waits for a mark that could not be put on record. Not told, so that its handler goes on as with a database
    /// that is busy for too long, and the mail waits for another try.
    unanswered: Option<oneshot::Sender<SendPermit>>,
}

/// What is told once a turn is taken.
#[derive(Default)]
pub(super) struct Waiting {
    /// Who waits for a mark.
    permits: HashMap<Claim, oneshot::Sender<SendPermit>>,
    /// Mails that are no longer in hand.
    ended: HashMap<Claim, Ended>,
}

/// A mail that is no longer in hand: nobody knows before the turn is taken whether what it came to holds.
struct Ended {
    kind: MailKind,
    created: Timestamp,
    at: Timestamp,
    /// What it came to; nothing, if it goes back as it came.
    state: Option<MailState>,
}

impl Ended {
    fn of(hand: &InHand, state: Option<MailState>, at: Timestamp) -> Self {
        Self {
            kind: hand.kind,
            created: hand.created,
            at,
            state,
        }
    }

    fn count(&self) {
        if let Some(state) = self.state {
            meters::settled(self.kind, state, self.created, self.at);
        }
    }
}

impl Ledger {
    /// Turns messages into a turn, and remembers what is to be told after it.
    pub(super) fn prepare(
        &mut self,
        messages: impl Iterator<Item = Message>,
    ) -> (QueueBatch, Waiting) {
        let mut turn = QueueBatch::default();
        let mut waiting = Waiting::default();
        for message in messages {
            match message {
                Message::Close => self.closing = true,
                Message::Mark(claim, answer) => {
                    turn.permits.push(claim);
                    waiting.permits.insert(claim, answer);
                }
                Message::Ended(claim, ending) => {
                    let Some(hand) = self.in_hand.remove(&claim) else {
                        continue;
                    };
                    // A handler that has ended does not write a dot any more.
                    if waiting.permits.remove(&claim).is_some() {
                        turn.permits.retain(|mark| *mark != claim);
                    }
                    let ending = if hand.lost { Ending::Lost } else { ending };
                    if let Some(ended) = self.end(&mut turn, claim, &hand, ending) {
                        waiting.ended.insert(claim, ended);
                    }
                }
            }
        }
        // One whose handler is about to say that it waits is woken after that.
        (self.woken, turn.woken) = (self.woken.drain(..))
            .partition(|mail| self.in_hand.keys().any(|claim| claim.mail == *mail));
        self.plan_claims(&mut turn);
        (turn, waiting)
    }

    /// Puts into the turn how a mail in hand ended.
    fn end(
        &mut self,
        turn: &mut QueueBatch,
        claim: Claim,
        hand: &InHand,
        ending: Ending,
    ) -> Option<Ended> {
        let now = self.clock.now();
        let outcome = match ending {
            Ending::Lost => {
                self.freed = true;
                return None;
            }
            Ending::Settled(outcome) => *outcome,
            Ending::Stopped if hand.marked => {
                Outcome::interrupted(hand.cut_offs, now, "the worker was stopped")
            }
            Ending::Panicked if hand.marked => Outcome::interrupted(hand.cut_offs, now, PANICKED),
            Ending::Overdue if hand.marked => Outcome::interrupted(hand.cut_offs, now, OVERDUE),
            Ending::Stopped | Ending::Held => {
                turn.releases.push(claim);
                return Some(Ended::of(hand, None, now));
            }
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
        self.has_used(hand.lane, hand.since.elapsed());
        self.woken.extend(outcome.woken);
        let ended = Ended::of(hand, Some(outcome.state), now);
        turn.settlements.push(Settlement {
            claim,
            state: outcome.state,
            reason: outcome.reason,
            again_at: outcome.again_at,
            counted: outcome.counted,
            cut_off: outcome.cut_off,
            lane: outcome.lane,
            records: outcome.records,
            suppress_until: outcome.suppress_until,
            at: now,
        });
        Some(ended)
    }

    /// Keeps account of what a turn brought.
    pub(super) fn account(&mut self, taken: Taken, mut waiting: Waiting) {
        let report = taken.report;
        if report.foreign_jobs > 0 {
            tell_foreign(report.foreign_jobs);
        }
        for claim in taken.refused {
            waiting.ended.remove(&claim);
            let waiting = waiting.permits.remove(&claim);
            if let Some(hand) = self.in_hand.get_mut(&claim) {
                hand.unanswered = waiting;
            }
        }
        for (claim, loss) in report.lost {
            if let Some(ended) = waiting.ended.remove(&claim) {
                tell_lost(claim, loss, &ended);
            }
        }
        for ended in waiting.ended.values() {
            ended.count();
        }
        let now = self.clock.now();
        for (claim, answer) in report.permits {
            let heard = (waiting.permits.remove(&claim))
                .is_some_and(|waiting| waiting.send(answer).is_ok());
            let Some(hand) = self.in_hand.get_mut(&claim).filter(|_| heard) else {
                continue;
            };
            hand.marked = answer == SendPermit::Granted;
            if let SendPermit::ClaimLost(loss) = answer {
                hand.lost = true;
                tell_lost(claim, loss, &Ended::of(hand, None, now));
            }
        }
        for mail in report.claimed {
            let hand = InHand {
                kind: mail.kind,
                created: mail.created,
                marked: false,
                cut_offs: mail.cut_offs,
                trial: self.gate.is_held() && !mail.lane.is_slow(),
                lane: mail.lane,
                since: Instant::now(),
                lost: false,
                unanswered: None,
            };
            let claim = mail.claim;
            self.in_hand.insert(claim, hand);
            // The backend holds the other end for as long as this task lives.
            let _ = self.claimed.send(mail);
        }
    }
}

/// Says that jobs were set aside which have no mail.
pub(in crate::queue) fn tell_foreign(jobs: u64) {
    tracing::error!(
        jobs,
        "jobs without a mail were set aside: something else writes into this queue"
    );
}

/// Says why nothing comes of a mail that was in hand.
fn tell_lost(claim: Claim, loss: Loss, ended: &Ended) {
    match loss {
        Loss::Cancelled => {
            meters::settled(ended.kind, MailState::Cancelled, ended.created, ended.at);
            tracing::info!(
                mail.id = %claim.mail,
                mail.kind = ended.kind.as_str(),
                mail.state = MailState::Cancelled.as_str(),
                "a mail was cancelled while it was in hand"
            );
        }
        Loss::LeaseLost => tracing::warn!(
            mail.id = %claim.mail,
            claim = claim.number,
            "this worker had been given up with a mail in hand, and another has that by now"
        ),
    }
}
