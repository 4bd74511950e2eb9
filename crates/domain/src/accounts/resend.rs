//! Mailing a registration's code again: the same digits while they have time, a new challenge after that.

use async_trait::async_trait;

use super::code::{Asking, CodeFor, Requested};
use super::{Attempt, Owner};
use crate::email::EmailAddress;
use crate::limits::Passage;
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
            let id = tx.attempt_of_handle(handle).await?.map(|(id, _)| id);
            return Ok(attempts.iter().find(|attempt| Some(attempt.id) == id));
        }
        let client = &self.asking.actor().client;
        let own = attempts.iter().find(|attempt| attempt.client == *client);
        Ok(own.or_else(|| attempts.first()))
    }

    /// Mails nothing, and writes all the same, as for an address that waits for its code.
    async fn nothing(&self, tx: &mut dyn Tx) -> Result<Requested, StoreError> {
        let now = self.asking.now();
        tx.count_nothing(self.email.key(), Purpose::VerifyEmail, now)
            .await?;
        Ok(Requested::Nothing)
    }
}

#[async_trait]
impl Write for ResendCode {
    type Out = Requested;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Requested, StoreError> {
        if let Passage::Refused(refusal) = self.asking.spend(tx, &self.email, None).await? {
            return Ok(Requested::Limited(refusal));
        }
        let attempts = tx.attempts(self.email.key(), self.asking.now()).await?;
        let Some(attempt) = self.meant(tx, &attempts).await? else {
            return self.nothing(tx).await;
        };
        let code = CodeFor {
            owner: Owner::Attempt(attempt.id),
            purpose: Purpose::VerifyEmail,
            email: self.email.key(),
            target: None,
            until: Some(attempt.expires),
        };
        let challenge = self.asking.challenge(tx, code).await?;
        if attempt.decoy {
            // Everything but the mail, so that a verified address looks like any other.
            return self.nothing(tx).await;
        }
        let to = (attempt.mailbox.clone(), self.email.key());
        self.asking.mail(tx, code, challenge, to).await
    }
}
