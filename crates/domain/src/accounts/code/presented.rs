//! Presenting a code.

use jiff::Timestamp;

use crate::accounts::{Challenge, CodePolicy, Owner, User};
use crate::audit::{Actor, Entry, Event};
use crate::email::EmailKey;
use crate::id::UserId;
use crate::limits::{self, Limits, Passage, Refusal};
use crate::otp::{CodeForm, KeyRing, Purpose};
use crate::store::{StoreError, Tx, View};

/// A code as somebody presents it, and what it is checked with.
#[derive(Debug)]
pub struct Presented {
    /// What was typed.
    pub code: String,
    /// The keys that codes are derived with.
    pub keys: std::sync::Arc<KeyRing>,
    /// How codes live and die.
    pub policy: CodePolicy,
    /// How often one client may be wrong; `None` lifts it.
    pub limits: Option<Limits>,
    /// Who presents it.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
}

/// What came of presenting a code. A wrong one has been counted when this is known.
#[derive(Debug)]
pub(in crate::accounts) enum Guess<T> {
    /// It is the code of this.
    Right(T),
    /// It is nobody's.
    Wrong,
    /// The client has been wrong too often; it was not compared.
    Limited(Refusal),
}

impl Presented {
    /// Whether the client may present a code at all: looked at before it is compared.
    pub(in crate::accounts) async fn may_guess(
        &self,
        tx: &mut dyn Tx,
    ) -> Result<Passage, StoreError> {
        limits::may_guess(tx, self.limits.as_ref(), &self.actor, self.now).await
    }

    /// Why the client may present no code now, if it may not: for work that costs much and comes before the code is
    /// looked at. Counts nothing.
    pub async fn refusal(&self, view: &mut dyn View) -> Result<Option<Refusal>, StoreError> {
        limits::guesses_refused(view, self.limits.as_ref(), &self.actor.client, self.now).await
    }

    /// Counts a wrong code for the client, and records it. `user`: whose it was not, if the address has one.
    pub(in crate::accounts) async fn guessed_wrong(
        &self,
        tx: &mut dyn Tx,
        user: Option<UserId>,
        email: &EmailKey,
        purpose: Purpose,
    ) -> Result<(), StoreError> {
        limits::guessed_wrong(tx, self.limits.as_ref(), &self.actor, self.now).await?;
        let entry = Entry {
            user,
            ..Entry::new(Event::CodeRefused, &self.actor, self.now)
        };
        tx.record(&entry.email(email).detail(purpose.as_str()))
            .await
    }

    /// Whether it is the code of this challenge, and of the form that is asked for now.
    pub(in crate::accounts) fn fits(&self, challenge: &Challenge, form: CodeForm) -> bool {
        if challenge.seed.form < form {
            return false;
        }
        self.keys
            .code(&challenge.seed)
            .is_some_and(|code| code.matches(&self.code))
    }

    /// A challenge whose key this process lacks is no challenge here: nothing is counted against it.
    pub(in crate::accounts) fn has_key(&self, challenge: &Challenge) -> bool {
        self.keys.code(&challenge.seed).is_some()
    }

    /// The user's challenge that it is the code of. The try is counted before it is compared, and
    /// the challenge is not used up yet.
    pub(in crate::accounts) async fn by_user(
        &self,
        tx: &mut dyn Tx,
        user: &User,
        purpose: Purpose,
    ) -> Result<Guess<Challenge>, StoreError> {
        if let Passage::Refused(refusal) = self.may_guess(tx).await? {
            return Ok(Guess::Limited(refusal));
        }
        if let Some(challenge) = self.challenge_of(tx, user, purpose).await? {
            limits::guessed_right(tx, &user.email_key, purpose).await?;
            return Ok(Guess::Right(challenge));
        }
        self.guessed_wrong(tx, Some(user.id), &user.email_key, purpose)
            .await?;
        Ok(Guess::Wrong)
    }

    /// The same for whoever has that address. One without a user costs a guess like every other.
    pub(in crate::accounts) async fn by_address(
        &self,
        tx: &mut dyn Tx,
        email: &EmailKey,
        purpose: Purpose,
    ) -> Result<Guess<(User, Challenge)>, StoreError> {
        if let Some(user) = tx.user_by_email(email).await? {
            return Ok(match self.by_user(tx, &user, purpose).await? {
                Guess::Right(challenge) => Guess::Right((user, challenge)),
                Guess::Wrong => Guess::Wrong,
                Guess::Limited(refusal) => Guess::Limited(refusal),
            });
        }
        if let Passage::Refused(refusal) = self.may_guess(tx).await? {
            return Ok(Guess::Limited(refusal));
        }
        self.guessed_wrong(tx, None, email, purpose).await?;
        Ok(Guess::Wrong)
    }

    async fn challenge_of(
        &self,
        tx: &mut dyn Tx,
        user: &User,
        purpose: Purpose,
    ) -> Result<Option<Challenge>, StoreError> {
        let form = limits::code_form(tx, &user.email_key, purpose, self.now).await?;
        let mut challenges = tx
            .challenges_of(Owner::User(user.id), purpose, self.now)
            .await?;
        challenges.retain(|challenge| !challenge.superseded && self.has_key(challenge));
        if challenges.is_empty() {
            return Ok(None);
        }
        let most = self.policy.max_tries;
        let counted = tx
            .count_open_try(&user.email_key, purpose, most, self.now)
            .await?;
        if !counted {
            return Ok(None);
        }
        let right = challenges
            .into_iter()
            .find(|challenge| self.fits(challenge, form));
        if right.is_none() {
            limits::guessed_at(tx, &user.email_key, purpose, self.now).await?;
        }
        Ok(right)
    }
}
