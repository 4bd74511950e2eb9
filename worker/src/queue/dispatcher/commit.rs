//! Committing a batch: what it holds must not get lost.
//!
//! A database that is locked, full, read-only or on a disk that fails is waited for, and so is one that refuses
//! everything. If it rejects a batch as breaking a constraint and accepts a heartbeat right after, the batch itself is at
//! fault and would be rejected for ever. Then each part is committed by itself, so that one mail does not block the
//! others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::processes::RecordHeartbeat;
use domain::queue::{BatchReport, Claim, CommitBatch, Outcome, QueueBatch};
use domain::store::StoreError;
use runtime::shutdown::Reason;
use tokio::time::sleep;

use super::Dispatcher;

/// How long to wait after a batch that the database refused: doubled each time, up to the second.
pub(super) const RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// How often the database refuses a batch, and accepts a heartbeat each time, before the batch is split.
const REFUSALS: u32 = 3;

/// How long a worker that must end goes on trying to settle what it has.
const FINAL_RETRIES: Duration = Duration::from_secs(5);

/// The final result of a batch.
#[derive(Default)]
pub(super) struct Committed {
    pub(super) report: BatchReport,
    /// Claims whose part of the batch the database refuses while it accepts other writes.
    pub(super) refused: Vec<Claim>,
    /// Whether it refuses to claim mails.
    pub(super) refuses_claims: bool,
}

/// The database's answer to a part of a batch.
enum PartResult {
    Committed(BatchReport),
    /// The database accepts other writes.
    Refused(StoreError),
}

/// Until when a worker that must end goes on; known from its first refusal on.
type FinalRetries = Option<Instant>;

impl Dispatcher {
    /// Commits a batch, with retries. Gives up only when the worker must end; then other workers rescue the mails when its
    /// lease is over.
    pub(super) async fn commit(&self, batch: QueueBatch) -> Result<Committed, StoreError> {
        let (batch, mut final_retries) = (Arc::new(batch), None);
        let answer = self
            .commit_with_retries(&batch, REFUSALS, &mut final_retries)
            .await?;
        match answer {
            PartResult::Committed(report) => Ok(Committed {
                report,
                ..Committed::default()
            }),
            PartResult::Refused(_) => self.commit_one_by_one(&batch, &mut final_retries).await,
        }
    }

    /// Commits each part of a batch by itself, and leaves out what the database refuses. Woken mails are left out: they
    /// come due without that.
    async fn commit_one_by_one(
        &self,
        batch: &QueueBatch,
        final_retries: &mut FinalRetries,
    ) -> Result<Committed, StoreError> {
        let mut committed = Committed::default();
        for settlement in &batch.settlements {
            let claim = settlement.claim;
            let part = of_settlement(settlement.clone());
            let answer = match self.commit_with_retries(&part, 1, final_retries).await? {
                PartResult::Refused(error) => {
                    self.settle_without_records(settlement, error, final_retries)
                        .await?
                }
                committed @ PartResult::Committed(_) => committed,
            };
            committed.add(Some(claim), answer, "the result of a mail");
        }
        for claim in &batch.releases {
            let releases = vec![*claim];
            let part = QueueBatch {
                releases,
                ..QueueBatch::default()
            };
            let answer = self
                .commit_with_retries(&Arc::new(part), REFUSALS, final_retries)
                .await?;
            committed.add(Some(*claim), answer, "the release of a mail");
        }
        for claim in &batch.permits {
            let permits = vec![*claim];
            let part = QueueBatch {
                permits,
                ..QueueBatch::default()
            };
            let answer = self
                .commit_with_retries(&Arc::new(part), 1, final_retries)
                .await?;
            committed.add(Some(*claim), answer, "the permit to send a mail");
        }
        if batch.claim + batch.slow > 0 {
            let part = QueueBatch {
                claim: batch.claim,
                newest: batch.newest,
                slow: batch.slow,
                slow_first: batch.slow_first,
                trial: batch.trial,
                keys: batch.keys.clone(),
                ..QueueBatch::default()
            };
            let answer = self
                .commit_with_retries(&Arc::new(part), 1, final_retries)
                .await?;
            committed.add(None, answer, "the claim of mails");
        }
        Ok(committed)
    }

