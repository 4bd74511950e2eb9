//! Verifying a code: the one place where a `users` row is made.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Attempt, Challenge, CodePolicy, NewUser};
use crate::client::ClientKey;
use crate::email::EmailAddress;
use crate::id::UserId;
use crate::otp::{KeyRing, Purpose};
use crate::store::{StoreError, Tx, Write};
use crate::token::SecretHash;

/// Somebody presents a code.
#[derive(Debug)]
pub struct VerifyCode {
    /// The address it was mailed to.
    pub email: EmailAddress,
    /// What was typed.
    pub code: String,
    /// The hash of the handle that came with it, if one did.
    pub handle: Option<SecretHash>,
    /// Who presents it.
    pub client: ClientKey,
    /// The keys that codes are derived with.
    pub keys: Arc<KeyRing>,
    /// How codes live and die.
    pub policy: CodePolicy,
    /// When.
    pub now: Timestamp,
}

/// What came of it. A wrong code has been counted when this is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The attempt won: there is a user now.
    Welcome(UserId),
    /// Wrong, spent, expired, of another attempt, or for nobody: never told apart.
    Wrong,
}

#[async_trait]
impl Write for VerifyCode {
    type Out = Verified;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Verified, StoreError> {
        let attempts = tx.attempts(self.email.key(), self.now).await?;
        let winner = match &self.handle {
            Some(handle) => self.with_handle(tx, &attempts, handle).await?,
            None => self.without_handle(tx, &attempts).await?,
        };
        match winner {
            Some((attempt, challenge)) if tx.use_challenge(challenge.id, self.now).await? => {
                self.welcome(tx, attempt).await
            }
            _ => Ok(Verified::Wrong),
        }
    }
}

impl VerifyCode {
    /// Tries of whoever holds the attempt's handle are counted apart, so that a stranger's guesses can't burn them.
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
        let challenges = tx.challenges_of(attempt.id, self.now).await?;
        let Some(newest) = challenges.first() else {
            return self.nobodys(tx).await;
        };
        // Counted for the handle, whatever number of codes its attempt gets: a re-send buys no tries.
        if !self.has_key(newest) || !tx.count_try(own, self.policy.max_tries).await? {
            return self.nobodys(tx).await;
        }
        if let Some(challenge) = challenges.iter().find(|challenge| self.fits(challenge)) {
            return Ok((!attempt.decoy).then(|| (attempt, challenge.clone())));
        }
        for other in attempts.iter().filter(|other| other.id != attempt.id) {
            let theirs = tx.challenges_of(other.id, self.now).await?;
            if theirs.iter().any(|challenge| self.fits(challenge)) {
                // The code of another attempt: refused, but it burns nothing.
                tx.uncount_try(own).await?;
            }
        }
        Ok(None)
    }

    /// Without a handle, tries count per address. When attempts from several clients are alive,
    /// a code counts only for the client that started its attempt.
    async fn without_handle<'a>(
        &self,
        tx: &mut dyn Tx,
        attempts: &'a [Attempt],
    ) -> Result<Option<(&'a Attempt, Challenge)>, StoreError> {
        let mut candidates = Vec::new();
        for attempt in attempts {
            let open = tx.challenges_of(attempt.id, self.now).await?;
            candidates.extend(
                open.into_iter()
                    .filter(|challenge| !challenge.superseded && self.has_key(challenge))
                    .map(|challenge| (attempt, challenge)),
            );
        }
        let several = candidates
            .iter()
            .any(|(attempt, _)| attempt.client != candidates[0].0.client);
        if several {
            candidates.retain(|(attempt, _)| attempt.client == self.client);
        }
        if candidates.is_empty() {
            return self.nobodys(tx).await;
        }
        let counted = tx
            .count_open_try(
                self.email.key(),
                Purpose::VerifyEmail,
                self.policy.max_tries,
                self.now,
            )
            .await?;
        if !counted {
            return self.nobodys(tx).await;
        }
        Ok(candidates
            .into_iter()
            .find(|(attempt, challenge)| !attempt.decoy && self.fits(challenge)))
    }

    /// There is nothing to compare with; that takes as long as a comparison (OWASP ASVS 5.0 6.3.8).
    async fn nobodys<T>(&self, tx: &mut dyn Tx) -> Result<Option<T>, StoreError> {
        tx.count_nothing(self.email.key(), Purpose::VerifyEmail, self.now)
            .await?;
        Ok(None)
    }

    /// A challenge whose key this process lacks is no challenge here: nothing is counted against it.
    fn has_key(&self, challenge: &Challenge) -> bool {
        self.keys.code(&challenge.seed).is_some()
    }

    fn fits(&self, challenge: &Challenge) -> bool {
        self.keys
            .code(&challenge.seed)
            .is_some_and(|code| code.matches(&self.code))
    }

    async fn welcome(&self, tx: &mut dyn Tx, attempt: &Attempt) -> Result<Verified, StoreError> {
        let inserted = tx
            .insert_user(&NewUser {
                username: attempt.username.clone(),
                username_key: attempt.username_key.clone(),
                email: attempt.email.clone(),
                email_key: self.email.key().clone(),
                password: attempt.password.clone(),
                now: self.now,
            })
            .await;
        let user = match inserted {
            Ok(user) => user,
            // An operator made a user of that name or address meanwhile; the attempt has lost.
            Err(StoreError::Conflict(_)) => return Ok(Verified::Wrong),
            Err(error) => return Err(error),
        };
        tx.end_attempts(self.email.key(), self.now).await?;
        tx.reset_open_tries(self.email.key(), Purpose::VerifyEmail)
            .await?;
        Ok(Verified::Welcome(user))
    }
}
