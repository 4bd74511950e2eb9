//! Changes of a user's profile: the username and the mail address.

use async_trait::async_trait;
use jiff::Timestamp;

use super::code::{CodeCheck, CodeFor, CodeRequest, Requested, SubmittedCode};
use super::{ChallengeOwner, User, reauthentication};
use crate::audit::{Actor, Entry, Event};
use crate::email::EmailAddress;
use crate::id::{MailId, SessionId, UserId};
use crate::limits::{CountedTry, Decision, Limits, Refusal};
use crate::mail::{MailKind, NewMail};
use crate::otp::Purpose;
use crate::store::{StoreError, Tx, Write};
use crate::username::Username;

/// Changes the username, or only its case.
#[derive(Debug)]
pub struct Rename {
    /// The user.
    pub user: User,
    /// The new name.
    pub username: Username,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for Rename {
    /// Whether the name was free.
    type Out = bool;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let key = self.username.key();
        let own = crate::username::NameKey::of(&self.user.username) == *key;
        if !own
            && tx
                .name_is_taken(key, &self.user.email_key, self.now)
                .await?
        {
            return Ok(false);
        }
        match tx.set_username(self.user.id, &self.username).await {
            Ok(()) => {
                let entry = Entry::new(Event::Renamed, &self.actor, self.now);
                tx.record(&entry.user(self.user.id)).await?;
                Ok(true)
            }
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Requests a change of the address, after the password was checked.
#[derive(Debug)]
pub struct RequestEmailChange {
    /// The user.
    pub user: User,
    /// The new address.
    pub email: EmailAddress,
    /// What was counted when the password was checked, if it was: that is taken back.
    pub counted: Option<CountedTry>,
    /// The request for the code.
    pub request: CodeRequest,
}

#[async_trait]
impl Write for RequestEmailChange {
    /// A taken address leaves the same rows as a free one, older codes being void as well; nothing is mailed to it.
    type Out = Requested;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Requested, StoreError> {
        let (user, email) = (&self.user, &self.email);
        // Before anything else: the password was right, whatever becomes of the request.
        reauthentication::succeeded(tx, self.counted.as_ref()).await?;
        let client = &self.request.actor().client;
        let lists = |limits: &Limits| limits.email_change(email, client, user.id);
        let decision = self.request.charge(tx, email.key(), lists).await?;
        if let Decision::Limited(refusal) = decision {
            return Ok(Requested::Limited(refusal));
        }
        let code = CodeFor {
            owner: ChallengeOwner::User(user.id),
            decoy: tx.user_by_email(email.key()).await?.is_some(),
            purpose: Purpose::ChangeEmail,
            email: &user.email_key,
            target: Some(email.as_typed()),
            until: None,
            beside: false,
        };
        let challenge = self.request.challenge(tx, &code, false).await?;
        let to = (email.mailbox().to_owned(), email.key());
        self.request.mail(tx, &code, challenge, to).await
    }
}

/// Confirms the new address with the code that was mailed to it.
#[derive(Debug)]
pub struct ConfirmEmailChange {
    /// The user.
    pub user: User,
    /// The session it is done in; it survives, the others end.
    pub session: SessionId,
    /// The submitted code.
    pub submitted: SubmittedCode,
    /// The id of the notice mail.
    pub mail: MailId,
}

/// The result. A wrong code is already counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmailChange {
    /// The address is the user's now.
    Done {
        /// The mail address as typed.
        email: String,
    },
    /// Wrong, spent or expired; or somebody has verified the address meanwhile: never told apart.
    Wrong,
    /// The limit of wrong codes is reached.
    Limited(Refusal),
}

#[async_trait]
impl Write for ConfirmEmailChange {
    type Out = EmailChange;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<EmailChange, StoreError> {
        let (user, now, purpose) = (&self.user, self.submitted.now, Purpose::ChangeEmail);
        let challenge = match self.submitted.by_user(tx, user, purpose).await? {
            CodeCheck::Right(challenge) => challenge,
            CodeCheck::Wrong => return Ok(EmailChange::Wrong),
            CodeCheck::Limited(refusal) => return Ok(EmailChange::Limited(refusal)),
        };
        let target = challenge.target.as_deref().unwrap_or_default();
        let Ok(email) = EmailAddress::parse(target) else {
            return Ok(EmailChange::Wrong);
        };
        if tx.user_by_email(email.key()).await?.is_some()
            || !tx.use_challenge(challenge.id, now).await?
            || !tx
                .set_email(user.id, user.credential_version, &email)
                .await?
        {
            return Ok(EmailChange::Wrong);
        }
        // Whoever registers with the address has lost it, as after a verification.
        tx.close_registrations(email.key(), None, now).await?;
        tx.end_sessions(user.id, Some(self.session)).await?;
        tx.end_challenges(user.id, None, now).await?;
        tx.reset_open_tries(&user.email_key, purpose).await?;
        tx.enqueue(&self.notice(user.id, now)).await?;
        let entry = Entry::new(Event::EmailChanged, &self.submitted.actor, now);
        tx.record(&entry.user(user.id).email(email.key())).await?;
        Ok(EmailChange::Done {
            email: email.as_typed().to_owned(),
        })
    }
}

impl ConfirmEmailChange {
    /// The notice goes to the old address (OWASP ASVS 5.0 6.3.7).
    fn notice(&self, user: UserId, now: Timestamp) -> NewMail {
        NewMail {
            id: self.mail,
            kind: MailKind::EmailChanged,
            to: self.user.mailbox(),
            to_key: self.user.email_key.clone(),
            challenge: None,
            user: Some(user),
            request_id: self.submitted.actor.request_id.clone(),
            now,
            deadline: None,
            forget_as: None,
        }
    }
}
