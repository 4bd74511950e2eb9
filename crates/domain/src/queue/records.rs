//! Mails as operators and users look at them.

use jiff::Timestamp;

use super::AttemptRecord;
use crate::delivery::Stored;
use crate::email::EmailKey;
use crate::id::{MailId, UserId};
use crate::mail::{MailKind, MailState};

/// Which mails to list.
#[derive(Debug, Clone, Default)]
pub struct MailFilter {
    /// Only mails in this state.
    pub state: Option<MailState>,
    /// Only mails of this kind.
    pub kind: Option<MailKind>,
    /// Only mails to this address.
    pub to: Option<EmailKey>,
    /// Only mails about this user, or to the user's address.
    pub user: Option<(UserId, EmailKey)>,
    /// Only mails that this request caused.
    pub request: Option<String>,
    /// Only mails asked for at that time or later.
    pub since: Option<Timestamp>,
    /// Only mails that come after this one in the list: older ones. None, if there is no such mail.
    pub before: Option<MailId>,
    /// At most so many.
    pub limit: u32,
}

/// A mail as a person sees it.
#[derive(Debug, Clone)]
pub struct MailRecord {
    /// Its id, and its job's.
    pub id: MailId,
    /// What it says.
    pub kind: Stored<MailKind>,
    /// Its state.
    pub state: Stored<MailState>,
    /// Why it is in that state.
    pub reason: Option<String>,
    /// The mailbox it goes to; empty once it is forgotten.
    pub to: String,
    /// The address in the form that compares, or its pseudonym once it is forgotten.
    pub to_key: EmailKey,
    /// The request that caused it.
    pub request_id: String,
    /// When it was asked for.
    pub created: Timestamp,
    /// After this time it is of no use; `None` for notices.
    pub deadline: Option<Timestamp>,
    /// When it will be tried again.
    pub again_at: Option<Timestamp>,
    /// When nothing more was to be done.
    pub finished: Option<Timestamp>,
    /// Attempts that counted.
    pub tries: u32,
    /// Attempts that may have been delivered: without a readable answer after the end of data.
    pub uncertain_attempts: u32,
}

/// A mail with its attempts, the oldest first.
#[derive(Debug, Clone)]
pub struct MailStory {
    /// The mail.
    pub mail: MailRecord,
    /// The attempts.
    pub tries: Vec<AttemptRecord>,
}
