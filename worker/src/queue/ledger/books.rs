//! What goes into a turn, and what it brought: the ledger's account of the mails in hand.

use std::collections::HashMap;
use std::time::Duration;

use domain::mail::MailKind;
use domain::queue::{Claim, Marked, Settlement, Turn, TurnReport};
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::Ledger;
use super::handle::{Ending, Message};
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
}

impl Ledger {
    /// Turns messages into a turn, and remembers who waits for a mark.
    pub(super) fn prepare(
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

    /// Keeps account of what a turn brought.
    pub(super) fn account(
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
