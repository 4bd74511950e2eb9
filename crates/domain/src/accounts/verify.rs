//! Verifying a code: the one place where a `users` row is made.

use async_trait::async_trait;

use super::code::Presented;
use super::{Attempt, Challenge, NewUser, Owner};
use crate::audit::{Entry, Event};
use crate::email::EmailAddress;
use crate::id::UserId;
use crate::limits::{self, Passage, Refusal};
use crate::otp::{CodeForm, Purpose};
use crate::store::{StoreError, Tx, Write};
use crate::token::SecretHash;

/// Somebody presents a code.
#[derive(Debug)]
pub struct VerifyCode {
    /// The address it was mailed to.
    pub email: EmailAddress,
    /// The hash of the handle that came with it, if one did.
    pub handle: Option<SecretHash>,
    /// The code.
    pub presented: Presented,
}

/// What came of it. A wrong code has been counted when this is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The attempt won: there is a user now.
    Welcome(UserId),
    /// Wrong, spent, expired, of another attempt, or for nobody: never told apart.
    Wrong,
    /// The client has been wrong too often.
    Limited(Refusal),
}

#[async_trait]
impl Write for VerifyCode {
    type Out = Verified;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Verified, StoreError> {
        if let Passage::Refused(refusal) = self.presented.may_guess(tx).await? {
            return Ok(Verified::Limited(refusal));
        }
        let attempts = tx.attempts(self.email.key(), self.presented.now).await?;
        let now = self.presented.now;
        let form = limits::code_form(tx, self.email.key(), Purpose::VerifyEmail, now).await?;
        let winner = match &self.handle {
            Some(handle) => self.with_handle(tx, &attempts, handle).await?,
            None => self.without_handle(tx, &attempts, form).await?,
        };
        match winner {
            Some((attempt, challenge))
                if tx.use_challenge(challenge.id, self.presented.now).await? =>
            {
                self.welcome(tx, attempt).await
            }
            _ => {
                let email = self.email.key();
                self.presented
                    .guessed_wrong(tx, None, email, Purpose::VerifyEmail)
                    .await?;
                Ok(Verified::Wrong)
            }
        }
    }
}

impl VerifyCode {
    /// Tries of whoever holds the attempt's handle are counted apart, so that a stranger's guesses can't burn
    /// them: there are five for the attempt, so that its code is good in whatever form it was mailed.
    async fn with_handle<'a>(
        &self,
        tx: &mut dyn Tx,
        attempts: &'a [Attempt],
        handle: &SecretHash,
    ) -> Result<Option<(&'a Attempt, Challenge)>, StoreError> {
        let found = tx.attempt_of_handle(handle).await?;
        let Some((attempt, own)) = found.and_then(|(id, own)| {
            let attempt = attempts.iter().find(|attempt| attempt.id == id)?;
            Some((attempt, own))
        }) else {
            return self.nobodys(tx).await;
        };
        let challenges = self.challenges(tx, attempt).await?;
        let Some(newest) = challenges.first() else {
            return self.nobodys(tx).await;
        };
        // Counted for the handle, whatever number of codes its attempt gets: a re-send buys no tries.
        if !self.presented.has_key(newest)
            || !tx.count_try(own, self.presented.policy.max_tries).await?
        {
            return self.nobodys(tx).await;
        }
        if let Some(challenge) = challenges
            .iter()
            .find(|challenge| self.presented.fits(challenge, CodeForm::Short))
        {
            return Ok((!attempt.decoy).then(|| (attempt, challenge.clone())));
        }
        for other in attempts.iter().filter(|other| other.id != attempt.id) {
            let theirs = self.challenges(tx, other).await?;
            if theirs
                .iter()
                .any(|challenge| self.presented.fits(challenge, CodeForm::Short))
            {
                // The code of another attempt: refused, but it burns nothing.
                tx.uncount_try(own).await?;
                return Ok(None);
            }
        }
        self.compared(tx).await?;
        Ok(None)
    }

    /// Without a handle, tries count per address. When attempts from several clients are alive,
    /// a code counts only for the client that started its attempt.
    async fn without_handle<'a>(
        &self,
        tx: &mut dyn Tx,
        attempts: &'a [Attempt],
        form: CodeForm,
    ) -> Result<Option<(&'a Attempt, Challenge)>, StoreError> {
        let mut candidates = Vec::new();
        for attempt in attempts {
            let open = self.challenges(tx, attempt).await?;
            candidates.extend(
                open.into_iter()
                    .filter(|challenge| !challenge.superseded && self.presented.has_key(challenge))
                    .map(|challenge| (attempt, challenge)),
            );
        }
        let several = candidates
            .iter()
            .any(|(attempt, _)| attempt.client != candidates[0].0.client);
        if several {
            candidates.retain(|(attempt, _)| attempt.client == self.presented.actor.client);
        }
        if candidates.is_empty() {
            return self.nobodys(tx).await;
        }
        let counted = tx
            .count_open_try(
                self.email.key(),
                Purpose::VerifyEmail,
                self.presented.policy.max_tries,
                self.presented.now,
            )
            .await?;
        if !counted {
            return self.nobodys(tx).await;
        }
        let right = candidates
            .into_iter()
            .find(|(attempt, challenge)| !attempt.decoy && self.presented.fits(challenge, form));
        if right.is_none() {
            self.compared(tx).await?;
        }
        Ok(right)
    }

    async fn challenges(
        &self,
        tx: &mut dyn Tx,
        attempt: &Attempt,
    ) -> Result<Vec<Challenge>, StoreError> {
        let owner = Owner::Attempt(attempt.id);
        tx.challenges_of(owner, Purpose::VerifyEmail, self.presented.now)
            .await
    }

    /// A guess was compared and wrong: after many of them codes become longer.
    async fn compared(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let purpose = Purpose::VerifyEmail;
        limits::guessed_at(tx, self.email.key(), purpose, self.presented.now).await
    }

    /// There is nothing to compare with; that takes as long as a comparison (OWASP ASVS 5.0 6.3.8).
    async fn nobodys<T>(&self, tx: &mut dyn Tx) -> Result<Option<T>, StoreError> {
        tx.count_nothing(self.email.key(), Purpose::VerifyEmail, self.presented.now)
            .await?;
        Ok(None)
    }

    async fn welcome(&self, tx: &mut dyn Tx, attempt: &Attempt) -> Result<Verified, StoreError> {
        let inserted = tx
            .insert_user(&NewUser {
                username: attempt.username.clone(),
                username_key: attempt.username_key.clone(),
                email: attempt.email.clone(),
                email_key: self.email.key().clone(),
                password: attempt.password.clone(),
                now: self.presented.now,
            })
            .await;
        let user = match inserted {
            Ok(user) => user,
            // An operator made a user of that name or address meanwhile; the attempt has lost.
            Err(StoreError::Conflict(_)) => return Ok(Verified::Wrong),
            Err(error) => return Err(error),
        };
        tx.end_attempts(self.email.key(), self.presented.now)
            .await?;
        tx.reset_open_tries(self.email.key(), Purpose::VerifyEmail)
            .await?;
        limits::guessed_right(tx, self.email.key(), Purpose::VerifyEmail).await?;
        let entry = Entry::new(Event::Verified, &self.presented.actor, self.presented.now);
        tx.record(&entry.user(user).email(self.email.key())).await?;
        Ok(Verified::Welcome(user))
    }
}
