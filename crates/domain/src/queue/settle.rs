//! Settling: how a claim ended, in the mail's row and the record of its attempts.

use jiff::Timestamp;

use super::port::Fence;
use super::{Claim, JobId};
use crate::mail::{Lane, MailState};
use crate::store::{StoreError, Tx};

/// How one claim ended. Settled only if the claim is still the newest.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The claim.
    pub claim: Claim,
    /// The state the mail gets. One that is not final is tried again at `again_at`.
    pub state: MailState,
    /// Why, in a sentence for people.
    pub reason: String,
    /// When it may be claimed again.
    pub again_at: Option<Timestamp>,
    /// Whether this was an attempt that counts.
    pub counted: bool,
    /// Whether the attempt ended without a readable answer after the end of data.
    pub cut_off: bool,
    /// Where the mail waits for its next attempt.
    pub lane: Lane,
    /// What relays and we said to each other: one record for each relay attempt, in that order.
    pub records: Vec<AttemptRecord>,
    /// Until when nothing is sent to the address, because a relay has refused it for good. Kept with what the
    /// last record says, unless the address is to be forgotten.
    pub suppress_until: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
}

/// The record of one attempt at one relay. A delivery that went on to the next relay has several.
#[derive(Debug, Clone, serde::Serialize)]
pub struct AttemptRecord {
    /// When the attempt began.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The relay, as host and port.
    pub relay: String,
    /// Whether an open connection was used again.
    pub reused: bool,
    /// The stage of the SMTP dialogue that was reached.
    pub stage: String,
    /// The reply code, if there was a readable reply.
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463).
    pub enhanced: Option<String>,
    /// The reply's text, or what went wrong: at most 500 characters, addresses masked.
    pub text: String,
    /// The outcome in a word.
    pub outcome: String,
    /// When the mail was to be tried again, if at all. Written by the store, from the settlement.
    pub again_at: Option<Timestamp>,
}

/// Settles what the fence lets through.
pub(super) async fn settle(
    tx: &mut dyn Tx,
    worker: &str,
    settlements: &[&Settlement],
    fence: &Fence,
) -> Result<(), StoreError> {
    if settlements.is_empty() {
        return Ok(());
    }
    tx.settle(worker, settlements).await?;
    let forgets = |settlement: &Settlement| {
        let is_forgotten = fence.forgetting.contains(&settlement.claim.mail);
        is_forgotten && settlement.state.is_final()
    };
    let refusals: Vec<&Settlement> = (settlements.iter().copied())
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
fn suppresses(settlement: &Settlement) -> bool {
    settlement.suppress_until.is_some()
        && settlement.state.is_final()
        && !settlement.records.is_empty()
}
