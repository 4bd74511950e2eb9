//! The part of the database port for imports, and its rows.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::accounts::NewUser;
use crate::email::EmailKey;
use crate::id::{SessionId, UserId};
use crate::store::StoreError;
use crate::token::SecretHash;
use crate::username::NameKey;

/// Bringing users over from another database.
#[async_trait]
pub trait Imports: Send {
    /// Adds users under the numbers they have, with their sessions; ends the registrations of their addresses.
    async fn import_users(
        &mut self,
        users: &[ImportedUser],
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Notes which users were brought over, as users or (not `verified`) as registrations.
    async fn note_imported(
        &mut self,
        users: &[UserId],
        verified: bool,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Gives no number up to this one to a new user.
    async fn reserve_numbers(&mut self, up_to: UserId) -> Result<(), StoreError>;
}

/// What is in this database already.
#[derive(Debug, Clone, Default)]
pub struct Basis {
    /// Users here: number, name and address in the forms that compare.
    pub users: Vec<(UserId, NameKey, EmailKey)>,
    /// Live pending registrations: name and address.
    pub registrations: Vec<(NameKey, EmailKey)>,
    /// Whom an import has brought over, and whether as verified.
    pub imported: HashMap<UserId, bool>,
}

/// A user to be added under a number.
pub struct ImportedUser {
    /// The id of the user.
    pub id: UserId,
    /// The user to add.
    pub user: NewUser,
    /// Whether the user may log in.
    pub active: bool,
    /// The session to add, if any.
    pub session: Option<ImportedSession>,
}

/// A session to be added with its token.
pub struct ImportedSession {
    /// The id of the session.
    pub id: SessionId,
    /// The hash of the session token.
    pub token: SecretHash,
    /// When the session was created, UTC.
    pub created: Timestamp,
    /// When the session expires at the latest, UTC.
    pub expires: Timestamp,
    /// What it says it was opened with.
    pub user_agent: &'static str,
}
