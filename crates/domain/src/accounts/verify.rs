//! Verifies a registration's code: the only place that creates a `users` row by a client's request.

use async_trait::async_trait;

use super::code::{CodeTarget, SubmittedCode};
use super::{Challenge, ChallengeOwner, NewUser, PendingRegistration};
use crate::audit::{Entry, Event};
use crate::client::ClientKey;
use crate::email::EmailAddress;
use crate::id::UserId;
use crate::limits::{self, Decision, Refusal};
use crate::otp::{CodeForm, Purpose};
use crate::store::{StoreError, Tx, Write};
use crate::token::SecretHash;

/// Verifies a submitted code.
#[derive(Debug)]
pub struct VerifyCode {
    /// The address it was mailed to.
    pub email: EmailAddress,
    /// The hash of the token that came with it, if one did.
    pub token: Option<SecretHash>,
    /// The submitted code.
    pub submitted: SubmittedCode,
}

/// The result. A wrong code is already counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The registration won: there is a user now.
    Welcome(UserId),
    /// Wrong, spent, expired, of another registration, or for nobody: never told apart.
    Wrong,
    /// The limit of wrong codes is reached.
    Limited(Refusal),
}

#[async_trait]
impl Write for VerifyCode {
    type Out = Verified;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Verified, StoreError> {
        let at = CodeTarget {
            email: self.email.key(),
            purpose: Purpose::VerifyEmail,
            holder: self.token.as_ref(),
        };
        if let Decision::Limited(refusal) = self.submitted.client_may_guess(tx, &at).await? {
            return Ok(Verified::Limited(refusal));
        }
        let registrations = tx
            .registrations(self.email.key(), self.submitted.now)
            .await?;
        let winner = match &self.token {
            Some(token) => self.with_token(tx, &registrations, token).await?,
            None => self.without_token(tx, &registrations).await?,
        };
        match winner {
            Some((registration, challenge))
                if tx.use_challenge(challenge.id, self.submitted.now).await? =>
            {
                self.welcome(tx, registration).await
            }
            _ => {
                let email = self.email.key();
                self.submitted
                    .guessed_wrong(tx, None, None, email, Purpose::VerifyEmail)
                    .await?;
                Ok(Verified::Wrong)
            }
        }
    }
}

