//! Verifying a code: the one place where a `users` row is made.

use async_trait::async_trait;

use super::code::{GuessAt, Presented};
use super::{Attempt, Challenge, NewUser, Owner};
use crate::audit::{Entry, Event};
use crate::client::ClientKey;
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
        let at = GuessAt {
            email: self.email.key(),
            purpose: Purpose::VerifyEmail,
            holder: self.handle.as_ref(),
        };
        if let Passage::Refused(refusal) = self.presented.client_may_guess(tx, &at).await? {
            return Ok(Verified::Limited(refusal));
        }
        let attempts = tx.attempts(self.email.key(), self.presented.now).await?;
        let winner = match &self.handle {
            Some(handle) => self.with_handle(tx, &attempts, handle).await?,
            None => self.without_handle(tx, &attempts).await?,
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
                    .guessed_wrong(tx, None, None, email, Purpose::VerifyEmail)
                    .await?;
                Ok(Verified::Wrong)
            }
        }
    }
}

impl VerifyCode {
    /// Tries of whoever holds the attempt's handle are counted apart, so that a stranger's guesses can't burn
    /// them: so many for each code, and a re-send of the same digits keeps the count.
    async fn with_handle<'a>(
        &self,
        tx: &mut dyn Tx,
        attempts: &'a [Attempt],
        handle: &SecretHash,
    ) -> Result<Option<(&'a Attempt, Challenge)>, StoreError> {
        let id = tx.attempt_of_handle(handle).await?;
        let Some(attempt) = attempts.iter().find(|attempt| Some(attempt.id) == id) else {
            return self.nobodys(tx).await;
        };
        let challenges = self.challenges(tx, attempt).await?;
        let Some(newest) = challenges.first() else {
            return self.nobodys(tx).await;
        };
        if let Some(right) = challenges.iter().find(|one| self.presented.is_long_of(one)) {
            return Ok(Some((attempt, right.clone())));
        }
        let most = self.presented.policy.max_tries;
        if !tx.count_try(newest.id, most).await? {
            return self.nobodys(tx).await;
        }
        let (email, purpose, now) = (self.email.key(), Purpose::VerifyEmail, self.presented.now);
        let form = limits::held_form(tx, email, purpose, now).await?;
        let mut short = challenges.iter();
        if let Some(right) = short.find(|one| self.presented.is_short_of(one)) {
            let counts = form == CodeForm::Short;
            return Ok(counts.then(|| (attempt, right.clone())));
        }
        if self.is_of_another(tx, attempts, attempt).await? {
            // The code of another attempt: refused, but it burns nothing.
            tx.uncount_try(newest.id).await?;
            return Ok(None);
        }
        limits::held_guess(tx, email, purpose, now).await?;
        Ok(None)
    }

    /// Whether it is the code of another attempt of the address.
    async fn is_of_another(
        &self,
        tx: &mut dyn Tx,
        attempts: &[Attempt],
        own: &Attempt,
    ) -> Result<bool, StoreError> {
        for other in attempts.iter().filter(|other| other.id != own.id) {
            let theirs = self.challenges(tx, other).await?;
            if theirs.iter().any(|one| self.presented.is_short_of(one)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Without a handle, tries count per address, and a code counts only where it can't be a stranger's.
    async fn without_handle<'a>(
        &self,
        tx: &mut dyn Tx,
        attempts: &'a [Attempt],
    ) -> Result<Option<(&'a Attempt, Challenge)>, StoreError> {
        let mut open = Vec::new();
        for attempt in meant(attempts, &self.presented.actor.client) {
            let challenges = self.challenges(tx, attempt).await?;
            open.extend(challenges.into_iter().map(|challenge| (attempt, challenge)));
        }
        if attempts.is_empty() {
            let owner = Owner::NoAccount(self.email.key().clone());
            let (purpose, now) = (Purpose::VerifyEmail, self.presented.now);
            tx.challenges_of(&owner, purpose, now).await?;
            self.presented.is_of_nothing(purpose);
        }
        let newest = |(_, challenge): &&(&Attempt, Challenge)| !challenge.superseded;
        if !open.iter().any(|one| newest(&one)) {
            tx.count_nothing(self.email.key(), Purpose::VerifyEmail, self.presented.now)
                .await?;
            return self.guessed_nothing(tx).await;
        }
        if let Some(right) = open.iter().find(|(_, one)| self.presented.is_long_of(one)) {
            return Ok(Some(right.clone()));
        }
        let (email, purpose, now) = (self.email.key(), Purpose::VerifyEmail, self.presented.now);
        let most = self.presented.policy.max_tries;
        if !tx.count_open_try(email, purpose, most, now).await? {
            return self.guessed_nothing(tx).await;
        }
        let form = limits::code_form(tx, email, purpose, now).await?;
        let mut short = open.iter().filter(newest);
        let right = short.find(|(_, challenge)| {
            form == CodeForm::Short && self.presented.is_short_of(challenge)
        });
        if right.is_none() {
            limits::guessed_at(tx, email, purpose, now).await?;
        }
        Ok(right.cloned())
    }

    async fn challenges(
        &self,
        tx: &mut dyn Tx,
        attempt: &Attempt,
    ) -> Result<Vec<Challenge>, StoreError> {
        let (owner, now) = (Owner::Attempt(attempt.id), self.presented.now);
        let mut challenges = tx.challenges_of(&owner, Purpose::VerifyEmail, now).await?;
        challenges.retain(|challenge| self.presented.has_key(challenge));
        Ok(challenges)
    }

    /// There is nothing to compare with; that takes as long as a comparison (OWASP ASVS 5.0 6.3.8).
    async fn nobodys<T>(&self, tx: &mut dyn Tx) -> Result<Option<T>, StoreError> {
        tx.count_nothing(self.email.key(), Purpose::VerifyEmail, self.presented.now)
            .await?;
        Ok(None)
    }

    /// The same without a handle, where a comparison takes more.
    async fn guessed_nothing<T>(&self, tx: &mut dyn Tx) -> Result<Option<T>, StoreError> {
        let (actor, now) = (&self.presented.actor, self.presented.now);
        let (email, purpose) = (self.email.key(), Purpose::VerifyEmail);
        limits::guessed_nothing(tx, actor, email, purpose, now).await?;
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
        let (email, now) = (self.email.key(), self.presented.now);
        tx.close_attempts(email, Some(attempt.id), now).await?;
        tx.reset_open_tries(self.email.key(), Purpose::VerifyEmail)
            .await?;
        limits::guessed_right(tx, self.email.key(), Purpose::VerifyEmail).await?;
        let entry = Entry::new(Event::Verified, &self.presented.actor, self.presented.now);
        tx.record(&entry.user(user).email(self.email.key())).await?;
        Ok(Verified::Welcome(user))
    }
}

/// The attempts whose code counts without a challenge: of several clients' attempts those of the one that presents it,
/// whether or not their codes still live. If two of these differ in name and in password, one may be a stranger's whose
/// client looks the same, and only the challenge decides.
fn meant<'a>(attempts: &'a [Attempt], client: &ClientKey) -> Vec<&'a Attempt> {
    let several = attempts.iter().any(|one| one.client != attempts[0].client);
    let meant: Vec<_> = (attempts.iter())
        .filter(|attempt| !several || attempt.client == *client)
        .collect();
    let rivals = (meant.iter().enumerate())
        .any(|(n, one)| meant[..n].iter().any(|other| one.is_rival_of(other)));
    if rivals { Vec::new() } else { meant }
}

impl Attempt {
    /// Whether the two differ in name and in password: then they may be two people's.
    fn is_rival_of(&self, other: &Self) -> bool {
        let password = |attempt: &Self| attempt.same_password_as.unwrap_or(attempt.id);
        self.username_key != other.username_key && password(self) != password(other)
    }
}
