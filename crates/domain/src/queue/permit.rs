//! The permit to send: recorded before the end of data is written, so that a crash after it is known to be uncertain.

use std::collections::HashMap;

use jiff::Timestamp;

use super::port::{ClaimState, Fence};
use super::{ChallengeLife, Claim, Loss};
use crate::mail::MailState;
use crate::store::{StoreError, Tx};

/// The answer to "may the end of data be written?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendPermit {
    /// Yes, and it is on record that it is about to be.
    Granted,
    /// No: the claim is void.
    ClaimLost(Loss),
    /// No: the code can't be used any more.
    CodeDead(ChallengeLife),
}

/// Records permits for the claims that the fence lets through, and says why the others get none.
pub(super) async fn permit(
    tx: &mut dyn Tx,
    claims: &[Claim],
    fence: &Fence,
    now: Timestamp,
) -> Result<HashMap<Claim, SendPermit>, StoreError> {
    let (granted, refused): (Vec<Claim>, Vec<Claim>) =
        (claims.iter()).partition(|claim| fence.permits.contains(&claim.mail));
    let mut answers = HashMap::with_capacity(claims.len());
    for (claim, state) in states(tx, refused).await? {
        answers.insert(claim, refusal(claim, state.as_ref(), now));
    }
    if !granted.is_empty() {
        tx.record_permits(&granted).await?;
        answers.extend(
            granted
                .into_iter()
                .map(|claim| (claim, SendPermit::Granted)),
        );
    }
    Ok(answers)
}

/// Claims with what their mails' rows say; `None`: the row is gone.
pub(super) async fn states(
    tx: &mut dyn Tx,
    claims: Vec<Claim>,
) -> Result<Vec<(Claim, Option<ClaimState>)>, StoreError> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let mut states = tx.claim_states(&claims).await?;
    Ok((claims.into_iter())
        .map(|claim| (claim, states.remove(&claim)))
        .collect())
}

fn refusal(claim: Claim, state: Option<&ClaimState>, now: Timestamp) -> SendPermit {
    let challenge = state
        .filter(|state| state.is_newest(claim))
        .and_then(|state| state.challenge);
    match challenge.map(|challenge| challenge.life(now)) {
        // The newest claim of a live code would have been permitted.
        None | Some(ChallengeLife::Live) => SendPermit::ClaimLost(loss(claim, state)),
        Some(dead) => SendPermit::CodeDead(dead),
    }
}

/// Why a claim is void. A cancellation raises the number of the claim that it voids by one.
pub(super) fn loss(claim: Claim, state: Option<&ClaimState>) -> Loss {
    let cancelled = state.is_some_and(|state| {
        state.state == MailState::Cancelled && state.number == claim.number + 1
    });
    if cancelled {
        Loss::Cancelled
    } else {
        Loss::LeaseLost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::MailId;
    use crate::queue::ChallengeTimes;

    #[test]
    fn a_refused_permit_says_whether_the_claim_or_the_code_is_void() {
        let claim = Claim {
            mail: MailId::generate(),
            number: 3,
        };
        let (now, later) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(1).unwrap());
        let challenge = |used, expires| ChallengeTimes {
            decoy: false,
            used,
            ended: false,
            superseded: false,
            expires,
        };
        let state = |word: &str, number, challenge| {
            Some(ClaimState {
                state: word.into(),
                number,
                has_reason: false,
                challenge,
            })
        };
        let live = Some(challenge(false, later));

        for (state, answer) in [
            (
                state("sending", 3, live),
                SendPermit::ClaimLost(Loss::LeaseLost),
            ),
            (
                state("sending", 3, Some(challenge(true, later))),
                SendPermit::CodeDead(ChallengeLife::Used),
            ),
            (
                state("sending", 3, Some(challenge(false, now))),
                SendPermit::CodeDead(ChallengeLife::Expired),
            ),
            (
                state("sending", 4, Some(challenge(true, later))),
                SendPermit::ClaimLost(Loss::LeaseLost),
            ),
            (
                state("cancelled", 4, live),
                SendPermit::ClaimLost(Loss::Cancelled),
            ),
            (
                state("cancelled", 5, live),
                SendPermit::ClaimLost(Loss::LeaseLost),
            ),
            (
                state("delivered", 3, None),
                SendPermit::ClaimLost(Loss::LeaseLost),
            ),
            (None, SendPermit::ClaimLost(Loss::LeaseLost)),
        ] {
            assert_eq!(refusal(claim, state.as_ref(), now), answer, "{state:?}");
        }
    }
}
