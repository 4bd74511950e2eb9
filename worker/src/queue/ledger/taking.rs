//! Having a turn taken by the database: what it holds must not get lost.
//!
//! A database that is locked, full, read-only or on a disk that fails is waited for, and so is one that refuses
//! everything. One that says of a turn that it breaks a rule, and takes a sign of life right after, has something
//! against what is in the turn, and would for ever. Then the turn is taken apart, so that one mail's trouble is not
//! everybody's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::processes::RecordHeartbeat;
use domain::queue::{BatchReport, Claim, CommitBatch, QueueBatch, Settlement};
use domain::store::StoreError;
use runtime::shutdown::Reason;
use tokio::time::sleep;

use super::Ledger;

/// How long to wait after a turn that the database refused: doubled each time, up to the second.
pub(super) const RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// How often the database refuses a turn, and takes a sign of life each time, before it is thought to be about that.
const REFUSALS: u32 = 3;

/// How long a worker that must end goes on trying to settle what it has.
const LAST_TRIES: Duration = Duration::from_secs(5);

/// What came of a turn in the end.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) report: BatchReport,
    /// Claims of which nothing is on record, as the database refuses that and nothing else.
    pub(super) refused: Vec<Claim>,
    /// Whether it refuses to have any mail claimed.
    pub(super) refuses_claims: bool,
}

/// The database's answer to a part of a turn.
enum Answer {
    Taken(BatchReport),
    /// It takes other things.
    Refused(StoreError),
}

/// Until when a worker that must end goes on; known from its first refusal on.
type LastTries = Option<Instant>;

impl Ledger {
    /// Takes a turn, again and again if need be. Gives up only when the worker must end; then others take the mails
    /// back when its lease is over.
    pub(super) async fn take(&self, turn: QueueBatch) -> Result<Taken, StoreError> {
        let (turn, mut last_tries) = (Arc::new(turn), None);
        let answer = self.insist(&turn, REFUSALS, &mut last_tries).await?;
        match answer {
            Answer::Taken(report) => Ok(Taken {
                report,
                ..Taken::default()
            }),
            Answer::Refused(_) => self.take_apart(&turn, &mut last_tries).await,
        }
    }

    /// Takes each thing of a turn by itself, and leaves out what the database refuses. Mails that need not wait for their
    /// destination any more come due without that.
    async fn take_apart(
        &self,
        turn: &QueueBatch,
        last_tries: &mut LastTries,
    ) -> Result<Taken, StoreError> {
        let mut taken = Taken::default();
        for settlement in &turn.settlements {
            let claim = settlement.claim;
            let part = of_settlement(settlement.clone());
            let answer = match self.insist(&part, 1, last_tries).await? {
                Answer::Refused(error) => self.settle_barely(settlement, error, last_tries).await?,
                taken @ Answer::Taken(_) => taken,
            };
            taken.add(Some(claim), answer, "what became of a mail");
        }
        for claim in &turn.releases {
            let releases = vec![*claim];
            let part = QueueBatch {
                releases,
                ..QueueBatch::default()
            };
            let answer = self.insist(&Arc::new(part), REFUSALS, last_tries).await?;
            taken.add(Some(*claim), answer, "that a mail goes back");
        }
        for claim in &turn.permits {
            let permits = vec![*claim];
            let part = QueueBatch {
                permits,
                ..QueueBatch::default()
            };
            let answer = self.insist(&Arc::new(part), 1, last_tries).await?;
            taken.add(Some(*claim), answer, "that a mail's end is to be written");
        }
        if turn.claim + turn.slow > 0 {
            let part = QueueBatch {
                claim: turn.claim,
                newest: turn.newest,
                slow: turn.slow,
                slow_first: turn.slow_first,
                trial: turn.trial,
                keys: turn.keys.clone(),
                ..QueueBatch::default()
            };
            let answer = self.insist(&Arc::new(part), 1, last_tries).await?;
            taken.add(None, answer, "that mails are claimed");
        }
        Ok(taken)
    }

