//! Asking for a code.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{ChallengeDraw, CodeFor};
use crate::accounts::{CodePolicy, Owner, User};
use crate::audit::Actor;
use crate::email::EmailAddress;
use crate::id::MailId;
use crate::limits::{self, Limits, Passage, Refusal};
use crate::mail::{MailKind, NewMail};
use crate::otp::{KeyId, Purpose};
use crate::store::{StoreError, Tx, Write};

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
