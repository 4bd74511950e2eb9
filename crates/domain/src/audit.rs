//! The audit log of security events (OWASP ASVS 5.0 16.3): who did what to an account, and from
//! where. It never contains a secret.

use jiff::Timestamp;

use crate::client::ClientKey;
use crate::email::EmailKey;
use crate::id::UserId;

/// The actor of an event: a request's client, or an operator.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The request id; an operator's command has its own id.
    pub request_id: String,
    /// The client, if it came over the network.
    pub client: ClientKey,
    /// The user agent of the client, at most 500 characters.
    pub user_agent: String,
}

/// An event of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// An address was registered.
    Registered,
    /// A code confirmed an address: a user was created.
    Verified,
    /// A code was wrong.
    CodeRefused,
    /// A session was opened.
    LoggedIn,
    /// A login was refused.
    LoginRefused,
    /// A user who is logged in was asked for the password again, and gave a wrong one; the detail says what for.
    PasswordRefused,
    /// A password was set with a code.
    PasswordReset,
    /// A password was set with the old one.
    PasswordChanged,
    /// The address was changed.
    EmailChanged,
    /// The name was changed.
    Renamed,
    /// One session was ended by its user.
    SessionEnded,
    /// All of a user's sessions were ended.
    SessionsEnded,
    /// The account was deleted.
    Deleted,
    /// A limit was reached.
    Limited,
    /// An operator's command; the detail describes it.
    Admin,
}

impl Event {
    /// The event as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Verified => "verified",
            Self::CodeRefused => "code_refused",
            Self::LoggedIn => "logged_in",
            Self::LoginRefused => "login_refused",
            Self::PasswordRefused => "password_refused",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
            Self::Renamed => "renamed",
            Self::SessionEnded => "session_ended",
            Self::SessionsEnded => "sessions_ended",
            Self::Deleted => "deleted",
            Self::Limited => "limited",
            Self::Admin => "admin",
        }
    }
}

/// An event to record, in the same transaction as its cause.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The kind of event.
    pub event: Event,
    /// To which user, if there is one.
    pub user: Option<UserId>,
    /// To which address, if that is what it was about.
    pub email: Option<&'a EmailKey>,
    /// The actor.
    pub actor: &'a Actor,
    /// Additional details, if any.
    pub detail: Option<&'a str>,
    /// The current time.
    pub now: Timestamp,
}

impl<'a> Entry<'a> {
    /// An event without user, address or detail.
    #[must_use]
    pub fn new(event: Event, actor: &'a Actor, now: Timestamp) -> Self {
        Self {
            event,
            user: None,
            email: None,
            actor,
            detail: None,
            now,
        }
    }

    /// The same, about a user.
    #[must_use]
    pub fn user(self, user: UserId) -> Self {
        Self {
            user: Some(user),
            ..self
        }
    }

    /// The same, about an address.
    #[must_use]
    pub fn email(self, email: &'a EmailKey) -> Self {
        Self {
            email: Some(email),
            ..self
        }
    }

    /// The same, with what else there is to know.
    #[must_use]
    pub fn detail(self, detail: &'a str) -> Self {
        Self {
            detail: Some(detail),
            ..self
        }
    }
}

/// An event as it was recorded.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Recorded {
    /// Which: the order of events of one time.
    #[serde(skip)]
    pub id: i64,
    /// When it happened, UTC.
    pub at: Timestamp,
    /// The kind of event.
    pub event: String,
    /// The request, or the operator's command.
    pub request_id: String,
    /// The client that caused it.
    pub client: Option<String>,
    /// The user agent of the client.
    pub user_agent: Option<String>,
    /// Additional details, if any.
    pub detail: Option<String>,
}
