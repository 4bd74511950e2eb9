//! What all codes have in common: making a challenge, mailing it again, and presenting its code.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Challenge, CodePolicy, NewChallenge, Owner, User};
use crate::audit::{Actor, Entry, Event};
use crate::email::{EmailAddress, EmailKey};
use crate::id::{ChallengeId, MailId, UserId};
use crate::limits::{self, Limits, Passage, Refusal};
use crate::mail::{MailKind, NewMail};
use crate::otp::{CodeForm, CodeSeed, KeyId, KeyRing, Purpose};
use crate::random;
use crate::store::{StoreError, Tx, Write};
use crate::token::ChallengeHandle;

/// The random parts of a challenge, drawn before the transaction begins.
#[derive(Debug, Clone)]
pub struct ChallengeDraw {
    id: ChallengeId,
    nonce: [u8; 16],
    key: KeyId,
}

/// Spent tries bring a new code, and with it new tries, only while there were fewer codes than this
/// lately; otherwise guessing and re-sending in turn would find one in the end.
const MAX_FOR_GUESSES: u32 = 5;
const GUESS_WINDOW: Duration = Duration::from_hours(24);

/// Whose code, and what for.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeFor<'a> {
    pub(super) owner: Owner,
    pub(super) purpose: Purpose,
    /// The address whose tries are counted.
    pub(super) email: &'a EmailKey,
    /// The address that is to be the user's, if that is what the code is for.
    pub(super) target: Option<&'a str>,
    /// When its owner ends, if it does: no code outlives that.
    pub(super) until: Option<Timestamp>,
}

impl ChallengeDraw {
    /// Draws them, for a challenge whose code that key makes.
    #[must_use]
    pub fn new(key: KeyId) -> Self {
        Self {
            id: ChallengeId::generate(),
            nonce: random::bytes(),
            key,
        }
    }

    /// The challenge of the `generation`-th code.
    pub(super) fn challenge(
        &self,
        code: CodeFor<'_>,
        (generation, form): (i64, CodeForm),
        handle: Option<&ChallengeHandle>,
        now: Timestamp,
        policy: CodePolicy,
    ) -> NewChallenge {
        NewChallenge {
            id: self.id,
            owner: code.owner,
            email_key: code.email.clone(),
            seed: CodeSeed {
                key: self.key.clone(),
                purpose: code.purpose,
                subject: code.owner.subject(),
                generation,
                nonce: self.nonce,
                form,
            },
            handle: handle.map(ChallengeHandle::hash),
            now,
            expires: code
                .until
                .map_or(now + policy.life, |until| until.min(now + policy.life)),
            target: code.target.map(str::to_owned),
        }
    }

    /// The challenge to mail: the live one while it has time and tries, so that a re-send mails the
    /// same digits and keeps the count; else a new one beside it.
    pub(super) async fn current_or_new(
        &self,
        tx: &mut dyn Tx,
        code: CodeFor<'_>,
        now: Timestamp,
        policy: CodePolicy,
    ) -> Result<(ChallengeId, Timestamp), StoreError> {
        let challenges = tx.challenges_of(code.owner, code.purpose, now).await?;
        let form = limits::code_form(tx, code.email, code.purpose, now).await?;
        let open_tries = tx.open_tries(code.email, code.purpose).await?;
        let lately = tx
            .challenges_since(code.owner, code.purpose, now - GUESS_WINDOW)
            .await?;
        if let Some(current) = challenges.iter().find(|challenge| !challenge.superseded) {
            let left = current.expires.duration_since(now);
            let life = current.expires.duration_since(current.created);
            let fresh = left * 2 >= life
                && current.seed.form == form
                && current.seed.key == self.key
                && current.target.as_deref() == code.target;
            let guessable = open_tries < policy.max_tries || lately >= MAX_FOR_GUESSES;
            if fresh && guessable {
                return Ok((current.id, current.expires));
            }
        }
        let generation = 1 + tx.generations(code.owner, code.purpose).await?;
        let new = self.challenge(code, (generation, form), None, now, policy);
        tx.supersede_challenges(code.owner, code.purpose, now)
            .await?;
        tx.insert_challenge(&new).await?;
        tx.reset_open_tries(code.email, code.purpose).await?;
        Ok((new.id, new.expires))
    }
}

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
pub(super) enum Guess<T> {
    /// It is the code of this.
    Right(T),
    /// It is nobody's.
    Wrong,
    /// The client has been wrong too often; it was not compared.
    Limited(Refusal),
}

