//! Presenting a code.

use jiff::Timestamp;

use super::{required_form, target_key};
use crate::accounts::{Challenge, CodePolicy, Owner, User};
use crate::audit::{Actor, Entry, Event};
use crate::email::EmailKey;
use crate::id::UserId;
use crate::limits::{self, Limits, Passage, Refusal};
use crate::otp::{CodeForm, CodeSeed, KeyRing, Purpose, TypedCode};
use crate::store::{StoreError, Tx, View};
use crate::token::SecretHash;

/// A code as somebody presents it, and what it is checked with.
#[derive(Debug)]
pub struct Presented {
    /// What was typed.
    pub code: TypedCode,
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
    /// Whether a code may be presented at all: looked at before it is compared. `user`: who is logged in, and charged
    /// instead of the client, whose neighbours' guesses cost them nothing.
    pub(in crate::accounts) async fn may_guess(
        &self,
        tx: &mut dyn Tx,
        user: Option<UserId>,
    ) -> Result<Passage, StoreError> {
        limits::may_guess(tx, self.limits.as_ref(), &self.actor, user, self.now).await
    }

    /// Why the client may present no code now, if it may not: for work that costs much and comes before the code is
    /// looked at. Counts nothing.
    pub async fn refusal(&self, view: &mut dyn View) -> Result<Option<Refusal>, StoreError> {
        limits::guesses_refused(
            view,
            self.limits.as_ref(),
            &self.actor.client,
            None,
            self.now,
        )
        .await
    }

    /// Counts a wrong code for the client or the user who is logged in, and records it. `whose`: whose it was not, if
    /// the address has a user.
    pub(in crate::accounts) async fn guessed_wrong(
        &self,
        tx: &mut dyn Tx,
        user: Option<UserId>,
        whose: Option<UserId>,
        email: &EmailKey,
        purpose: Purpose,
    ) -> Result<(), StoreError> {
        limits::guessed_wrong(tx, self.limits.as_ref(), &self.actor, user, self.now).await?;
        let entry = Entry {
            user: whose,
            ..Entry::new(Event::CodeRefused, &self.actor, self.now)
        };
        tx.record(&entry.email(email).detail(purpose.as_str()))
            .await
    }

    /// Whether these are the six digits of a challenge.
    pub(in crate::accounts) fn is_short_of(&self, challenge: &Challenge) -> bool {
        self.is(challenge, CodeForm::Short)
    }

    /// Whether it is the long code of a challenge. Such a code can't be guessed (60 bits), so that comparing it
    /// needs no try, and strangers can't keep anybody from it.
    pub(in crate::accounts) fn is_long_of(&self, challenge: &Challenge) -> bool {
        self.is(challenge, CodeForm::Long)
    }

    fn is(&self, challenge: &Challenge, form: CodeForm) -> bool {
        let seed = CodeSeed {
            form,
            ..challenge.seed.clone()
        };
        let code = self.keys.code(&seed);
        // A decoy is compared as every challenge is, so that the time tells nothing (OWASP ASVS 5.0 6.3.8).
        let same = code.is_some_and(|code| code.matches(&self.code));
        same && !challenge.decoy
    }

    /// A challenge whose key this process lacks is no challenge here: nothing is counted against it.
    pub(in crate::accounts) fn has_key(&self, challenge: &Challenge) -> bool {
        self.keys.code(&challenge.seed).is_some()
    }

    /// The challenge of a user who is logged in that it is the code of. The try is counted before it is compared,
    /// and the challenge is not used up yet.
    pub(in crate::accounts) async fn by_user(
        &self,
        tx: &mut dyn Tx,
        user: &User,
        purpose: Purpose,
    ) -> Result<Guess<Challenge>, StoreError> {
        if let Passage::Refused(refusal) = self.may_guess(tx, Some(user.id)).await? {
            return Ok(Guess::Limited(refusal));
        }
        let owner = Owner::User(user.id);
        let email = &user.email_key;
        if let Some(challenge) = self.bare(tx, &owner, email, purpose).await? {
            limits::guessed_right(tx, email, purpose).await?;
            return Ok(Guess::Right(challenge));
        }
        self.guessed_wrong(tx, Some(user.id), Some(user.id), email, purpose)
            .await?;
        Ok(Guess::Wrong)
    }

