//! Making a batch of the handlers' messages, and acting on the database's report: the mails in flight.

use std::collections::HashMap;
use std::time::Duration;

use domain::delivery::{AttemptOutcome, Outcome, Stage};
use domain::mail::{Lane, MailKind, MailState};
use domain::queue::{Claim, Loss, QueueBatch, SendPermit};
use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Dispatcher;
use super::commit::Committed;
use super::handle::{HandlerResult, Message};
use crate::metrics;

/// After a handler that broke without having sent anything.
const BROKEN_PAUSE: Duration = Duration::from_secs(5);

const PANICKED: &str = "its handler panicked";
const OVERDUE: &str = "its handler took too long";

/// A mail in flight.
pub(super) struct InFlight {
    pub(super) kind: MailKind,
    /// When the mail was asked for.
    pub(super) created: Timestamp,
    /// Whether its handler has the permit to write the end of data.
    pub(super) permitted: bool,
    /// Earlier attempts that may have been delivered.
    pub(super) uncertain_attempts: u32,
    /// Whether it was claimed while the queue was held.
    pub(super) trial: bool,
    /// Where it was claimed from, and when.
    lane: Lane,
    since: Instant,
    /// Whether its claim was found to be void, and that has been told.
    lost: bool,
    /// The request for a permit that could not be recorded. It stays unanswered, so that the handler goes on as with a
    /// database that is busy for too long, and the mail waits for another attempt.
    unanswered: Option<oneshot::Sender<SendPermit>>,
}

/// What is reported once a batch is committed.
#[derive(Default)]
pub(super) struct Pending {
    /// Requests for permits.
    permits: HashMap<Claim, oneshot::Sender<SendPermit>>,
    /// Mails that are no longer in flight.
    ended: HashMap<Claim, Finished>,
}

/// A mail that is no longer in flight. Its result counts only once the batch is committed.
struct Finished {
    kind: MailKind,
    created: Timestamp,
    at: Timestamp,
    /// Its new state; `None`: it is released unchanged.
    state: Option<MailState>,
}

impl Finished {
    fn of(mail_in_flight: &InFlight, state: Option<MailState>, at: Timestamp) -> Self {
        Self {
            kind: mail_in_flight.kind,
            created: mail_in_flight.created,
            at,
            state,
        }
    }

    fn count(&self) {
        if let Some(state) = self.state {
            metrics::settled(self.kind, state, self.created, self.at);
        }
    }
}

impl Dispatcher {
    /// Makes a batch of messages, with what is to be reported after its commit.
    pub(super) fn prepare(
        &mut self,
        messages: impl Iterator<Item = Message>,
    ) -> (QueueBatch, Pending) {
        let mut batch = QueueBatch::default();
        let mut pending = Pending::default();
        for message in messages {
            match message {
                Message::Close => self.closing = true,
                Message::Permit(claim, answer) => {
                    batch.permits.push(claim);
                    pending.permits.insert(claim, answer);
                }
                Message::Finished(claim, result) => {
                    let Some(mail_in_flight) = self.in_flight.remove(&claim) else {
                        continue;
                    };
                    // A handler that has ended sends nothing more.
                    if pending.permits.remove(&claim).is_some() {
                        batch.permits.retain(|permit| *permit != claim);
                    }
                    let result = if mail_in_flight.lost {
                        HandlerResult::Lost
                    } else {
                        result
                    };
                    if let Some(ended) = self.end(&mut batch, claim, &mail_in_flight, result) {
                        pending.ended.insert(claim, ended);
                    }
                }
            }
        }
        // A mail in flight whose handler is about to report that it waits is woken after that.
        (self.woken, batch.woken) = (self.woken.drain(..))
            .partition(|mail| self.in_flight.keys().any(|claim| claim.mail == *mail));
        self.plan_claims(&mut batch);
        (batch, pending)
    }

