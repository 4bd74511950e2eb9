//! Mailing a registration's code again: the same digits while they have time, a new challenge after that.

use async_trait::async_trait;

use super::code::{Asking, CodeFor, Requested};
use super::{Attempt, Owner};
use crate::email::EmailAddress;
use crate::limits::{Limits, Passage};
use crate::otp::Purpose;
use crate::store::{StoreError, Tx, Write};
use crate::token::SecretHash;

/// Somebody asks for the code again.
#[derive(Debug)]
pub struct ResendCode {
    /// The address that registers.
    pub email: EmailAddress,
    /// The hash of the handle that came with it, if one did.
    pub handle: Option<SecretHash>,
    /// Who asks.
    pub asking: Asking,
}

impl ResendCode {
    /// The attempt that is meant: the handle's; without one the newest of this client, else the newest.
    async fn meant<'a>(
        &self,
        tx: &mut dyn Tx,
        attempts: &'a [Attempt],
    ) -> Result<Option<&'a Attempt>, StoreError> {
        if let Some(handle) = &self.handle {
            let id = tx.attempt_of_handle(handle).await?;
            return Ok(attempts.iter().find(|attempt| Some(attempt.id) == id));
        }
        let client = &self.asking.actor().client;
        let own = attempts.iter().find(|attempt| attempt.client == *client);
        Ok(own.or_else(|| attempts.first()))
    }
}

impl ResendCode {
    /// The holder of a live attempt's challenge has a mail that no other client uses up.
    async fn passage(
        &self,
        tx: &mut dyn Tx,
        meant: Option<&Attempt>,
    ) -> Result<Passage, StoreError> {
        let client = &self.asking.actor().client;
        let held = meant.filter(|_| self.handle.is_some());
        let held = held.map(|attempt| attempt.id);
        let lists = |limits: &Limits| limits.resend(&self.email, client, held);
        self.asking.spend(tx, self.email.key(), lists).await
    }

    /// Whether another attempt of the address has digits that still count.
    async fn others_are_live(
        &self,
        tx: &mut dyn Tx,
        attempts: &[Attempt],
        own: &Attempt,
    ) -> Result<bool, StoreError> {
        let (purpose, now) = (Purpose::VerifyEmail, self.asking.now());
        for other in attempts.iter().filter(|other| other.id != own.id) {
            let owner = Owner::Attempt(other.id);
            let challenges = tx.challenges_of(&owner, purpose, now).await?;
            if challenges.iter().any(|challenge| !challenge.superseded) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Write for ResendCode {
    type Out = Requested;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Requested, StoreError> {
        let attempts = tx.attempts(self.email.key(), self.asking.now()).await?;
        let meant = self.meant(tx, &attempts).await?;
        if let Passage::Refused(refusal) = self.passage(tx, meant).await? {
            return Ok(Requested::Limited(refusal));
        }
        let Some(attempt) = meant else {
            let (purpose, beside) = (Purpose::VerifyEmail, !attempts.is_empty());
            let decoy = self.asking.decoy(tx, &self.email, purpose, beside);
            return Ok(decoy.await?.1);
        };
        let code = CodeFor {
            owner: Owner::Attempt(attempt.id),
            decoy: attempt.decoy,
            purpose: Purpose::VerifyEmail,
            email: self.email.key(),
            target: None,
            until: Some(attempt.expires),
            beside: self.others_are_live(tx, &attempts, attempt).await?,
        };
        let held = self.handle.is_some();
        let challenge = self.asking.challenge(tx, &code, held).await?;
        let to = (attempt.mailbox.clone(), self.email.key());
        self.asking.mail(tx, &code, challenge, to).await
    }
}
