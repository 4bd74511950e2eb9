//! Settling: the outcome of a claim, in the mail's row and the records of its attempts.

use super::port::Fence;
use super::{JobId, Outcome};
use crate::store::{StoreError, Tx};

/// Settles what the fence lets through.
pub(super) async fn settle(
    tx: &mut dyn Tx,
    worker: &str,
    settlements: &[&Outcome],
    fence: &Fence,
) -> Result<(), StoreError> {
    if settlements.is_empty() {
        return Ok(());
    }
    tx.settle(worker, settlements).await?;
    let forgets = |settlement: &Outcome| {
        let is_forgotten = fence.forgetting.contains(&settlement.claim.mail);
        is_forgotten && settlement.state.is_final()
    };
    let refusals: Vec<&Outcome> = (settlements.iter().copied())
        .filter(|settlement| {
            suppresses(settlement) && !fence.forgetting.contains(&settlement.claim.mail)
        })
        .collect();
    if !refusals.is_empty() {
        tx.suppress(&refusals).await?;
    }
    let forgotten: Vec<JobId> = (settlements.iter())
        .filter(|settlement| forgets(settlement))
        .map(|settlement| settlement.claim.mail.into())
        .collect();
    if !forgotten.is_empty() {
        tx.forget_addresses(&forgotten).await?;
    }
    Ok(())
}

/// Whether a settlement says that a relay has refused the address for good.
fn suppresses(settlement: &Outcome) -> bool {
    settlement.suppress_until.is_some()
        && settlement.state.is_final()
        && !settlement.records.is_empty()
}
