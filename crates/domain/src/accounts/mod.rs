//! The use cases of accounts, and their rows.
//!
//! Only verification creates a `users` row. Until then, each pending registration is a separate row
//! with its own name, password hash and challenge. The verified code decides which registration
//! wins, so a stranger who registered the address first gains nothing.

pub mod admin;
pub mod code;
pub mod code_login;
pub mod deletion;
pub mod dummy;
pub mod import;
pub mod login;
pub mod password;
pub mod profile;
pub mod reauthentication;
pub mod register;
pub mod resend;
pub mod sessions;
pub mod verify;

use std::time::Duration;

use jiff::Timestamp;

use crate::client::ClientKey;
use crate::email::{EmailAddress, EmailKey};
use crate::id::{ChallengeId, RegistrationId, SessionId, UserId};
use crate::otp::CodeSeed;
use crate::password::PasswordHash;
use crate::token::SecretHash;
use crate::username::NameKey;

/// The policy of codes.
#[derive(Debug, Clone, Copy)]
pub struct CodePolicy {
    /// The life of a code, counted from its request (OWASP ASVS 5.0 6.5.5).
    pub life: Duration,
    /// Wrong tries of each kind after which the code is invalid (OWASP ASVS 5.0 6.6.3).
    pub max_tries: u32,
}

/// A user, whose address has been verified.
#[derive(Debug, Clone)]
pub struct User {
    /// The id of the user.
    pub id: UserId,
    /// The username as shown.
    pub username: String,
    /// The mail address as typed.
    pub email: String,
    /// The mail address in its comparison form.
    pub email_key: EmailKey,
    /// The hash of the password.
    pub password: PasswordHash,
    /// Incremented by every change of password, address or state.
    pub credential_version: i64,
    /// Whether the user may log in.
    pub active: bool,
    /// When it was verified.
    pub created: Timestamp,
}

impl User {
    /// The mailbox its mails go to. An address that no longer parses, which none here does, is used as it is.
    #[must_use]
    pub fn mailbox(&self) -> String {
        EmailAddress::parse(&self.email)
            .map_or_else(|_| self.email.clone(), |email| email.mailbox().to_owned())
    }
}

/// A user to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The username as shown.
    pub username: String,
    /// The username in its comparison form.
    pub username_key: NameKey,
    /// The mail address as typed.
    pub email: String,
    /// The mail address in its comparison form.
    pub email_key: EmailKey,
    /// The hash of the password.
    pub password: PasswordHash,
    /// The current time.
    pub now: Timestamp,
}

/// A pending registration.
#[derive(Debug, Clone)]
pub struct PendingRegistration {
    /// The id of the registration.
    pub id: RegistrationId,
    /// The username as shown.
    pub username: String,
    /// The username in its comparison form.
    pub username_key: NameKey,
    /// The mail address as typed.
    pub email: String,
    /// The mailbox: the local part as typed, the domain in ASCII.
    pub mailbox: String,
    /// The hash of the password.
    pub password: PasswordHash,
    /// The client that registered.
    pub client: ClientKey,
    /// Whether the address was a user's already: then no code is mailed and none is right.
    pub decoy: bool,
    /// The first of the client's live registrations that was found to have this password: its own id, if there was none.
    /// `None` for registrations from before this was kept.
    pub same_password_as: Option<RegistrationId>,
    /// When it lapses, and the name is free again.
    pub expires: Timestamp,
}

/// A registration whose code can still be used, as limits see it.
#[derive(Debug, Clone)]
pub struct LiveRegistration {
    /// The client that registered.
    pub client: ClientKey,
    /// When its last challenge ends.
    pub ends: Timestamp,
}

/// A registration to be added.
#[derive(Debug, Clone)]
pub struct NewRegistration {
    /// The registration to add.
    pub registration: PendingRegistration,
    /// The mail address in its comparison form.
    pub email_key: EmailKey,
    /// The current time.
    pub now: Timestamp,
}

