//! Everything that a worker writes to the queue in one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::permit::{loss, permit, states};
use super::port::{ClaimState, MailChange};
use super::settle::settle;
use super::{Claim, Claimed, Keys, Loss, Outcome, SendPermit, claim};
use crate::id::MailId;
use crate::mail::MailState;
use crate::store::{StoreError, Tx, Write};

/// What a worker asks of the queue in one transaction.
#[derive(Debug, Default)]
pub struct QueueBatch {
    /// Claims that ended.
    pub settlements: Vec<Outcome>,
    /// Claims whose end of data is about to be written.
    pub permits: Vec<Claim>,
    /// Claims that were not begun. They go back, and no attempt is counted.
    pub releases: Vec<Claim>,
    /// Mails that waited for their destination, which has answered, or for a place there: they are due now, those
    /// without an attempt with all others.
    pub woken: Vec<MailId>,
    /// How many mails may be claimed, slow ones aside. The oldest come first.
    pub claim: u32,
    /// How many of these are the newest due ones instead, so that a backlog of mails that all hang delays no new mail.
    pub newest: u32,
    /// How many mails of the slow lane may be claimed beside them.
    pub slow: u32,
    /// How many of these are mails without an attempt rather than others, if both are due. The newest of them come
    /// first, of the others those that were claimed least.
    pub slow_first: u32,
    /// Whether the claimed mails are to show that a relay works again: the newest that have not failed come first.
    pub trial: bool,
    /// Which mails may be claimed.
    pub keys: Keys,
}

/// The result of a [`QueueBatch`].
#[derive(Debug, Default)]
pub struct BatchReport {
    /// Mails claimed.
    pub claimed: Vec<Claimed>,
    /// The answer to each request for a permit.
    pub permits: HashMap<Claim, SendPermit>,
    /// Settlements and releases of claims that are void. They have changed nothing.
    pub lost: Vec<(Claim, Loss)>,
    /// Jobs that were due and have no mail that waits. They were set aside.
    pub foreign_jobs: u64,
}

/// Settles, permits, releases and claims.
#[derive(Debug)]
pub struct CommitBatch {
    /// The worker's name.
    pub worker: String,
    /// What it asks.
    pub batch: Arc<QueueBatch>,
    /// The time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for CommitBatch {
    type Out = BatchReport;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<BatchReport, StoreError> {
        let Self { worker, batch, now } = self;
        let fence = tx.fence(&batch.settlements, &batch.permits, *now).await?;
        let (settling, late): (Vec<_>, Vec<_>) = (batch.settlements.iter())
            .partition(|settlement| fence.settling.contains(&settlement.claim.mail));
        settle(tx, worker, &settling, &fence).await?;
        if !batch.woken.is_empty() {
            tx.wake(&batch.woken, *now).await?;
        }
        let permits = permit(tx, &batch.permits, &fence, *now).await?;
        let mut lost = release(tx, &batch.releases, *now).await?;
        let late = late.iter().map(|settlement| settlement.claim).collect();
        for (claim, state) in states(tx, late).await? {
            lost.push((claim, loss(claim, state.as_ref())));
        }
        let (claimed, foreign_jobs) = claim::claim(tx, worker, batch, *now).await?;
        Ok(BatchReport {
            claimed,
            permits,
            lost,
            foreign_jobs,
        })
    }
}

/// Gives back claims that were not begun. Returns those that are void.
async fn release(
    tx: &mut dyn Tx,
    releases: &[Claim],
    now: Timestamp,
) -> Result<Vec<(Claim, Loss)>, StoreError> {
    let (mut changes, mut lost) = (Vec::new(), Vec::new());
    for (claim, state) in states(tx, releases.to_vec()).await? {
        match state {
            Some(state) if state.is_newest(claim) => changes.push(MailChange {
                uncounted: true,
                ..MailChange::to(claim.mail, released(&state))
            }),
            other => lost.push((claim, loss(claim, other.as_ref()))),
        }
    }
    if !changes.is_empty() {
        tx.change_mails(&changes, now).await?;
    }
    Ok(lost)
}

/// The state of a mail that goes back: one that has a reason to wait waits, one without is queued as before.
fn released(state: &ClaimState) -> MailState {
    if state.has_reason {
        MailState::Waiting
    } else {
        MailState::Queued
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_mail_waits_if_it_has_a_reason_to_and_is_queued_else() {
        for (has_reason, state) in [(true, MailState::Waiting), (false, MailState::Queued)] {
            let claimed = ClaimState {
                state: MailState::Sending.into(),
                number: 1,
                has_reason,
                challenge: None,
            };

            assert_eq!(released(&claimed), state);
        }
    }
}
