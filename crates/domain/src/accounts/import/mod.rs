//! Import of users from the service that this one replaces.
//!
//! A [`Plan`] is computed without a database and lists the result for each user. A dry run shows
//! it, and [`Import`] computes it again inside the transaction that applies it. Addresses and names
//! that differ there but compare equal here (case, normal form) get one owner: the verified user,
//! else the one with a live token, else the lower id. A verified user who loses a name is renamed;
//! one who loses an address is left out and reported. A user who was imported once is never
//! imported again.

mod plan;
mod port;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{NewRegistration, NewUser, PendingRegistration};
use crate::audit::{Actor, Entry, Event};
use crate::client::ClientKey;
use crate::email::{EmailAddress, EmailKey};
use crate::id::{RegistrationId, SessionId, UserId};
use crate::password::PasswordHash;
use crate::store::{StoreError, Tx, Write};
use crate::token::SecretHash;
use crate::username::NameKey;

pub use port::{Basis, ImportedSession, ImportedUser, Imports};

/// The number of rows between two updates of the progress.
const STEP: usize = 500;

/// What imported sessions say they were opened with.
const USER_AGENT: &str = "imported";

/// All users of the other database.
#[derive(Clone, Default)]
pub struct Source {
    /// The users, by their numbers.
    pub users: Vec<SourceUser>,
    /// The highest id ever assigned there, including deleted users.
    pub highest: i64,
    /// The number of tokens without a user.
    pub stray_tokens: u64,
}

/// A user of the other database. No `Debug`: it would show the address.
#[derive(Clone)]
pub struct SourceUser {
    /// The number, which clients know and which stays.
    pub id: UserId,
    /// The username.
    pub username: String,
    /// The mail address.
    pub email: String,
    /// The password's hash, whatever its form.
    pub password: PasswordHash,
    /// Whether the user may log in.
    pub active: bool,
    /// Whether a code has confirmed the address.
    pub verified: bool,
    /// Whether the user was staff there, which counts for nothing here.
    pub staff: bool,
    /// When the user joined, if that can be read.
    pub joined: Option<Timestamp>,
    /// The token, if there is one.
    pub token: Option<SourceToken>,
}

impl SourceUser {
    /// Whether the token opens something.
    fn has_live_token(&self) -> bool {
        self.active && self.token.is_some()
    }
}

/// A token of the other database: of the token itself only the hash is ever passed on.
#[derive(Debug, Clone, Copy)]
pub struct SourceToken {
    /// The hash of the token.
    pub hash: SecretHash,
    /// When it was made, if that can be read.
    pub created: Option<Timestamp>,
}

/// The planned result for each user.
#[derive(Default)]
pub struct Plan {
    /// Who becomes a user, by number.
    pub users: Vec<PlannedUser>,
    /// Who becomes a pending registration, by number: the name is held until the registration lapses.
    pub registrations: Vec<PlannedRegistration>,
    /// Who is left out, by number.
    pub left_out: Vec<LeftOut>,
    /// How many were brought over before.
    pub before: u64,
}

/// A user to import.
pub struct PlannedUser {
    /// The id of the user.
    pub id: UserId,
    /// The name here.
    pub username: String,
    /// The username in its comparison form.
    pub username_key: NameKey,
    /// Why the name is another one than there.
    pub renamed: Option<Renamed>,
    /// The mail address.
    pub email: EmailAddress,
    /// The password's hash, or one that no password matches.
    pub password: PasswordHash,
    /// Whether the password goes on to be good; if not, a new one is set by mail.
    pub has_password: bool,
    /// Whether the user may log in.
    pub active: bool,
    /// When the user joined.
    pub created: Timestamp,
    /// The token that goes on to be good.
    pub token: Option<SourceToken>,
    /// Whether there was a token that was dead already.
    pub lost_token: bool,
}

/// A new name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The name there.
    pub from: String,
    /// Who has it, in the form that compares; `None` if nobody may have it here.
    pub taken_by: Option<Claimant>,
}

/// Somebody who becomes a pending registration.
pub struct PlannedRegistration {
    /// The number there; a verified registration gets a new one.
    pub id: UserId,
    /// The username.
    pub username: String,
    /// The username in its comparison form.
    pub username_key: NameKey,
    /// The mail address.
    pub email: EmailAddress,
    /// The password's hash, or one that no password matches.
    pub password: PasswordHash,
    /// Whether there was a token, which is not good for an unverified address.
    pub lost_token: bool,
}

/// A user who can't be imported.
pub struct LeftOut {
    /// The id of the user.
    pub id: UserId,
    /// The name there.
    pub username: String,
    /// The address there.
    pub email: String,
    /// Whether the address was verified.
    pub verified: bool,
    /// The reason.
    pub reason: Reason,
    /// Whether there was a token.
    pub lost_token: bool,
}

/// The reason why a user is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The address is, in the form that compares, that of somebody else.
    EmailTaken(Claimant),
    /// The name is, in the form that compares, that of somebody else, and the address is not verified.
    NameTaken(Claimant),
    /// No mail is sent to an address like this.
    EmailInvalid,
    /// Nobody may have a name like this, and the address is not verified.
    NameInvalid,
    /// Disabled and not verified: as a pending registration, it could be verified.
    Disabled,
}

