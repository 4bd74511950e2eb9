//! Checks of a submitted code.

use jiff::Timestamp;

use super::{required_form, target_key};
use crate::accounts::{Challenge, ChallengeOwner, CodePolicy, User};
use crate::audit::{Actor, Entry, Event};
use crate::email::EmailKey;
use crate::id::UserId;
use crate::limits::{self, Decision, Limits, Refusal};
use crate::otp::{CodeForm, CodeSeed, KeyRing, Purpose, TypedCode};
use crate::store::{Reader, StoreError, Tx};
use crate::token::SecretHash;

/// A submitted code, with the data for checking it.
#[derive(Debug)]
pub struct SubmittedCode {
    /// The code as typed.
    pub code: TypedCode,
    /// The keys that codes are derived with.
    pub keys: std::sync::Arc<KeyRing>,
    /// The policy of codes.
    pub policy: CodePolicy,
    /// The limits of wrong codes; `None` if limits are disabled.
    pub limits: Option<Limits>,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The current time.
    pub now: Timestamp,
}

/// The result of checking a code. A wrong one is already counted.
#[derive(Debug)]
pub(in crate::accounts) enum CodeCheck<T> {
    /// The code is correct for this value.
    Right(T),
    /// The code is wrong.
    Wrong,
    /// The limit of wrong codes is reached; the code was not compared.
    Limited(Refusal),
}

/// The target of a code submitted without a session.
#[derive(Debug, Clone, Copy)]
pub struct CodeTarget<'a> {
    /// The address to which the code was mailed.
    pub email: &'a EmailKey,
    /// The purpose of the code.
    pub purpose: Purpose,
    /// The hash of the token that came with it, if one did.
    pub holder: Option<&'a SecretHash>,
}

impl SubmittedCode {
    /// Whether a user who is logged in may present a code: looked at before it is compared. The user is charged instead
    /// of the client, whose neighbours' guesses cost the user nothing.
    async fn user_may_guess(&self, tx: &mut dyn Tx, user: UserId) -> Result<Decision, StoreError> {
        let limits = self.limits.as_ref();
        limits::may_guess(tx, limits, &self.actor, Some(user), self.now).await
    }

    /// The same for a client. Who holds a challenge that has tries left may present as many codes as these: what was
    /// guessed at other codes from the same client, by neighbours behind one address, does not count for it.
    pub(in crate::accounts) async fn client_may_guess(
        &self,
        tx: &mut dyn Tx,
        at: &CodeTarget<'_>,
    ) -> Result<Decision, StoreError> {
        let Some(refusal) = self.refusal(tx, at).await? else {
            return Ok(Decision::Allowed);
        };
        limits::note_refusal(tx, &self.actor, None, refusal.limit, self.now).await?;
        Ok(Decision::Limited(refusal))
    }

    /// Why the client may present no code now, if it may not: for work that costs much and comes before the code is
    /// looked at. Counts nothing.
    pub async fn refusal(
        &self,
        reader: &mut dyn Reader,
        at: &CodeTarget<'_>,
    ) -> Result<Option<Refusal>, StoreError> {
        let (limits, client) = (self.limits.as_ref(), &self.actor.client);
        let refusal = limits::guesses_refused(reader, limits, client, None, self.now).await?;
        match refusal {
            Some(_) if self.has_tries(reader, at).await? => Ok(None),
            refusal => Ok(refusal),
        }
    }

    async fn has_tries<V: Reader + ?Sized>(
        &self,
        reader: &mut V,
        at: &CodeTarget<'_>,
    ) -> Result<bool, StoreError> {
        let Some(holder) = at.holder else {
            return Ok(false);
        };
        let tries = reader.tries_of_holder(holder, at.email, at.purpose, self.now);
        Ok(tries
            .await?
            .is_some_and(|tries| tries < self.policy.max_tries))
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
        // A decoy is compared as every challenge is, so that the time tells nothing (OWASP ASVS 5.0 6.3.8).
        self.matches(&challenge.seed, form) && !challenge.decoy
    }

