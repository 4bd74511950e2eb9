//! Mailing a code again: the same digits while they have time, a new challenge after that.

use async_trait::async_trait;
use jiff::Timestamp;

use super::code::{ChallengeDraw, CodeFor};
use super::{Attempt, CodePolicy, Owner};
use crate::audit::Actor;
use crate::email::EmailAddress;
use crate::id::MailId;
use crate::limits::{self, Limits, Passage, Refusal};
use crate::mail::{MailKind, NewMail};
use crate::otp::{KeyId, Purpose};
use crate::store::{StoreError, Tx, Write};
use crate::token::SecretHash;

/// Somebody asks for the code again. Random values are drawn by [`ResendCode::new`].
#[derive(Debug)]
pub struct ResendCode {
    email: EmailAddress,
    handle: Option<SecretHash>,
    actor: Actor,
    policy: CodePolicy,
    limits: Option<Limits>,
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
    /// A limit was reached: alike for addresses that have an attempt and those that have none.
    Limited(Refusal),
}

impl ResendCode {
    /// A request for the code of an address's attempt.
    #[must_use]
    pub fn new(
        email: EmailAddress,
        handle: Option<SecretHash>,
        actor: Actor,
        key: KeyId,
        policy: CodePolicy,
        limits: Option<Limits>,
        now: Timestamp,
    ) -> Self {
        Self {
            email,
            handle,
            actor,
            policy,
            limits,
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
            .find(|attempt| attempt.client == self.actor.client);
        Ok(own.or_else(|| attempts.first()))
    }
}

#[async_trait]
impl Write for ResendCode {
    type Out = Resent;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Resent, StoreError> {
        if let Some(limits) = &self.limits {
            let spends = limits.code_request(&self.email, &self.actor.client, None);
            let passage = limits::spend(tx, &self.actor, &spends, self.now).await?;
            if let Passage::Refused(refusal) = passage {
                return Ok(Resent::Limited(refusal));
            }
        }
        let attempts = tx.attempts(self.email.key(), self.now).await?;
        let Some(attempt) = self.meant(tx, &attempts).await? else {
            tx.count_nothing(self.email.key(), Purpose::VerifyEmail, self.now)
                .await?;
            return Ok(Resent::Nothing);
        };
        let code = CodeFor {
            owner: Owner::Attempt(attempt.id),
            purpose: Purpose::VerifyEmail,
            email: self.email.key(),
            target: None,
            until: Some(attempt.expires),
        };
        let (challenge, expires) = self
            .draw
            .current_or_new(tx, code, self.now, self.policy)
            .await?;
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
            request_id: self.actor.request_id.clone(),
            now: self.now,
            deadline: Some(expires),
            forget_as: None,
        })
        .await?;
        Ok(Resent::Queued)
    }
}
