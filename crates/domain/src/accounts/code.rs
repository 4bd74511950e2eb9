//! What all codes have in common: making a challenge, mailing it again, and presenting its code.

mod asked;
mod presented;

use std::time::Duration;

use jiff::Timestamp;

pub use self::asked::{Asking, RequestCode, Requested, Whose};
pub(super) use self::presented::Guess;
pub use self::presented::Presented;
use super::{CodePolicy, NewChallenge, Owner};
use crate::email::EmailKey;
use crate::id::ChallengeId;
use crate::limits;
use crate::otp::{CodeForm, CodeSeed, KeyId, Purpose};
use crate::random;
use crate::store::{StoreError, Tx};
use crate::token::ChallengeHandle;

/// The random parts of a challenge, drawn before the transaction begins.
#[derive(Debug, Clone)]
pub struct ChallengeDraw {
    id: ChallengeId,
    nonce: [u8; 16],
    key: KeyId,
}

/// Spent tries bring a new code, and with it new tries, only while there were fewer codes than this
/// lately; otherwise guessing and re-sending in turn would find one in the end.
const MAX_FOR_GUESSES: u32 = 5;
const GUESS_WINDOW: Duration = Duration::from_hours(24);

/// Whose code, and what for.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeFor<'a> {
    pub(super) owner: Owner,
    pub(super) purpose: Purpose,
    /// The address whose tries are counted.
    pub(super) email: &'a EmailKey,
    /// The address that is to be the user's, if that is what the code is for.
    pub(super) target: Option<&'a str>,
    /// When its owner ends, if it does: no code outlives that.
    pub(super) until: Option<Timestamp>,
}

impl ChallengeDraw {
    /// Draws them, for a challenge whose code that key makes.
    #[must_use]
    pub fn new(key: KeyId) -> Self {
        Self {
            id: ChallengeId::generate(),
            nonce: random::bytes(),
            key,
        }
    }

    /// The challenge of the `generation`-th code.
    pub(super) fn challenge(
        &self,
        code: CodeFor<'_>,
        (generation, form): (i64, CodeForm),
        handle: Option<&ChallengeHandle>,
        now: Timestamp,
        policy: CodePolicy,
    ) -> NewChallenge {
        NewChallenge {
            id: self.id,
            owner: code.owner,
            email_key: code.email.clone(),
            seed: CodeSeed {
                key: self.key.clone(),
                purpose: code.purpose,
                subject: code.owner.subject(),
                generation,
                nonce: self.nonce,
                form,
            },
            handle: handle.map(ChallengeHandle::hash),
            now,
            expires: code
                .until
                .map_or(now + policy.life, |until| until.min(now + policy.life)),
            target: code.target.map(str::to_owned),
        }
    }

    /// The challenge to mail: the live one while it has time and tries, so that a re-send mails the
    /// same digits and keeps the count; else a new one beside it.
    pub(super) async fn current_or_new(
        &self,
        tx: &mut dyn Tx,
        code: CodeFor<'_>,
        now: Timestamp,
        policy: CodePolicy,
    ) -> Result<(ChallengeId, Timestamp), StoreError> {
        let challenges = tx.challenges_of(code.owner, code.purpose, now).await?;
        let form = limits::code_form(tx, code.email, code.purpose, now).await?;
        let open_tries = tx.open_tries(code.email, code.purpose).await?;
        let lately = tx
            .challenges_since(code.owner, code.purpose, now - GUESS_WINDOW)
            .await?;
        if let Some(current) = challenges.iter().find(|challenge| !challenge.superseded) {
            let left = current.expires.duration_since(now);
            let life = current.expires.duration_since(current.created);
            let fresh = left * 2 >= life
                && current.seed.form == form
                && current.seed.key == self.key
                && current.target.as_deref() == code.target;
            let guessable = open_tries < policy.max_tries || lately >= MAX_FOR_GUESSES;
            if fresh && guessable {
                return Ok((current.id, current.expires));
            }
        }
        let generation = 1 + tx.generations(code.owner, code.purpose).await?;
        let new = self.challenge(code, (generation, form), None, now, policy);
        tx.supersede_challenges(code.owner, code.purpose, now)
            .await?;
        tx.insert_challenge(&new).await?;
        tx.reset_open_tries(code.email, code.purpose).await?;
        Ok((new.id, new.expires))
    }
}