    /// Settles a mail without its records of attempts: better than not at all, which would mean another attempt.
    async fn settle_without_records(
        &self,
        settlement: &Outcome,
        error: StoreError,
        final_retries: &mut FinalRetries,
    ) -> Result<PartResult, StoreError> {
        let part = of_settlement(Outcome {
            records: Vec::new(),
            suppress_until: None,
            ..settlement.clone()
        });
        let answer = self
            .commit_with_retries(&part, REFUSALS, final_retries)
            .await?;
        if let PartResult::Committed(_) = answer {
            tracing::error!(
                mail.id = %settlement.claim.mail,
                error = &error as &dyn std::error::Error,
                "the database refuses the records of a mail's attempts; only its state is recorded"
            );
        }
        Ok(answer)
    }

    /// Commits a batch, unless the database refuses it `refusals` times and accepts a heartbeat each time.
    async fn commit_with_retries(
        &self,
        batch: &Arc<QueueBatch>,
        refusals: u32,
        final_retries: &mut FinalRetries,
    ) -> Result<PartResult, StoreError> {
        let (mut pause, mut refused) = (RETRY, 0);
        loop {
            let commit = CommitBatch {
                worker: self.claimant.worker.clone(),
                batch: Arc::clone(batch),
                now: self.clock.now(),
            };
            let error = match self.store.write(commit).await {
                Ok(report) => return Ok(PartResult::Committed(report)),
                Err(error) => error,
            };
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                settlements = batch.settlements.len(),
                permits = batch.permits.len(),
                "the database refused a batch; the commit is repeated"
            );
            if self.must_end(final_retries) {
                return Err(error);
            }
            // The dispatcher is alive: a restart would not fix the database.
            self.liveness.pong();
            refused += u32::from(self.accepts_other_writes(&error).await);
            if refused >= refusals {
                return Ok(PartResult::Refused(error));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_RETRY);
        }
    }

    fn must_end(&self, final_retries: &mut FinalRetries) -> bool {
        if matches!(self.shutdown.reason(), Some(Reason::Fatal(_))) {
            return true;
        }
        self.abandon.is_cancelled() && {
            let until = *final_retries.get_or_insert_with(|| Instant::now() + FINAL_RETRIES);
            Instant::now() > until
        }
    }

    /// Whether the database, after that error, accepts a write as small as a heartbeat.
    async fn accepts_other_writes(&self, error: &StoreError) -> bool {
        // On a full or failing disk a heartbeat may succeed where a larger write fails: it proves nothing there.
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

impl Committed {
    /// Adds the result of a part. A refused claim stays in flight in the database until this worker's lease ends; the
    /// permit in its row then says whether it may have been delivered.
    fn add(&mut self, claim: Option<Claim>, answer: PartResult, what: &'static str) {
        match answer {
            PartResult::Committed(mut report) => {
                self.report.claimed.append(&mut report.claimed);
                self.report.lost.append(&mut report.lost);
                self.report.foreign_jobs += report.foreign_jobs;
                self.report.permits.extend(report.permits);
            }
            PartResult::Refused(error) => {
                tracing::error!(
                    mail.id = claim.map(|claim| claim.mail.to_string()),
                    error = &error as &dyn std::error::Error,
                    "the database works, but refuses to record {what}"
                );
                match claim {
                    Some(claim) => self.refused.push(claim),
                    None => self.refuses_claims = true,
                }
            }
        }
    }
}

fn of_settlement(settlement: Outcome) -> Arc<QueueBatch> {
    Arc::new(QueueBatch {
        settlements: vec![settlement],
        ..QueueBatch::default()
    })
}
