//! Logging in: exactly one hash is computed, whoever is asked for.
//!
//! The caller reads the account ([`account`]), checks the password against
//! [`Login::hash_to_check`] on the hash pool, and then either answers or writes the
//! session with [`OpenSession`], which fails if the credentials have changed meanwhile.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{LoginAccount, NewSession};
use crate::client::ClientKey;
use crate::email::EmailAddress;
use crate::id::{SessionId, UserId};
use crate::password::PasswordHash;
use crate::store::{Store, StoreError, Tx, Write};
use crate::token::SessionToken;
use crate::username::NameKey;

/// What a login found.
#[derive(Debug, Clone)]
pub struct Login(LoginAccount);

/// What a checked password leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// A session may be opened.
    Allowed {
        /// For whom.
        user: UserId,
        /// The address as typed, which the answer shows.
        email: String,
        /// The version of the credentials that were checked.
        credential_version: i64,
    },
    /// The password is right, but no code has confirmed the address yet.
    Unverified,
    /// Unknown, wrong, or not allowed: never told apart.
    Refused,
}

/// Reads the account that `login` means: with an `@` the address first, then the name (names
/// may hold an `@`); a user before an attempt, the newest attempt before older ones.
pub async fn account(store: &Store, login: &str, now: Timestamp) -> Result<Login, StoreError> {
    let email = EmailAddress::parse(login).ok();
    let name = NameKey::of(login);
    let mut view = store.view().await?;
    let account = view
        .login_account(email.as_ref().map(EmailAddress::key), &name, now)
        .await?;
    Ok(Login(account))
}

impl Login {
    /// The hash to check the password against: the account's, or the dummy, so that an
    /// unknown login takes as long as a known one (OWASP ASVS 5.0 6.3.8).
    #[must_use]
    pub fn hash_to_check(&self, dummy: &PasswordHash) -> PasswordHash {
        match &self.0 {
            LoginAccount::Verified { password, .. } | LoginAccount::Unverified { password } => {
                password.clone()
            }
            LoginAccount::Unknown => dummy.clone(),
        }
    }

    /// What the check leads to.
    #[must_use]
    pub fn checked(self, password_is_right: bool) -> Checked {
        match self.0 {
            LoginAccount::Verified {
                id,
                email,
                credential_version,
                active: true,
                ..
            } if password_is_right => Checked::Allowed {
                user: id,
                email,
                credential_version,
            },
            LoginAccount::Unverified { .. } if password_is_right => Checked::Unverified,
            _ => Checked::Refused,
        }
    }
}

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct SessionPolicy {
    /// The longest life of a session, used or not.
    pub max: Duration,
}

/// Opens a session. The token is drawn by [`OpenSession::new`].
#[derive(Debug)]
pub struct OpenSession(NewSession);

impl OpenSession {
    /// A session for a login that was allowed, and the token that only its client gets.
    #[must_use]
    pub fn new(
        user: UserId,
        credential_version: i64,
        client: ClientKey,
        user_agent: &str,
        policy: SessionPolicy,
        now: Timestamp,
    ) -> (Self, SessionToken) {
        let token = SessionToken::generate();
        let session = NewSession {
            id: SessionId::generate(),
            user,
            credential_version,
            token: token.hash(),
            now,
            expires: now + policy.max,
            client,
            user_agent: user_agent.chars().take(500).collect(),
        };
        (Self(session), token)
    }
}

#[async_trait]
impl Write for OpenSession {
    /// Whether it was opened: not if the password, the address or the user's state changed after the check.
    type Out = bool;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        tx.insert_session(&self.0).await
    }
}
