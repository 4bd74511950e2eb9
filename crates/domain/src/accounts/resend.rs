//! Mailing a code again: the same digits while they have time, a new challenge after that.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Attempt, ChallengeDraw, CodePolicy};
use crate::client::ClientKey;
use crate::email::EmailAddress;
use crate::id::{ChallengeId, MailId};
use crate::mail::{MailKind, NewMail};
use crate::otp::{KeyId, Purpose};
use crate::store::{StoreError, Tx, Write};
use crate::token::SecretHash;

/// Spent tries bring a new code, and with it new tries, only while the attempt has had fewer codes
/// than this; otherwise guessing and re-sending in turn would find one in the end.
const MAX_FOR_GUESSES: i64 = 5;

/// Somebody asks for the code again. Random values are drawn by [`ResendCode::new`].
#[derive(Debug)]
pub struct ResendCode {
    email: EmailAddress,
    handle: Option<SecretHash>,
    client: ClientKey,
    request_id: String,
    policy: CodePolicy,
    now: Timestamp,
    draw: ChallengeDraw,
    mail: MailId,
}

/// Whether a mail was queued. Callers answer the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resent {
    /// A mail is on its way.
    Queued,
    /// The address has no attempt that waits for a code.
    Nothing,
}

impl ResendCode {
    /// A request for the code of an address's attempt.
    #[must_use]
    pub fn new(
        email: EmailAddress,
        handle: Option<SecretHash>,
        client: ClientKey,
        request_id: String,
        key: KeyId,
        policy: CodePolicy,
        now: Timestamp,
    ) -> Self {
        Self {
            email,
            handle,
            client,
            request_id,
            policy,
            now,
            draw: ChallengeDraw::new(key),
            mail: MailId::generate(),
        }
    }

    /// The attempt that is meant: the handle's; without one the newest of this client, else the newest.
    async fn meant<'a>(
        &self,
        tx: &mut dyn Tx,
        attempts: &'a [Attempt],
    ) -> Result<Option<&'a Attempt>, StoreError> {
        if let Some(handle) = &self.handle {
            let id = tx.attempt_of_handle(handle).await?.map(|(id, _)| id);
            return Ok(attempts.iter().find(|attempt| Some(attempt.id) == id));
        }
        let own = attempts
            .iter()
            .find(|attempt| attempt.client == self.client);
        Ok(own.or_else(|| attempts.first()))
    }

    /// The attempt's challenge to mail, a new one if the old has little left.
    async fn challenge(
        &self,
        tx: &mut dyn Tx,
        attempt: &Attempt,
    ) -> Result<(ChallengeId, Timestamp), StoreError> {
        let email = self.email.key();
        let challenges = tx.challenges_of(attempt.id, self.now).await?;
        let open_tries = tx.open_tries(email, Purpose::VerifyEmail).await?;
        let made = tx.generations(attempt.id).await?;
        if let Some(current) = challenges.iter().find(|challenge| !challenge.superseded) {
            let left = current.expires.duration_since(self.now);
            let life = current.expires.duration_since(current.created);
            let fresh = left * 2 >= life && &current.seed.key == self.draw.key();
            let guessable = open_tries < self.policy.max_tries || made >= MAX_FOR_GUESSES;
            if fresh && guessable {
                return Ok((current.id, current.expires));
            }
        }
        let generation = made + 1;
        // A code never outlives its attempt.
        let expires = (self.now + self.policy.life).min(attempt.expires);
        let new = self
            .draw
            .challenge(attempt.id, email, generation, None, self.now, expires);
        tx.supersede_challenges(attempt.id, self.now).await?;
        tx.insert_challenge(&new).await?;
        tx.reset_open_tries(email, Purpose::VerifyEmail).await?;
        Ok((new.id, new.expires))
    }
}

#[async_trait]
impl Write for ResendCode {
    type Out = Resent;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Resent, StoreError> {
        let attempts = tx.attempts(self.email.key(), self.now).await?;
        let Some(attempt) = self.meant(tx, &attempts).await? else {
            tx.count_nothing(self.email.key(), Purpose::VerifyEmail, self.now)
                .await?;
            return Ok(Resent::Nothing);
        };
        let (challenge, expires) = self.challenge(tx, attempt).await?;
        if attempt.decoy {
            // Everything but the mail, so that a verified address looks like any other.
            tx.count_nothing(self.email.key(), Purpose::VerifyEmail, self.now)
                .await?;
            return Ok(Resent::Nothing);
        }
        tx.enqueue(&NewMail {
            id: self.mail,
            kind: MailKind::VerifyEmail,
            to: attempt.mailbox.clone(),
            to_key: self.email.key().clone(),
            challenge: Some(challenge),
            user: None,
            request_id: self.request_id.clone(),
            now: self.now,
            deadline: Some(expires),
        })
        .await?;
        Ok(Resent::Queued)
    }
}