impl VerifyCode {
    /// Tries of whoever holds the registration's token are counted apart, so that a stranger's guesses can't burn
    /// them: so many for each code, and a re-send of the same digits keeps the count.
    async fn with_token<'a>(
        &self,
        tx: &mut dyn Tx,
        registrations: &'a [PendingRegistration],
        token: &SecretHash,
    ) -> Result<Option<(&'a PendingRegistration, Challenge)>, StoreError> {
        let id = tx.registration_of_token(token).await?;
        let Some(registration) = registrations
            .iter()
            .find(|registration| Some(registration.id) == id)
        else {
            return self.nobodys(tx).await;
        };
        let challenges = self.challenges(tx, registration).await?;
        let Some(newest) = challenges.first() else {
            return self.nobodys(tx).await;
        };
        if let Some(right) = challenges.iter().find(|one| self.submitted.is_long_of(one)) {
            return Ok(Some((registration, right.clone())));
        }
        let most = self.submitted.policy.max_tries;
        if !tx.count_try(newest.id, most).await? {
            return self.nobodys(tx).await;
        }
        let (email, purpose, now) = (self.email.key(), Purpose::VerifyEmail, self.submitted.now);
        let form = limits::held_form(tx, email, purpose, now).await?;
        let mut short = challenges.iter();
        if let Some(right) = short.find(|one| self.submitted.is_short_of(one)) {
            let counts = form == CodeForm::Short;
            return Ok(counts.then(|| (registration, right.clone())));
        }
        if self.is_of_another(tx, registrations, registration).await? {
            // The code of another registration: refused, but it burns nothing.
            tx.uncount_try(newest.id).await?;
            return Ok(None);
        }
        limits::held_guess(tx, email, purpose, now).await?;
        Ok(None)
    }

    /// Whether it is the code of another registration of the address.
    async fn is_of_another(
        &self,
        tx: &mut dyn Tx,
        registrations: &[PendingRegistration],
        own: &PendingRegistration,
    ) -> Result<bool, StoreError> {
        for other in registrations.iter().filter(|other| other.id != own.id) {
            let theirs = self.challenges(tx, other).await?;
            if theirs.iter().any(|one| self.submitted.is_short_of(one)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Without a token, tries count per address, and a code counts only where it can't be a stranger's.
    async fn without_token<'a>(
        &self,
        tx: &mut dyn Tx,
        registrations: &'a [PendingRegistration],
    ) -> Result<Option<(&'a PendingRegistration, Challenge)>, StoreError> {
        let mut open = Vec::new();
        for registration in meant(registrations, &self.submitted.actor.client) {
            let challenges = self.challenges(tx, registration).await?;
            open.extend(
                challenges
                    .into_iter()
                    .map(|challenge| (registration, challenge)),
            );
        }
        if registrations.is_empty() {
            let owner = ChallengeOwner::NoAccount(self.email.key().clone());
            let (purpose, now) = (Purpose::VerifyEmail, self.submitted.now);
            tx.challenges_of(&owner, purpose, now).await?;
            self.submitted.is_of_nothing(purpose);
        }
        let newest = |(_, challenge): &&(&PendingRegistration, Challenge)| !challenge.superseded;
        if !open.iter().any(|one| newest(&one)) {
            tx.count_nothing(self.email.key(), Purpose::VerifyEmail, self.submitted.now)
                .await?;
            return self.guessed_nothing(tx).await;
        }
        if let Some(right) = open.iter().find(|(_, one)| self.submitted.is_long_of(one)) {
            return Ok(Some(right.clone()));
        }
        let (email, purpose, now) = (self.email.key(), Purpose::VerifyEmail, self.submitted.now);
        let most = self.submitted.policy.max_tries;
        if !tx.count_open_try(email, purpose, most, now).await? {
            return self.guessed_nothing(tx).await;
        }
        let form = limits::code_form(tx, email, purpose, now).await?;
        let mut short = open.iter().filter(newest);
        let right = short.find(|(_, challenge)| {
            form == CodeForm::Short && self.submitted.is_short_of(challenge)
        });
        if right.is_none() {
            limits::guessed_at(tx, email, purpose, now).await?;
        }
        Ok(right.cloned())
    }

    async fn challenges(
        &self,
        tx: &mut dyn Tx,
        registration: &PendingRegistration,
    ) -> Result<Vec<Challenge>, StoreError> {
        let (owner, now) = (
            ChallengeOwner::Registration(registration.id),
            self.submitted.now,
        );
        let mut challenges = tx.challenges_of(&owner, Purpose::VerifyEmail, now).await?;
        challenges.retain(|challenge| self.submitted.has_key(challenge));
        Ok(challenges)
    }

    /// There is nothing to compare with; that takes as long as a comparison (OWASP ASVS 5.0 6.3.8).
    async fn nobodys<T>(&self, tx: &mut dyn Tx) -> Result<Option<T>, StoreError> {
        tx.count_nothing(self.email.key(), Purpose::VerifyEmail, self.submitted.now)
            .await?;
        Ok(None)
    }

    /// The same without a token, where a comparison takes more.
    async fn guessed_nothing<T>(&self, tx: &mut dyn Tx) -> Result<Option<T>, StoreError> {
        let (actor, now) = (&self.submitted.actor, self.submitted.now);
        let (email, purpose) = (self.email.key(), Purpose::VerifyEmail);
        limits::guessed_nothing(tx, actor, email, purpose, now).await?;
        Ok(None)
    }

    async fn welcome(
        &self,
        tx: &mut dyn Tx,
        registration: &PendingRegistration,
    ) -> Result<Verified, StoreError> {
        let inserted = tx
            .insert_user(&NewUser {
                username: registration.username.clone(),
                username_key: registration.username_key.clone(),
                email: registration.email.clone(),
                email_key: self.email.key().clone(),
                password: registration.password.clone(),
                now: self.submitted.now,
            })
            .await;
        let user = match inserted {
            Ok(user) => user,
            // An operator made a user of that name or address meanwhile; the registration has lost.
            Err(StoreError::Conflict(_)) => return Ok(Verified::Wrong),
            Err(error) => return Err(error),
        };
        let (email, now) = (self.email.key(), self.submitted.now);
        tx.close_registrations(email, Some(registration.id), now)
            .await?;
        tx.reset_open_tries(self.email.key(), Purpose::VerifyEmail)
            .await?;
        limits::guessed_right(tx, self.email.key(), Purpose::VerifyEmail).await?;
        let entry = Entry::new(Event::Verified, &self.submitted.actor, self.submitted.now);
        tx.record(&entry.user(user).email(self.email.key())).await?;
        Ok(Verified::Welcome(user))
    }
}

/// The registrations whose code counts without a challenge: of several clients' registrations those of the one that presents it,
/// whether or not their codes still live. If two of these differ in name and in password, one may be a stranger's whose
/// client looks the same, and only the challenge decides.
fn meant<'a>(
    registrations: &'a [PendingRegistration],
    client: &ClientKey,
) -> Vec<&'a PendingRegistration> {
    let several = registrations
        .iter()
        .any(|one| one.client != registrations[0].client);
    let meant: Vec<_> = (registrations.iter())
        .filter(|registration| !several || registration.client == *client)
        .collect();
    let rivals = (meant.iter().enumerate())
        .any(|(n, one)| meant[..n].iter().any(|other| one.is_rival_of(other)));
    if rivals { Vec::new() } else { meant }
}

impl PendingRegistration {
    /// Whether the two differ in name and in password: then they may be two people's.
    fn is_rival_of(&self, other: &Self) -> bool {
        let password =
            |registration: &Self| registration.same_password_as.unwrap_or(registration.id);
        self.username_key != other.username_key && password(self) != password(other)
    }
}