    /// Settles a mail without what was said about it: better than not at all, which would mean another try.
    async fn settle_barely(
        &self,
        settlement: &Settlement,
        error: StoreError,
        last_tries: &mut LastTries,
    ) -> Result<Answer, StoreError> {
        let part = of_settlement(Settlement {
            records: Vec::new(),
            suppress_until: None,
            ..settlement.clone()
        });
        let answer = self.insist(&part, REFUSALS, last_tries).await?;
        if let Answer::Taken(_) = answer {
            tracing::error!(
                mail.id = %settlement.claim.mail,
                error = &error as &dyn std::error::Error,
                "the database refuses what was said about a mail; only what became of it is on record"
            );
        }
        Ok(answer)
    }

    /// Has a turn taken, unless the database refuses it so often while it takes a sign of life.
    async fn insist(
        &self,
        turn: &Arc<QueueBatch>,
        refusals: u32,
        last_tries: &mut LastTries,
    ) -> Result<Answer, StoreError> {
        let (mut pause, mut refused) = (RETRY, 0);
        loop {
            let commit = CommitBatch {
                worker: self.claimant.worker.clone(),
                batch: Arc::clone(turn),
                now: self.clock.now(),
            };
            let error = match self.store.write(commit).await {
                Ok(report) => return Ok(Answer::Taken(report)),
                Err(error) => error,
            };
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                settlements = turn.settlements.len(),
                permits = turn.permits.len(),
                "the queue refused a turn; it is taken again"
            );
            if self.must_end(last_tries) {
                return Err(error);
            }
            // It goes round: starting anew would mend no database.
            self.liveness.pong();
            refused += u32::from(self.takes_others_than(&error).await);
            if refused >= refusals {
                return Ok(Answer::Refused(error));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_RETRY);
        }
    }

    fn must_end(&self, last_tries: &mut LastTries) -> bool {
        if matches!(self.shutdown.reason(), Some(Reason::Fatal(_))) {
            return true;
        }
        self.abandon.is_cancelled() && {
            let until = *last_tries.get_or_insert_with(|| Instant::now() + LAST_TRIES);
            Instant::now() > until
        }
    }

    /// Whether the database, after that error, takes something else that is as small as a write can be.
    async fn takes_others_than(&self, error: &StoreError) -> bool {
        // Of a disk that writes here and fails there a sign of life, which takes next to no room, says nothing.
        if !matches!(error, StoreError::Rejected(_)) {
            return false;
        }
        let heartbeat = RecordHeartbeat {
            worker: self.claimant.worker.clone(),
            now: self.clock.now(),
        };
        self.store.write(heartbeat).await.is_ok()
    }
}

impl Taken {
    /// Takes in the answer to a part. A mail of which nothing could be put on record is in hand as far as others
    /// know, and theirs once this worker has ended: by its mark they know whether it may have been delivered.
    fn add(&mut self, claim: Option<Claim>, answer: Answer, what: &'static str) {
        match answer {
            Answer::Taken(mut report) => {
                self.report.claimed.append(&mut report.claimed);
                self.report.lost.append(&mut report.lost);
                self.report.foreign_jobs += report.foreign_jobs;
                self.report.permits.extend(report.permits);
            }
            Answer::Refused(error) => {
                tracing::error!(
                    mail.id = claim.map(|claim| claim.mail.to_string()),
                    error = &error as &dyn std::error::Error,
                    "the database works, but refuses to put on record {what}"
                );
                match claim {
                    Some(claim) => self.refused.push(claim),
                    None => self.refuses_claims = true,
                }
            }
        }
    }
}

fn of_settlement(settlement: Settlement) -> Arc<QueueBatch> {
    Arc::new(QueueBatch {
        settlements: vec![settlement],
        ..QueueBatch::default()
    })
}
