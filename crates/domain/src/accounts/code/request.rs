//! Requests for a code: what is counted, which challenge is mailed, and the mail.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{ChallengeDraw, CodeFor};
use crate::accounts::{ChallengeOwner, CodePolicy, User};
use crate::audit::Actor;
use crate::email::{EmailAddress, EmailKey};
use crate::id::{ChallengeId, MailId, UserId};
use crate::limits::{self, Charge, Decision, Limits, Refusal};
use crate::mail::{MailKind, NewMail};
use crate::otp::{KeyId, Purpose};
use crate::store::{Reader, StoreError, Tx, Write};
use crate::token::SecretHash;

/// A request for a code: its actor, time and policies.
#[derive(Debug)]
pub struct CodeRequest {
    actor: Actor,
    policy: CodePolicy,
    limits: Option<Limits>,
    now: Timestamp,
    draw: ChallengeDraw,
    mail: MailId,
}

/// The result of the use case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requested {
    /// A mail is queued; or a decoy that is never sent, if no code is due.
    Queued,
    /// A limit was reached. The same for addresses with and without a code due.
    Limited(Refusal),
}

impl CodeRequest {
    /// Draws the random values. `key` derives a new code; `limits` is `None` if limits are
    /// disabled.
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

    /// The request for the code.
    pub(in crate::accounts) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The time of the request.
    pub(in crate::accounts) fn now(&self) -> Timestamp {
        self.now
    }

    /// Charges the first of these lists in which every budget has room.
    pub(in crate::accounts) async fn charge(
        &self,
        tx: &mut dyn Tx,
        email: &EmailKey,
        lists: impl FnOnce(&Limits) -> Vec<Vec<Charge>>,
    ) -> Result<Decision, StoreError> {
        let Some(limits) = &self.limits else {
            return Ok(Decision::Allowed);
        };
        limits::charge(tx, &self.actor, email, &lists(limits), self.now).await
    }

    /// The limit that stands against a user's change to this address now, if one does: for work that costs much and comes
    /// before it is counted. Counts nothing, and is the same for every address that has or has no account.
    pub async fn refusal(
        &self,
        reader: &mut dyn Reader,
        email: &EmailAddress,
        user: UserId,
    ) -> Result<Option<Refusal>, StoreError> {
        let Some(limits) = &self.limits else {
            return Ok(None);
        };
        let lists = limits.email_change(email, &self.actor.client, user);
        limits::refused(reader, &lists, self.now).await
    }

    /// The challenge to mail, and when it ends. `held`: whether who asks holds its registration's token.
    pub(in crate::accounts) async fn challenge(
        &self,
        tx: &mut dyn Tx,
        code: &CodeFor<'_>,
        held: bool,
    ) -> Result<(ChallengeId, Timestamp), StoreError> {
        self.draw
            .current_or_new(tx, code, held, self.now, self.policy)
            .await
    }

    /// Puts the mail with its code into the queue.
    pub(in crate::accounts) async fn mail(
        &self,
        tx: &mut dyn Tx,
        code: &CodeFor<'_>,
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
                ChallengeOwner::User(user) => Some(user),
                ChallengeOwner::Registration(_) | ChallengeOwner::NoAccount(_) => None,
            },
            request_id: self.actor.request_id.clone(),
            now: self.now,
            deadline: Some(ends),
            forget_as: None,
        })
        .await?;
        Ok(Requested::Queued)
    }

    /// Leaves what a request leaves, for an address where no code is due (OWASP ASVS 5.0 6.3.8). `beside`: whether
    /// others have codes of that purpose there.
    pub(in crate::accounts) async fn decoy(
        &self,
        tx: &mut dyn Tx,
        email: &EmailAddress,
        purpose: Purpose,
        beside: bool,
    ) -> Result<(ChallengeId, Requested), StoreError> {
        let code = CodeFor {
            owner: ChallengeOwner::NoAccount(email.key().clone()),
            decoy: true,
            purpose,
            email: email.key(),
            target: None,
            until: None,
            beside,
        };
        let challenge = self.challenge(tx, &code, false).await?;
        let to = (email.mailbox().to_owned(), email.key());
        Ok((challenge.0, self.mail(tx, &code, challenge, to).await?))
    }
}

/// Requests a code for a logged-in user or for the user of an address.
#[derive(Debug)]
pub struct RequestCode {
    /// The user or address of the code.
    pub whose: Whose,
    /// The purpose of the code.
    pub purpose: Purpose,
    /// The hash of the challenge token for the requester, if any; it has a separate count of tries.
    pub holder: Option<SecretHash>,
    /// The request for the code.
    pub request: CodeRequest,
}

/// The owner of the requested code.
#[derive(Debug)]
pub enum Whose {
    /// The user with that address, if there is one.
    Address(EmailAddress),
    /// This user.
    User(User),
}

impl RequestCode {
    /// A logged-in user is charged separately, so that strangers' requests cannot refuse it.
    /// Otherwise, a client that the account knows has a share of the mailbox budget that strangers
    /// cannot use up.
    async fn decision(&self, tx: &mut dyn Tx, user: Option<&User>) -> Result<Decision, StoreError> {
        let client = &self.request.actor().client;
        match &self.whose {
            Whose::User(user) => {
                let lists = |limits: &Limits| vec![limits.of_user(user.id)];
                self.request.charge(tx, &user.email_key, lists).await
            }
            Whose::Address(email) => {
                let known = match user {
                    Some(user) => tx.knows_client(user.id, client).await?,
                    None => tx.knows_client(NO_USER, client).await?,
                };
                let lists = |limits: &Limits| limits.code_request(email, client, known);
                self.request.charge(tx, email.key(), lists).await
            }
        }
    }

    async fn queue(
        &self,
        tx: &mut dyn Tx,
        user: Option<User>,
    ) -> Result<(ChallengeId, Requested), StoreError> {
        let user = match (&self.whose, user) {
            (Whose::User(user), _) => user.clone(),
            (Whose::Address(_), Some(user)) => user,
            (Whose::Address(email), None) => {
                return self.request.decoy(tx, email, self.purpose, false).await;
            }
        };
        let code = CodeFor {
            owner: ChallengeOwner::User(user.id),
            decoy: false,
            purpose: self.purpose,
            email: &user.email_key,
            target: None,
            until: None,
            beside: false,
        };
        let challenge = self.request.challenge(tx, &code, false).await?;
        let to = (user.mailbox(), &user.email_key);
        let requested = self.request.mail(tx, &code, challenge, to).await?;
        Ok((challenge.0, requested))
    }
}

/// The id of no user, so that an address without an account causes the same reads as one with.
const NO_USER: UserId = UserId(0);

#[async_trait]
impl Write for RequestCode {
    type Out = Requested;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Requested, StoreError> {
        let user = match &self.whose {
            Whose::User(user) => Some(user.clone()),
            Whose::Address(address) => tx.user_by_email(address.key()).await?,
        };
        let user = user.filter(|user| user.active);
        if let Decision::Limited(refusal) = self.decision(tx, user.as_ref()).await? {
            return Ok(Requested::Limited(refusal));
        }
        let (challenge, requested) = self.queue(tx, user).await?;
        if let Some(holder) = &self.holder {
            tx.insert_holder(holder, challenge).await?;
        }
        Ok(requested)
    }
}