    /// The same for whoever has that address; one without a user costs what every other does. `holder`: the hash of the
    /// token that came with the code, if one did.
    pub(in crate::accounts) async fn by_address(
        &self,
        tx: &mut dyn Tx,
        email: &EmailKey,
        purpose: Purpose,
        holder: Option<&SecretHash>,
    ) -> Result<Guess<(User, Challenge)>, StoreError> {
        if let Passage::Refused(refusal) = self.may_guess(tx, None).await? {
            return Ok(Guess::Limited(refusal));
        }
        let user = tx.user_by_email(email).await?.filter(|user| user.active);
        let owner = match &user {
            Some(user) => Owner::User(user.id),
            None => Owner::NoAccount(email.clone()),
        };
        let right = match holder {
            Some(holder) => self.held(tx, &owner, email, purpose, holder).await?,
            None => self.bare(tx, &owner, email, purpose).await?,
        };
        let whose = user.as_ref().map(|user| user.id);
        if let Some(found) = user.zip(right) {
            limits::guessed_right(tx, email, purpose).await?;
            return Ok(Guess::Right(found));
        }
        self.guessed_wrong(tx, None, whose, email, purpose).await?;
        Ok(Guess::Wrong)
    }

    /// Without a token: the newest code's digits, whose tries everybody shares, unless too many were wrong; or the
    /// long code of any mail.
    async fn bare(
        &self,
        tx: &mut dyn Tx,
        owner: &Owner,
        email: &EmailKey,
        purpose: Purpose,
    ) -> Result<Option<Challenge>, StoreError> {
        let challenges = self.challenges(tx, owner, purpose).await?;
        let Some(newest) = challenges.iter().find(|challenge| !challenge.superseded) else {
            tx.count_nothing(email, purpose, self.now).await?;
            return Ok(None);
        };
        let target = newest.target.as_deref().and_then(target_key);
        let form = required_form(tx, email, purpose, target.as_ref(), self.now).await?;
        // Of a change of address only the newest request counts.
        let open =
            |challenge: &&Challenge| purpose != Purpose::ChangeEmail || !challenge.superseded;
        let mut long = challenges.iter().filter(open);
        if let Some(right) = long.find(|challenge| self.is_long_of(challenge)) {
            self.confirmed(tx, target.as_ref()).await?;
            return Ok(Some(right.clone()));
        }
        let most = self.policy.max_tries;
        if !tx.count_open_try(email, purpose, most, self.now).await? {
            return Ok(None);
        }
        if form == CodeForm::Short && self.is_short_of(newest) {
            self.confirmed(tx, target.as_ref()).await?;
            return Ok(Some(newest.clone()));
        }
        limits::guessed_at(tx, email, purpose, self.now).await?;
        if let Some(target) = &target {
            limits::guessed_at(tx, target, Purpose::VerifyEmail, self.now).await?;
        }
        Ok(None)
    }

    /// With a token: the digits that were mailed for it, or newer ones, with tries that no other has; or the long code.
    async fn held(
        &self,
        tx: &mut dyn Tx,
        owner: &Owner,
        email: &EmailKey,
        purpose: Purpose,
        holder: &SecretHash,
    ) -> Result<Option<Challenge>, StoreError> {
        let challenges = self.challenges(tx, owner, purpose).await?;
        let own = tx.challenge_of_holder(holder).await?;
        if !challenges.iter().any(|challenge| Some(challenge.id) == own) {
            tx.count_nothing(email, purpose, self.now).await?;
            return Ok(None);
        }
        if let Some(right) = challenges.iter().find(|one| self.is_long_of(one)) {
            return Ok(Some(right.clone()));
        }
        if !tx.count_holder_try(holder, self.policy.max_tries).await? {
            return Ok(None);
        }
        let form = limits::held_form(tx, email, purpose, self.now).await?;
        let mut mailed = (challenges.iter())
            .filter(|challenge| Some(challenge.id) == own || !challenge.superseded);
        let right = mailed.find(|challenge| form == CodeForm::Short && self.is_short_of(challenge));
        if right.is_none() {
            limits::held_guess(tx, email, purpose, self.now).await?;
        }
        Ok(right.cloned())
    }

    async fn challenges(
        &self,
        tx: &mut dyn Tx,
        owner: &Owner,
        purpose: Purpose,
    ) -> Result<Vec<Challenge>, StoreError> {
        let mut challenges = tx.challenges_of(owner, purpose, self.now).await?;
        challenges.retain(|challenge| self.has_key(challenge));
        Ok(challenges)
    }

    /// The address that a code was to confirm is confirmed: wrong guesses at it are no longer in a row.
    async fn confirmed(
        &self,
        tx: &mut dyn Tx,
        target: Option<&EmailKey>,
    ) -> Result<(), StoreError> {
        match target {
            Some(target) => limits::guessed_right(tx, target, Purpose::VerifyEmail).await,
            None => Ok(()),
        }
    }
}