    fn matches(&self, seed: &CodeSeed, form: CodeForm) -> bool {
        let seed = CodeSeed {
            form,
            ..seed.clone()
        };
        let code = self.keys.code(&seed);
        code.is_some_and(|code| code.matches(&self.code))
    }

    /// Compares it as often as with a challenge, where there is none. Whether it is the code of nothing, which tells
    /// nothing.
    pub(in crate::accounts) fn is_of_nothing(&self, purpose: Purpose) -> bool {
        let seed = CodeSeed {
            key: self.keys.current().clone(),
            purpose,
            subject: String::new(),
            generation: 1,
            nonce: [0; 16],
            form: CodeForm::Short,
        };
        // Its key is looked for first.
        let forms = [CodeForm::Short, CodeForm::Long, CodeForm::Short];
        forms.map(|form| self.matches(&seed, form)).contains(&true)
    }

    /// Whether this process has the key of a challenge. Without it, the challenge is ignored and
    /// nothing is counted against it.
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
    ) -> Result<CodeCheck<Challenge>, StoreError> {
        if let Decision::Limited(refusal) = self.user_may_guess(tx, user.id).await? {
            return Ok(CodeCheck::Limited(refusal));
        }
        let owner = ChallengeOwner::User(user.id);
        let email = &user.email_key;
        if let Some(challenge) = self.bare(tx, &owner, email, purpose).await? {
            limits::guessed_right(tx, email, purpose).await?;
            return Ok(CodeCheck::Right(challenge));
        }
        self.guessed_wrong(tx, Some(user.id), Some(user.id), email, purpose)
            .await?;
        Ok(CodeCheck::Wrong)
    }

    /// The same for the user with that address; an address without a user costs as much.
    pub(in crate::accounts) async fn by_address(
        &self,
        tx: &mut dyn Tx,
        at: &CodeTarget<'_>,
    ) -> Result<CodeCheck<(User, Challenge)>, StoreError> {
        if let Decision::Limited(refusal) = self.client_may_guess(tx, at).await? {
            return Ok(CodeCheck::Limited(refusal));
        }
        let CodeTarget {
            email,
            purpose,
            holder,
        } = *at;
        let user = tx.user_by_email(email).await?.filter(|user| user.active);
        let owner = match &user {
            Some(user) => ChallengeOwner::User(user.id),
            None => ChallengeOwner::NoAccount(email.clone()),
        };
        let right = match holder {
            Some(holder) => self.held(tx, &owner, at, holder).await?,
            None => self.bare(tx, &owner, email, purpose).await?,
        };
        let whose = user.as_ref().map(|user| user.id);
        if let Some(found) = user.zip(right) {
            limits::guessed_right(tx, email, purpose).await?;
            return Ok(CodeCheck::Right(found));
        }
        self.guessed_wrong(tx, None, whose, email, purpose).await?;
        Ok(CodeCheck::Wrong)
    }

    /// Without a token: the newest code's digits, whose tries everybody shares, unless too many were wrong; or the
    /// long code of any mail.
    async fn bare(
        &self,
        tx: &mut dyn Tx,
        owner: &ChallengeOwner,
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
        owner: &ChallengeOwner,
        at: &CodeTarget<'_>,
        holder: &SecretHash,
    ) -> Result<Option<Challenge>, StoreError> {
        let (email, purpose, most) = (at.email, at.purpose, self.policy.max_tries);
        let challenges = self.challenges(tx, owner, purpose).await?;
        let own = tx.challenge_of_holder(holder).await?;
        if !challenges.iter().any(|challenge| Some(challenge.id) == own) {
            // The owner may have ended it. It has no more tries for that than others have.
            if self.has_tries(tx, at).await? {
                tx.count_holder_try(holder, most).await?;
            }
            tx.count_nothing(email, purpose, self.now).await?;
            return Ok(None);
        }
        if let Some(right) = challenges.iter().find(|one| self.is_long_of(one)) {
            return Ok(Some(right.clone()));
        }
        if !tx.count_holder_try(holder, most).await? {
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
        owner: &ChallengeOwner,
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
