//! Asking a user who is logged in for the password again (OWASP ASVS 5.0 6.2.3, 7.5.1), so that a stolen token alone
//! neither takes an account over nor finds its password out.
//!
//! The caller counts the try ([`StartReauthentication`]), checks the password on the hash pool, and then either
//! records that it was wrong ([`RefusePassword`]) or applies what was asked for, which takes the count back.
//! Tries are counted among the logins with the account's address (OWASP ASVS 5.0 6.3.1), so that a stolen token adds
//! none to those. They are refused by what this user's tokens were used for: refused logins of strangers, wherever from,
//! keep nobody who is logged in from a new password.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{User, login};
use crate::audit::{Actor, Entry, Event};
use crate::id::UserId;
use crate::limits::{Limits, LoginCounters, Passage};
use crate::store::{StoreError, Tx, Write};

/// What the password is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To set another one.
    ToChangePassword,
    /// To have another address.
    ToChangeEmail,
}

impl Asked {
    /// What the record says of it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToChangePassword => "change_password",
            Self::ToChangeEmail => "change_email",
        }
    }
}

/// Counts a try before anything is hashed.
#[derive(Debug)]
pub struct StartReauthentication {
    /// Whose password is asked for.
    pub user: User,
    /// Who gives one.
    pub actor: Actor,
    /// The limits.
    pub limits: Limits,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl Write for StartReauthentication {
    /// Whether the password may be checked.
    type Out = Passage;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Passage, StoreError> {
        let client = &self.actor.client;
        let known = tx.knows_client(self.user.id, client).await?;
        counters(&self.user, &self.actor)
            .attempt(tx, &self.limits, &self.actor, known, self.now)
            .await
    }
}

/// The password was right: takes back that the try was counted, if it was.
pub(super) async fn succeeded(
    tx: &mut dyn Tx,
    user: &User,
    actor: &Actor,
    counted: Option<Timestamp>,
) -> Result<(), StoreError> {
    match counted {
        Some(at) => counters(user, actor).succeeded(tx, at).await,
        None => Ok(()),
    }
}

fn counters(user: &User, actor: &Actor) -> LoginCounters {
    let address = login::counted_as_address(&user.email_key);
    LoginCounters::new(&address, &actor.client).of_user(user.id)
}

/// Records a password that was wrong. It has been counted when it was given.
#[derive(Debug)]
pub struct RefusePassword {
    /// Whose it was not.
    pub user: UserId,
    /// What it was asked for.
    pub asked: Asked,
    /// Who gave it.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl Write for RefusePassword {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let entry = Entry::new(Event::PasswordRefused, &self.actor, self.now);
        tx.record(&entry.user(self.user).detail(self.asked.as_str()))
            .await
    }
}