    /// Puts the result of a mail in flight into the batch.
    fn end(
        &mut self,
        batch: &mut QueueBatch,
        claim: Claim,
        mail_in_flight: &InFlight,
        result: HandlerResult,
    ) -> Option<Finished> {
        let now = self.clock.now();
        let interrupted =
            |why| Outcome::interrupted(claim, mail_in_flight.uncertain_attempts, now, why);
        let broken = |why: &str, outcome| {
            Outcome::waiting(claim, why, now + BROKEN_PAUSE, now).on_record(
                Stage::Unknown,
                outcome,
                why.to_owned(),
            )
        };
        let (outcome, woken) = match result {
            HandlerResult::Lost => {
                self.freed = true;
                return None;
            }
            HandlerResult::Settled { outcome, woken } => (*outcome, woken),
            HandlerResult::Stopped if mail_in_flight.permitted => {
                (interrupted("the worker was stopped"), Vec::new())
            }
            HandlerResult::Panicked if mail_in_flight.permitted => {
                (interrupted(PANICKED), Vec::new())
            }
            HandlerResult::Overdue if mail_in_flight.permitted => {
                (interrupted(OVERDUE), Vec::new())
            }
            HandlerResult::Stopped | HandlerResult::Held => {
                batch.releases.push(claim);
                return Some(Finished::of(mail_in_flight, None, now));
            }
            HandlerResult::Panicked => {
                let outcome = broken(PANICKED, AttemptOutcome::Panicked);
                (outcome.counted(), Vec::new())
            }
            HandlerResult::Overdue => (broken(OVERDUE, AttemptOutcome::Overdue), Vec::new()),
        };
        self.has_used(mail_in_flight.lane, mail_in_flight.since.elapsed());
        self.woken.extend(woken);
        let finished = Finished::of(mail_in_flight, Some(outcome.state), now);
        batch.settlements.push(outcome);
        Some(finished)
    }

    /// Acts on the report of a committed batch.
    pub(super) fn apply_report(&mut self, committed: Committed, mut pending: Pending) {
        let report = committed.report;
        if report.foreign_jobs > 0 {
            tell_foreign(report.foreign_jobs);
        }
        for claim in committed.refused {
            pending.ended.remove(&claim);
            let pending = pending.permits.remove(&claim);
            if let Some(mail_in_flight) = self.in_flight.get_mut(&claim) {
                mail_in_flight.unanswered = pending;
            }
        }
        for (claim, loss) in report.lost {
            if let Some(ended) = pending.ended.remove(&claim) {
                tell_lost(claim, loss, &ended);
            }
        }
        for ended in pending.ended.values() {
            ended.count();
        }
        let now = self.clock.now();
        for (claim, answer) in report.permits {
            let heard = (pending.permits.remove(&claim))
                .is_some_and(|pending| pending.send(answer).is_ok());
            let Some(mail_in_flight) = self.in_flight.get_mut(&claim).filter(|_| heard) else {
                continue;
            };
            mail_in_flight.permitted = answer == SendPermit::Granted;
            if let SendPermit::ClaimLost(loss) = answer {
                mail_in_flight.lost = true;
                tell_lost(claim, loss, &Finished::of(mail_in_flight, None, now));
            }
        }
        for mail in report.claimed {
            let mail_in_flight = InFlight {
                kind: mail.kind,
                created: mail.created,
                permitted: false,
                uncertain_attempts: mail.uncertain_attempts,
                trial: self.gate.is_held() && !mail.lane.is_slow(),
                lane: mail.lane,
                since: Instant::now(),
                lost: false,
                unanswered: None,
            };
            let claim = mail.claim;
            self.in_flight.insert(claim, mail_in_flight);
            // The backend holds the other end for as long as this task lives.
            let _ = self.claimed.send(mail);
        }
    }
}

/// Logs that foreign jobs were set aside.
pub(in crate::queue) fn tell_foreign(jobs: u64) {
    tracing::error!(
        jobs,
        "jobs without a mail were set aside: something else writes into this queue"
    );
}

/// Logs why a claim was lost.
fn tell_lost(claim: Claim, loss: Loss, ended: &Finished) {
    match loss {
        Loss::Cancelled => {
            metrics::settled(ended.kind, MailState::Cancelled, ended.created, ended.at);
            tracing::info!(
                mail.id = %claim.mail,
                mail.kind = ended.kind.as_str(),
                mail.state = MailState::Cancelled.as_str(),
                "a mail was cancelled while it was in flight"
            );
        }
        Loss::LeaseLost => tracing::warn!(
            mail.id = %claim.mail,
            claim = claim.number,
            "the lease of this worker had ended with the mail in flight; another worker has claimed it"
        ),
    }
}
