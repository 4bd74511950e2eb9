//! Reauthentication: asks a logged-in user for the password again (OWASP ASVS 5.0 6.2.3, 7.5.1), so
//! that a stolen token alone can neither take over the account nor find its password.
//!
//! The caller counts the try ([`StartReauthentication`]), checks the password on the hash pool, and then either
//! records that it was wrong ([`RefusePassword`]) or applies what was asked for, which takes the count back.
//! Tries are counted for the user, apart from logins (OWASP ASVS 5.0 6.3.1): only what is done with the user's tokens
//! refuses them, and nothing that strangers or neighbours do without one.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::audit::{Actor, Entry, Event};
use crate::id::UserId;
use crate::limits::{Admission, CountedTry, Limits, PasswordTries};
use crate::store::{StoreError, Tx, Write};

/// The purpose of a reauthentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To change the password.
    ToChangePassword,
    /// To change the address.
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
    pub user: UserId,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The limits to apply.
    pub limits: Limits,
    /// Whether it can be started again a moment later: else tries in flight refuse it.
    pub may_wait: bool,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for StartReauthentication {
    /// Whether the password may be checked.
    type Out = Admission<CountedTry>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let client = &self.actor.client;
        let known = tx.knows_client(self.user, client).await?;
        PasswordTries::of_user(&self.limits, self.user, client, known)
            .admit(tx, &self.actor, self.may_wait, self.now)
            .await
    }
}

/// The password was right: takes back that the try was counted, if it was.
pub(super) async fn succeeded(
    tx: &mut dyn Tx,
    counted: Option<&CountedTry>,
) -> Result<(), StoreError> {
    match counted {
        Some(counted) => counted.was_right(tx).await,
        None => Ok(()),
    }
}

/// Records a password that was wrong.
#[derive(Debug)]
pub struct RefusePassword {
    /// Whose it was not.
    pub user: UserId,
    /// What it was asked for.
    pub asked: Asked,
    /// What was counted when it was given, if it was.
    pub counted: Option<CountedTry>,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for RefusePassword {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        if let Some(counted) = &self.counted {
            counted.was_wrong(tx).await?;
        }
        let entry = Entry::new(Event::PasswordRefused, &self.actor, self.now);
        tx.record(&entry.user(self.user).detail(self.asked.as_str()))
            .await
    }
}