impl Presented {
    /// Whether the client may present a code at all: looked at before it is compared.
    pub(super) async fn may_guess(&self, tx: &mut dyn Tx) -> Result<Passage, StoreError> {
        limits::may_guess(tx, self.limits.as_ref(), &self.actor, self.now).await
    }

    /// Counts a wrong code for the client, and records it. `user`: whose it was not, if the address has one.
    pub(super) async fn guessed_wrong(
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
    pub(super) fn fits(&self, challenge: &Challenge, form: CodeForm) -> bool {
        if challenge.seed.form < form {
            return false;
        }
        self.keys
            .code(&challenge.seed)
            .is_some_and(|code| code.matches(&self.code))
    }

    /// A challenge whose key this process lacks is no challenge here: nothing is counted against it.
    pub(super) fn has_key(&self, challenge: &Challenge) -> bool {
        self.keys.code(&challenge.seed).is_some()
    }

    /// The user's challenge that it is the code of. The try is counted before it is compared, and
    /// the challenge is not used up yet.
    pub(super) async fn by_user(
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

/// A user, known or only claimed, asks for a code. Random values are drawn by [`RequestCode::new`].
#[derive(Debug)]
pub struct RequestCode {
    whose: Whose,
    purpose: Purpose,
    actor: Actor,
    policy: CodePolicy,
    limits: Option<Limits>,
    now: Timestamp,
    draw: ChallengeDraw,
    mail: MailId,
}

/// Whose code is asked for.
#[derive(Debug)]
pub enum Whose {
    /// The user's with that address, if there is one.
    Address(EmailAddress),
    /// That user's.
    User(User),
}

/// Whether a mail was queued. Where anybody can ask, callers answer the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requested {
    /// A mail is on its way.
    Queued,
    /// There is no such user.
    Nobody,
    /// A limit was reached: alike for addresses that have a user and those that have none.
    Limited(Refusal),
}

impl RequestCode {
    /// A request for a code of that purpose.
    #[must_use]
    pub fn new(
        whose: Whose,
        purpose: Purpose,
        actor: Actor,
        key: KeyId,
        policy: CodePolicy,
        limits: Option<Limits>,
        now: Timestamp,
    ) -> Self {
        Self {
            whose,
            purpose,
            actor,
            policy,
            limits,
            now,
            draw: ChallengeDraw::new(key),
            mail: MailId::generate(),
        }
    }
}

impl RequestCode {
    async fn passage(&self, tx: &mut dyn Tx) -> Result<Passage, StoreError> {
        let Some(limits) = &self.limits else {
            return Ok(Passage::Granted);
        };
        let client = &self.actor.client;
        let spends = match &self.whose {
            Whose::Address(email) => limits.code_request(email, client, None),
            Whose::User(user) => match EmailAddress::parse(&user.email) {
                Ok(email) => limits.code_request(&email, client, Some(user.id)),
                Err(_) => return Ok(Passage::Granted),
            },
        };
        limits::spend(tx, &self.actor, &spends, self.now).await
    }
}

#[async_trait]
impl Write for RequestCode {
    type Out = Requested;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Requested, StoreError> {
        if let Passage::Refused(refusal) = self.passage(tx).await? {
            return Ok(Requested::Limited(refusal));
        }
        let user = match &self.whose {
            Whose::User(user) => Some(user.clone()),
            Whose::Address(address) => tx.user_by_email(address.key()).await?,
        };
        let Some(user) = user.filter(|user| user.active) else {
            return Ok(Requested::Nobody);
        };
        let code = CodeFor {
            owner: Owner::User(user.id),
            purpose: self.purpose,
            email: &user.email_key,
            target: None,
            until: None,
        };
        let (challenge, expires) = self
            .draw
            .current_or_new(tx, code, self.now, self.policy)
            .await?;
        tx.enqueue(&NewMail {
            id: self.mail,
            kind: MailKind::of_code(self.purpose),
            to: user.mailbox(),
            to_key: user.email_key.clone(),
            challenge: Some(challenge),
            user: Some(user.id),
            request_id: self.actor.request_id.clone(),
            now: self.now,
            deadline: Some(expires),
            forget_as: None,
        })
        .await?;
        Ok(Requested::Queued)
    }
}
