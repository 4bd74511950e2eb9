//! Deleting an account: everything in one transaction, and only what the farewell needs is kept
//! until it is delivered.

use async_trait::async_trait;

use super::User;
use super::code::{CodeCheck, SubmittedCode};
use crate::audit::{Entry, Event};
use crate::email::EmailKey;
use crate::id::MailId;
use crate::limits::{self, Refusal};
use crate::mail::{MailKind, NewMail};
use crate::otp::Purpose;
use crate::queue::forget::forget_mails;
use crate::store::{StoreError, Tx, Write};

/// A user confirms with a code that the account is to be deleted.
#[derive(Debug)]
pub struct DeleteAccount {
    /// Who.
    pub user: User,
    /// The code.
    pub submitted: SubmittedCode,
    /// The farewell's id.
    pub mail: MailId,
}

/// What came of it. A wrong code has been counted when this is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// The account is gone.
    Done,
    /// Wrong, spent or expired: never told apart.
    Wrong,
    /// The client has been wrong too often.
    Limited(Refusal),
}

#[async_trait]
impl Write for DeleteAccount {
    type Out = Deletion;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Deletion, StoreError> {
        let (user, now) = (&self.user, self.submitted.now);
        let purpose = Purpose::DeleteAccount;
        let challenge = match self.submitted.by_user(tx, user, purpose).await? {
            CodeCheck::Right(challenge) => challenge,
            CodeCheck::Wrong => return Ok(Deletion::Wrong),
            CodeCheck::Limited(refusal) => return Ok(Deletion::Limited(refusal)),
        };
        if !tx.use_challenge(challenge.id, now).await? {
            return Ok(Deletion::Wrong);
        }
        let removal = Removal {
            user,
            forget_as: self.submitted.keys.pseudonym(&user.email_key),
            mail: self.mail,
            entry: Entry::new(Event::Deleted, &self.submitted.actor, now),
        };
        if !removal.apply(tx).await? {
            return Ok(Deletion::Wrong);
        }
        Ok(Deletion::Done)
    }
}

/// What a deletion does, whoever asks for it.
pub(super) struct Removal<'a> {
    pub(super) user: &'a User,
    /// What takes the place of the address.
    pub(super) forget_as: String,
    /// The farewell's id.
    pub(super) mail: MailId,
    /// What is recorded of it.
    pub(super) entry: Entry<'a>,
}

impl Removal<'_> {
    /// Removes everything. Says whether the user was still there.
    pub(super) async fn apply(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let (user, now) = (self.user, self.entry.now);
        let forget_as = &self.forget_as;
        let addresses = self.addresses(tx).await?;
        for address in &addresses {
            forget_mails(tx, user.id, address, forget_as, now).await?;
            tx.delete_registrations(address).await?;
            for purpose in Purpose::ALL {
                tx.reset_open_tries(address, purpose).await?;
                limits::guessed_right(tx, address, purpose).await?;
            }
        }
        // With everything that refers to it, what payment services said included.
        if !tx.delete_user(user.id).await? {
            return Ok(false);
        }
        tx.record(&self.entry.clone().user(user.id)).await?;
        for address in &addresses {
            tx.forget_records(user.id, address, forget_as).await?;
        }
        tx.enqueue(&NewMail {
            id: self.mail,
            kind: MailKind::AccountDeleted,
            to: user.mailbox(),
            to_key: user.email_key.clone(),
            challenge: None,
            user: None,
            request_id: self.entry.actor.request_id.clone(),
            now,
            deadline: None,
            forget_as: Some(forget_as.clone()),
        })
        .await?;
        Ok(true)
    }

    /// The user's address, and earlier ones that nobody else has taken since.
    async fn addresses(&self, tx: &mut dyn Tx) -> Result<Vec<EmailKey>, StoreError> {
        let mut addresses = vec![self.user.email_key.clone()];
        for earlier in tx.addresses_of(self.user.id).await? {
            let owner = tx.user_by_email(&earlier).await?;
            if owner.is_none() && !addresses.contains(&earlier) {
                addresses.push(earlier);
            }
        }
        Ok(addresses)
    }
}
