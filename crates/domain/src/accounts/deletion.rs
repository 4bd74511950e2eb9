//! Deletion of an account in one transaction. Only the data for the farewell mail is kept until it
//! is delivered.

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

/// Deletes an account, confirmed by a code.
#[derive(Debug)]
pub struct DeleteAccount {
    /// The user.
    pub user: User,
    /// The submitted code.
    pub submitted: SubmittedCode,
    /// The id of the farewell mail.
    pub mail: MailId,
}

/// The result. A wrong code is already counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// The account was deleted.
    Done,
    /// The code is wrong, used or expired; the answer is the same.
    Wrong,
    /// The limit of wrong codes is reached.
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

/// The removal of an account, requested by its user or an operator.
pub(super) struct Removal<'a> {
    pub(super) user: &'a User,
    /// The pseudonym that replaces the address.
    pub(super) forget_as: String,
    /// The id of the farewell mail.
    pub(super) mail: MailId,
    /// The audit row.
    pub(super) entry: Entry<'a>,
}

impl Removal<'_> {
    /// Removes everything. Returns whether the user existed.
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
        // Cascades to everything that refers to the user, including payment events.
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

    /// The user's address, and earlier ones that no other user has taken since.
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
