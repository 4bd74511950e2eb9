//! Sets a new password, with a mailed code or with the old password.

use async_trait::async_trait;
use jiff::Timestamp;

use super::code::{CodeCheck, CodeTarget, SubmittedCode};
use super::{User, login, reauthentication};
use crate::audit::{Actor, Entry, Event};
use crate::email::EmailAddress;
use crate::id::{MailId, SessionId, UserId};
use crate::limits::{self, CountedTry, Refusal};
use crate::mail::{MailKind, NewMail};
use crate::otp::Purpose;
use crate::password::{Attribute, Password, PasswordError, PasswordHash};
use crate::store::{StoreError, Tx, Write};
use crate::token::SecretHash;

/// Sets a new password with a code. The password is hashed beforehand, even for a wrong code, so
/// that both take the same time.
#[derive(Debug)]
pub struct ResetPassword {
    /// The address the code was mailed to.
    pub email: EmailAddress,
    /// The hash of the challenge that came with it, if one did.
    pub holder: Option<SecretHash>,
    /// The submitted code.
    pub submitted: SubmittedCode,
    /// The new password, to be compared with what only the code gives access to.
    pub password: Password,
    /// The new password's hash.
    pub hash: PasswordHash,
    /// The id of the notice mail.
    pub mail: MailId,
}

/// The result. A wrong code is already counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reset {
    /// The password is set and every session has ended.
    Done(UserId),
    /// The code is right, and the password too close to the account's name or address (OWASP ASVS 5.0
    /// 6.2.11). The code stays good; a try was counted, so that this can't be asked for ever.
    TooSimilar(Vec<PasswordError>),
    /// The code is wrong, used, expired, or for an unknown address; the answer is the same.
    Wrong,
    /// The limit of wrong codes is reached.
    Limited(Refusal),
}

impl User {
    /// What a new password of theirs is compared with.
    #[must_use]
    pub fn attributes(&self) -> [(Attribute, &str); 2] {
        [
            (Attribute::Username, &self.username),
            (Attribute::Email, &self.email),
        ]
    }
}

#[async_trait]
impl Write for ResetPassword {
    type Out = Reset;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Reset, StoreError> {
        let now = self.submitted.now;
        let purpose = Purpose::ResetPassword;
        let at = CodeTarget {
            email: self.email.key(),
            purpose,
            holder: self.holder.as_ref(),
        };
        let (user, challenge) = match self.submitted.by_address(tx, &at).await? {
            CodeCheck::Right(found) => found,
            CodeCheck::Wrong => return Ok(Reset::Wrong),
            CodeCheck::Limited(refusal) => return Ok(Reset::Limited(refusal)),
        };
        let similar = self.password.too_similar(&user.attributes());
        if !similar.is_empty() {
            return Ok(Reset::TooSimilar(similar));
        }
        if !tx.use_challenge(challenge.id, now).await?
            || !tx
                .set_password(user.id, user.credential_version, &self.hash)
                .await?
        {
            return Ok(Reset::Wrong);
        }
        tx.end_sessions(user.id, None).await?;
        tx.end_challenges(user.id, None, now).await?;
        tx.reset_open_tries(&user.email_key, purpose).await?;
        let actor = &self.submitted.actor;
        self.let_in(tx, &user).await?;
        tx.enqueue(&notice(&user, self.mail, actor, now)).await?;
        let entry = Entry::new(Event::PasswordReset, actor, now);
        tx.record(&entry.user(user.id).email(&user.email_key))
            .await?;
        Ok(Reset::Done(user.id))
    }
}

impl ResetPassword {
    /// The code has proved whose client it is: what was refused to others, elsewhere or behind the same address, does not
    /// refuse the login that follows.
    async fn let_in(&self, tx: &mut dyn Tx, user: &User) -> Result<(), StoreError> {
        let (client, now) = (&self.submitted.actor.client, self.submitted.now);
        let typed = [&user.username, &user.email].map(|typed| login::counted_as(typed));
        limits::forget_pauses(tx, typed, client, now).await?;
        tx.know_client(user.id, client, now).await
    }
}

/// A user sets a new password with the old one, which has been checked.
#[derive(Debug)]
pub struct ChangePassword {
    /// The user.
    pub user: User,
    /// The session it is done in; it survives, the others end (OWASP ASVS 5.0 7.4.3).
    pub session: SessionId,
    /// The new password's hash.
    pub password: PasswordHash,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The id of the notice mail.
    pub mail: MailId,
    /// What was counted when the old one was checked, if it was: that is taken back.
    pub counted: Option<CountedTry>,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for ChangePassword {
    /// Whether it was set: not if the credentials have changed since the old one was checked.
    type Out = bool;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let (user, actor) = (&self.user, &self.actor);
        if !tx
            .set_password(user.id, user.credential_version, &self.password)
            .await?
        {
            return Ok(false);
        }
        reauthentication::succeeded(tx, self.counted.as_ref()).await?;
        tx.end_sessions(user.id, Some(self.session)).await?;
        tx.end_challenges(user.id, None, self.now).await?;
        tx.enqueue(&notice(user, self.mail, actor, self.now))
            .await?;
        let entry = Entry::new(Event::PasswordChanged, actor, self.now);
        tx.record(&entry.user(user.id).email(&user.email_key))
            .await?;
        Ok(true)
    }
}

fn notice(user: &User, id: MailId, actor: &Actor, now: Timestamp) -> NewMail {
    NewMail {
        id,
        kind: MailKind::PasswordChanged,
        to: user.mailbox(),
        to_key: user.email_key.clone(),
        challenge: None,
        user: Some(user.id),
        request_id: actor.request_id.clone(),
        now,
        deadline: None,
        forget_as: None,
    }
}