/// The owner of a conflicting name or address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimant {
    /// A user of the other database.
    There(UserId),
    /// A user of this one.
    Here(UserId),
    /// A pending registration here.
    Registering,
}

/// An id that belongs to a different user here. Then nothing is imported.
#[derive(Debug, Clone)]
pub struct Clash {
    /// The id of the user.
    pub id: UserId,
    /// The address there.
    pub there: String,
    /// The address here, in the form that compares.
    pub here: EmailKey,
}

/// The lifetimes of imported rows.
#[derive(Debug, Clone, Copy)]
pub struct Lives {
    /// After this time an unverified registration lapses.
    pub lapse: Duration,
    /// The longest life of a session, counted from now.
    pub session: Duration,
}

/// Imports all users in one transaction. Random values are drawn by [`Import::new`].
pub struct Import {
    source: Source,
    lives: Lives,
    actor: Actor,
    now: Timestamp,
    nobodys: PasswordHash,
    draws: HashMap<UserId, (SessionId, RegistrationId)>,
    written: Arc<AtomicU64>,
}

impl Import {
    /// An import of everybody.
    #[must_use]
    pub fn new(source: Source, lives: Lives, actor: Actor, now: Timestamp) -> Self {
        let draw = |user: &SourceUser| {
            let ids = (SessionId::generate(), RegistrationId::generate());
            (user.id, ids)
        };
        Self {
            nobodys: plan::nobodys_hash(&source),
            draws: source.users.iter().map(draw).collect(),
            written: Arc::default(),
            source,
            lives,
            actor,
            now,
        }
    }

    /// The number of rows written so far, for a progress bar.
    #[must_use]
    pub fn written(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.written)
    }

    /// What would be done on top of this.
    pub fn plan(&self, basis: &Basis) -> Result<Plan, Vec<Clash>> {
        Plan::of(&self.source, basis, &self.nobodys, self.now)
    }

    fn user(&self, planned: &PlannedUser) -> ImportedUser {
        let session = planned.token.map(|token| ImportedSession {
            id: self.draws[&planned.id].0,
            token: token.hash,
            created: token.created.unwrap_or(self.now).min(self.now),
            expires: self.now + self.lives.session,
            user_agent: USER_AGENT,
        });
        ImportedUser {
            id: planned.id,
            user: NewUser {
                username: planned.username.clone(),
                username_key: planned.username_key.clone(),
                email: planned.email.as_typed().to_owned(),
                email_key: planned.email.key().clone(),
                password: planned.password.clone(),
                now: planned.created,
            },
            active: planned.active,
            session,
        }
    }

    /// Without a challenge: nothing is mailed until its owner asks for a code again.
    fn registration(&self, planned: &PlannedRegistration) -> NewRegistration {
        NewRegistration {
            registration: PendingRegistration {
                same_password_as: None,
                id: self.draws[&planned.id].1,
                username: planned.username.clone(),
                username_key: planned.username_key.clone(),
                email: planned.email.as_typed().to_owned(),
                mailbox: planned.email.mailbox().to_owned(),
                password: planned.password.clone(),
                client: ClientKey::from(String::new()),
                decoy: false,
                expires: self.now + self.lives.lapse,
            },
            email_key: planned.email.key().clone(),
            now: self.now,
        }
    }

    fn count(&self, written: usize) {
        let written = u64::try_from(written).unwrap_or(u64::MAX);
        self.written.fetch_add(written, Ordering::Relaxed);
    }
}

#[async_trait]
impl Write for Import {
    /// What was done; or nothing was, because numbers are somebody else's.
    type Out = Result<Plan, Vec<Clash>>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        self.written.store(0, Ordering::Relaxed);
        let basis = tx.import_basis(self.now).await?;
        let plan = match self.plan(&basis) {
            Ok(plan) => plan,
            Err(clashes) => return Ok(Err(clashes)),
        };
        if plan.users.is_empty() && plan.registrations.is_empty() {
            return Ok(Ok(plan));
        }
        for users in plan.users.chunks(STEP) {
            let rows: Vec<_> = users.iter().map(|user| self.user(user)).collect();
            let ids: Vec<_> = users.iter().map(|user| user.id).collect();
            tx.import_users(&rows, self.now).await?;
            tx.note_imported(&ids, true, self.now).await?;
            self.count(users.len());
        }
        for registrations in plan.registrations.chunks(STEP) {
            for registration in registrations {
                tx.insert_registration(&self.registration(registration))
                    .await?;
            }
            let ids: Vec<_> = registrations
                .iter()
                .map(|registration| registration.id)
                .collect();
            tx.note_imported(&ids, false, self.now).await?;
            self.count(registrations.len());
        }
        tx.reserve_numbers(UserId(self.source.highest)).await?;
        let detail = plan.detail();
        let entry = Entry::new(Event::Admin, &self.actor, self.now);
        tx.record(&entry.detail(&detail)).await?;
        Ok(Ok(plan))
    }
}
