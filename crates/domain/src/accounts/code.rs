//! Shared parts of all codes: creating a challenge, mailing it again, and checking its code.

mod request;
mod verify;

use jiff::Timestamp;

pub use self::request::{CodeRequest, RequestCode, Requested, Whose};
pub(super) use self::verify::CodeCheck;
pub use self::verify::{CodeTarget, SubmittedCode};
use super::{ChallengeOwner, CodePolicy, NewChallenge};
use crate::email::{EmailAddress, EmailKey};
use crate::id::ChallengeId;
use crate::limits;
use crate::otp::{CodeForm, CodeSeed, KeyId, Purpose};
use crate::random;
use crate::store::{StoreError, Tx};
use crate::token::ChallengeToken;

/// The random parts of a challenge, drawn before the transaction begins.
#[derive(Debug, Clone)]
pub struct ChallengeDraw {
    id: ChallengeId,
    nonce: [u8; 16],
    key: KeyId,
}

/// The owner and purpose of a code.
#[derive(Debug, Clone)]
pub(super) struct CodeFor<'a> {
    pub(super) owner: ChallengeOwner,
    /// Whether it is a decoy: it leaves the same rows, but is never mailed and never valid.
    pub(super) decoy: bool,
    pub(super) purpose: Purpose,
    /// The address for which tries are counted.
    pub(super) email: &'a EmailKey,
    /// The new address of the user, if the code confirms one.
    pub(super) target: Option<&'a str>,
    /// When the owner expires, if it does. No code outlives its owner.
    pub(super) until: Option<Timestamp>,
    /// Whether other registrations of the address have live codes: then a new code must not grant
    /// more guesses at theirs.
    pub(super) beside: bool,
}

impl ChallengeDraw {
    /// Draws the random parts of a challenge for this key.
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
        code: &CodeFor<'_>,
        (generation, form): (i64, CodeForm),
        token: Option<&ChallengeToken>,
        now: Timestamp,
        policy: CodePolicy,
    ) -> NewChallenge {
        NewChallenge {
            id: self.id,
            owner: code.owner.clone(),
            email_key: code.email.clone(),
            decoy: code.decoy,
            seed: CodeSeed {
                key: self.key.clone(),
                purpose: code.purpose,
                subject: code.owner.subject(),
                generation,
                nonce: self.nonce,
                form,
            },
            token: token.map(ChallengeToken::hash),
            now,
            expires: code
                .until
                .map_or(now + policy.life, |until| until.min(now + policy.life)),
            target: code.target.map(str::to_owned),
        }
    }

    /// The challenge to mail: the live one while it has time and tries, so that a re-send mails the same digits and
    /// keeps the count; else a new one beside it. `held`: whether who asks holds its
    /// registration's token, and needs tries of that kind.
    pub(super) async fn current_or_new(
        &self,
        tx: &mut dyn Tx,
        code: &CodeFor<'_>,
        held: bool,
        now: Timestamp,
        policy: CodePolicy,
    ) -> Result<(ChallengeId, Timestamp), StoreError> {
        let challenges = tx.challenges_of(&code.owner, code.purpose, now).await?;
        let target = code.target.and_then(target_key);
        let form = required_form(tx, code.email, code.purpose, target.as_ref(), now).await?;
        let open_tries = tx.open_tries(code.email, code.purpose).await?;
        if let Some(current) = challenges.iter().find(|challenge| !challenge.superseded) {
            let left = current.expires.duration_since(now);
            let life = current.expires.duration_since(current.created);
            let fresh = left * 2 >= life
                && current.seed.form == form
                && current.seed.key == self.key
                && current.decoy == code.decoy
                && current.target.as_deref() == code.target;
            let spent = open_tries >= policy.max_tries || held && current.tries >= policy.max_tries;
            if fresh && !spent {
                return Ok((current.id, current.expires));
            }
        }
        let generation = 1 + tx.generations(&code.owner, code.purpose).await?;
        let new = self.challenge(code, (generation, form), None, now, policy);
        tx.supersede_challenges(&code.owner, code.purpose, now)
            .await?;
        tx.insert_challenge(&new).await?;
        if code.beside {
            tx.count_nothing(code.email, code.purpose, now).await?;
        } else {
            tx.reset_open_tries(code.email, code.purpose).await?;
        }
        Ok((new.id, new.expires))
    }
}

/// The form that a code must have now where no challenge comes with it. `target`: the address that it is to confirm,
/// at which wrong guesses count as well.
async fn required_form(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
    target: Option<&EmailKey>,
    now: Timestamp,
) -> Result<CodeForm, StoreError> {
    let form = limits::code_form(tx, email, purpose, now).await?;
    match target {
        Some(target) => {
            let there = limits::code_form(tx, target, Purpose::VerifyEmail, now).await?;
            Ok(form.max(there))
        }
        None => Ok(form),
    }
}

/// The address that a code is to confirm, in the form that compares. Wrong guesses count for it as those at a
/// registration's code do, which proves the same.
fn target_key(target: &str) -> Option<EmailKey> {
    let target = EmailAddress::parse(target).ok()?;
    Some(target.key().clone())
}
