//! Asking for a code: what is counted for it, which challenge is mailed, and the mail.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{ChallengeDraw, CodeFor};
use crate::accounts::{CodePolicy, Owner, User};
use crate::audit::Actor;
use crate::email::{EmailAddress, EmailKey};
use crate::id::{ChallengeId, MailId, UserId};
use crate::limits::{self, Limits, Passage, Refusal};
use crate::mail::{MailKind, NewMail};
use crate::otp::{KeyId, Purpose};
use crate::store::{StoreError, Tx, View, Write};

/// Somebody asks for a code: who, when, and what holds for it.
#[derive(Debug)]
pub struct Asking {
    actor: Actor,
    policy: CodePolicy,
    limits: Option<Limits>,
    now: Timestamp,
    draw: ChallengeDraw,
    mail: MailId,
}

/// Whether a mail was queued. Where anybody can ask, callers answer the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requested {
    /// A mail is on its way.
    Queued,
    /// Nobody waits for that code.
    Nothing,
    /// A limit was reached: alike for addresses that wait for the code and those that don't.
    Limited(Refusal),
}

impl Asking {
    /// Draws the random values. `key`: what a new code is made with; `limits`: `None` lifts them.
    #[must_use]
    pub fn new(
        actor: Actor,
        key: KeyId,
        policy: CodePolicy,
        limits: Option<Limits>,
        now: Timestamp,
    ) -> Self {
        Self {
            actor,
            policy,
            limits,
            now,
            draw: ChallengeDraw::new(key),
            mail: MailId::generate(),
        }
    }

    /// Who asks.
    pub(in crate::accounts) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// When.
    pub(in crate::accounts) fn now(&self) -> Timestamp {
        self.now
    }

    /// Counts it for the address, and for the user if it is one who asks, else for the client.
    pub(in crate::accounts) async fn spend(
        &self,
        tx: &mut dyn Tx,
        email: &EmailAddress,
        user: Option<UserId>,
    ) -> Result<Passage, StoreError> {
        let Some(limits) = &self.limits else {
            return Ok(Passage::Granted);
        };
        let spends = limits.code_request(email, &self.actor.client, user);
        limits::spend(tx, &self.actor, email.key(), &spends, self.now).await
    }

    /// The limit that stands against a code for this address now, if one does: for work that costs much and comes
    /// before it is counted. Counts nothing, and is the same for every address that has or has no account.
    pub async fn refusal(
        &self,
        view: &mut dyn View,
        email: &EmailAddress,
        user: Option<UserId>,
    ) -> Result<Option<Refusal>, StoreError> {
        let Some(limits) = &self.limits else {
            return Ok(None);
        };
        let spends = limits.code_request(email, &self.actor.client, user);
        let refusals = limits::reached(view, &spends, self.now).await?;
        Ok(limits::longest(refusals))
    }

    /// The challenge to mail, and when it ends.
    pub(in crate::accounts) async fn challenge(
        &self,
        tx: &mut dyn Tx,
        code: CodeFor<'_>,
    ) -> Result<(ChallengeId, Timestamp), StoreError> {
        self.draw
            .current_or_new(tx, code, self.now, self.policy)
            .await
    }

    /// Puts the mail with its code into the queue.
    pub(in crate::accounts) async fn mail(
        &self,
        tx: &mut dyn Tx,
        code: CodeFor<'_>,
        (challenge, ends): (ChallengeId, Timestamp),
        (to, to_key): (String, &EmailKey),
    ) -> Result<Requested, StoreError> {
        tx.enqueue(&NewMail {
            id: self.mail,
            kind: MailKind::of_code(code.purpose),
            to,
            to_key: to_key.clone(),
            challenge: Some(challenge),
            user: match code.owner {
                Owner::User(user) => Some(user),
                Owner::Attempt(_) => None,
            },
            request_id: self.actor.request_id.clone(),
            now: self.now,
            deadline: Some(ends),
            forget_as: None,
        })
        .await?;
        Ok(Requested::Queued)
    }
}

/// A user, known or only claimed, asks for a code.
#[derive(Debug)]
pub struct RequestCode {
    /// Whose code.
    pub whose: Whose,
    /// What for.
    pub purpose: Purpose,
    /// Who asks.
    pub asking: Asking,
}

/// Whose code is asked for.
#[derive(Debug)]
pub enum Whose {
    /// The user's with that address, if there is one.
    Address(EmailAddress),
    /// That user's.
    User(User),
}

impl RequestCode {
    async fn passage(&self, tx: &mut dyn Tx) -> Result<Passage, StoreError> {
        match &self.whose {
            Whose::Address(email) => self.asking.spend(tx, email, None).await,
            Whose::User(user) => match EmailAddress::parse(&user.email) {
                Ok(email) => self.asking.spend(tx, &email, Some(user.id)).await,
                Err(_) => Ok(Passage::Granted),
            },
        }
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
            return Ok(Requested::Nothing);
        };
        let code = CodeFor {
            owner: Owner::User(user.id),
            purpose: self.purpose,
            email: &user.email_key,
            target: None,
            until: None,
        };
        let challenge = self.asking.challenge(tx, code).await?;
        let to = (user.mailbox(), &user.email_key);
        self.asking.mail(tx, code, challenge, to).await
    }
}
