//! Mails the code of a pending registration again: the same digits while they are valid for long
//! enough, else a new challenge.

use async_trait::async_trait;

use super::code::{CodeFor, CodeRequest, Requested};
use super::{ChallengeOwner, PendingRegistration};
use crate::email::EmailAddress;
use crate::limits::{Decision, Limits};
use crate::otp::Purpose;
use crate::store::{StoreError, Tx, Write};
use crate::token::SecretHash;

/// Requests the code again.
#[derive(Debug)]
pub struct ResendCode {
    /// The address that registers.
    pub email: EmailAddress,
    /// The hash of the token that came with it, if one did.
    pub token: Option<SecretHash>,
    /// The request for the code.
    pub request: CodeRequest,
}

impl ResendCode {
    /// The registration that is meant: the token's; without one the newest of this client, else the newest.
    async fn meant<'a>(
        &self,
        tx: &mut dyn Tx,
        registrations: &'a [PendingRegistration],
    ) -> Result<Option<&'a PendingRegistration>, StoreError> {
        if let Some(token) = &self.token {
            let id = tx.registration_of_token(token).await?;
            return Ok(registrations
                .iter()
                .find(|registration| Some(registration.id) == id));
        }
        let client = &self.request.actor().client;
        let own = registrations
            .iter()
            .find(|registration| registration.client == *client);
        Ok(own.or_else(|| registrations.first()))
    }
}

impl ResendCode {
    /// The holder of a live registration's challenge has a mail that no other client uses up.
    async fn decision(
        &self,
        tx: &mut dyn Tx,
        meant: Option<&PendingRegistration>,
    ) -> Result<Decision, StoreError> {
        let client = &self.request.actor().client;
        let held = meant.filter(|_| self.token.is_some());
        let held = held.map(|registration| registration.id);
        let lists = |limits: &Limits| limits.resend(&self.email, client, held);
        self.request.charge(tx, self.email.key(), lists).await
    }

    /// Whether another registration of the address has digits that still count.
    async fn others_are_live(
        &self,
        tx: &mut dyn Tx,
        registrations: &[PendingRegistration],
        own: &PendingRegistration,
    ) -> Result<bool, StoreError> {
        let (purpose, now) = (Purpose::VerifyEmail, self.request.now());
        for other in registrations.iter().filter(|other| other.id != own.id) {
            let owner = ChallengeOwner::Registration(other.id);
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
        let registrations = tx
            .registrations(self.email.key(), self.request.now())
            .await?;
        let meant = self.meant(tx, &registrations).await?;
        if let Decision::Limited(refusal) = self.decision(tx, meant).await? {
            return Ok(Requested::Limited(refusal));
        }
        let Some(registration) = meant else {
            let (purpose, beside) = (Purpose::VerifyEmail, !registrations.is_empty());
            let decoy = self.request.decoy(tx, &self.email, purpose, beside);
            return Ok(decoy.await?.1);
        };
        let code = CodeFor {
            owner: ChallengeOwner::Registration(registration.id),
            decoy: registration.decoy,
            purpose: Purpose::VerifyEmail,
            email: self.email.key(),
            target: None,
            until: Some(registration.expires),
            beside: self
                .others_are_live(tx, &registrations, registration)
                .await?,
        };
        let held = self.token.is_some();
        let challenge = self.request.challenge(tx, &code, held).await?;
        let to = (registration.mailbox.clone(), self.email.key());
        self.request.mail(tx, &code, challenge, to).await
    }
}