/// The owner of a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChallengeOwner {
    /// A pending registration.
    Registration(RegistrationId),
    /// A challenge of a user.
    User(UserId),
    /// An address that has no account: its challenges are decoys, so that it leaves the rows that others leave.
    NoAccount(EmailKey),
}

impl ChallengeOwner {
    /// The subject that enters the code's derivation: never change these forms.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Registration(id) => id.to_string(),
            Self::User(id) => format!("user:{id}"),
            Self::NoAccount(email) => format!("nobody:{}", email.as_str()),
        }
    }
}

/// A challenge: the row from which a code is derived.
#[derive(Debug, Clone)]
pub struct Challenge {
    /// The id of the challenge.
    pub id: ChallengeId,
    /// The seed of its code.
    pub seed: CodeSeed,
    /// When it was created, UTC.
    pub created: Timestamp,
    /// When it expires, UTC.
    pub expires: Timestamp,
    /// Whether only who holds it may still use its six digits: a newer code was made.
    pub superseded: bool,
    /// Tries made by the holder of the registration's token.
    pub tries: u32,
    /// Whether it is never mailed and never right.
    pub decoy: bool,
    /// The address that is to be the user's, if that is what the code is for.
    pub target: Option<String>,
}

/// A challenge to be added.
#[derive(Debug, Clone)]
pub struct NewChallenge {
    /// The id of the challenge.
    pub id: ChallengeId,
    /// Whose it is.
    pub owner: ChallengeOwner,
    /// The address it is for.
    pub email_key: EmailKey,
    /// Whether it is never mailed and never right.
    pub decoy: bool,
    /// What its code is derived from.
    pub seed: CodeSeed,
    /// The hash of the token that the registrant was given; later challenges of a registration have none of their own.
    pub token: Option<SecretHash>,
    /// When its life begins.
    pub now: Timestamp,
    /// When its life ends.
    pub expires: Timestamp,
    /// The address that is to be the user's, as typed, if that is what the code is for.
    pub target: Option<String>,
}

/// A session to be added.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The id of the session.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// The version of the credentials that were checked.
    pub credential_version: i64,
    /// The hash of the session token.
    pub token: SecretHash,
    /// The current time.
    pub now: Timestamp,
    /// When the session expires at the latest, UTC.
    pub expires: Timestamp,
    /// The client that logged in.
    pub client: ClientKey,
    /// With what, as the client said; at most 500 characters.
    pub user_agent: String,
}

/// A session with its user, as a token leads to it.
#[derive(Debug, Clone)]
pub struct SessionUser {
    /// The id of the session.
    pub id: SessionId,
    /// The user of the session.
    pub user: User,
    /// When the session was created, UTC.
    pub created: Timestamp,
    /// When it was last seen to be used, give or take a few minutes.
    pub last_used: Timestamp,
    /// When the session expires at the latest, UTC.
    pub expires: Timestamp,
}

/// How many live registrations of a client a login is checked against at most.
pub const MAX_CHECKED: usize = 3;

/// The account that a login means.
#[derive(Debug, Clone)]
pub struct LoginAccount {
    /// The user, if there is one.
    pub user: Option<LoginUser>,
    /// The hash of the newest registration of other clients that has what was typed for its name, if this client has none.
    pub newest: Option<PasswordHash>,
    /// The hashes of this client's live registrations with that address or name, [`MAX_CHECKED`] at most. Decoys are among
    /// them: there are as many for an address that has an account as for another.
    pub own: Vec<PasswordHash>,
}

/// The user that a login means.
#[derive(Debug, Clone)]
pub struct LoginUser {
    /// The id of the user.
    pub id: UserId,
    /// The username as shown.
    pub username: String,
    /// The mail address as typed.
    pub email: String,
    /// The mail address in its comparison form.
    pub email_key: EmailKey,
    /// The hash of the password.
    pub password: PasswordHash,
    /// The version of its credentials.
    pub credential_version: i64,
    /// Whether it may log in at all.
    pub active: bool,
}
