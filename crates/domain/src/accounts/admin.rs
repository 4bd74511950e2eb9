//! Use cases of an operator at the command line, each recorded in the same transaction.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::deletion::Removal;
use super::{NewUser, PendingRegistration};
use crate::audit::{Actor, Entry, Event};
use crate::client::ClientKey;
use crate::email::EmailAddress;
use crate::id::{MailId, RegistrationId, UserId};
use crate::otp::{KeyRing, Purpose};
use crate::password::PasswordHash;
use crate::plans::{Grant, PlanUsage, Source};
use crate::store::{StoreError, Tx, Write};
use crate::username::{NameKey, Username};

/// The filter of a list of users.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Only users with this text in their address, in lower case.
    pub email: Option<String>,
    /// Only users with this text in their name.
    pub name: Option<NameKey>,
    /// Only users with a higher id.
    pub after: Option<UserId>,
    /// The maximum number of users.
    pub limit: u32,
}

impl Actor {
    /// An operator at the command line. `agent` is the program, and the person who runs it if
    /// known.
    #[must_use]
    pub fn operator(agent: String) -> Self {
        Self {
            request_id: ulid::Ulid::generate().to_string(),
            client: ClientKey::from(String::new()),
            user_agent: agent,
        }
    }
}

/// Creates a user without a code: the operator vouches for the address.
#[derive(Debug)]
pub struct CreateUser {
    /// The username.
    pub username: Username,
    /// The mail address.
    pub email: EmailAddress,
    /// The hash of the password.
    pub password: PasswordHash,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The time of the request, UTC.
    pub now: Timestamp,
}

/// The result of creating a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// The user was created.
    Done(UserId),
    /// The username belongs to a user or is reserved by a registration.
    NameTaken,
    /// The address belongs to a user.
    EmailTaken,
}

#[async_trait]
impl Write for CreateUser {
    type Out = Creation;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Creation, StoreError> {
        let (name, email) = (self.username.key(), self.email.key());
        if tx.name_is_taken(name, email, self.now).await? {
            return Ok(Creation::NameTaken);
        }
        let user = NewUser {
            username: self.username.as_str().to_owned(),
            username_key: name.clone(),
            email: self.email.as_typed().to_owned(),
            email_key: email.clone(),
            password: self.password.clone(),
            now: self.now,
        };
        if tx.user_by_email(email).await?.is_some() {
            return Ok(Creation::EmailTaken);
        }
        let user = make(tx, &user, None, &self.actor, "made the user").await?;
        Ok(Creation::Done(user))
    }
}

/// Verifies the newest live registration of an address, as its code would do.
#[derive(Debug)]
pub struct VerifyRegistration {
    /// The mail address.
    pub email: EmailAddress,
    /// The username of the intended registration.
    pub name: Option<NameKey>,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The time of the request, UTC.
    pub now: Timestamp,
}

/// The result of the use case.
#[derive(Debug)]
pub enum Verification {
    /// The user was created.
    Done(UserId),
    /// The address already belongs to a user.
    Verified(UserId),
    /// There is no pending registration with this address (and name).
    Nobody,
    /// Another user took the name in the meantime.
    NameTaken,
    /// Several clients have registered the address. One of them may be a stranger, whose password
    /// would become valid, so the operator must choose one.
    Several(Vec<(RegistrationId, String)>),
}

#[async_trait]
impl Write for VerifyRegistration {
    type Out = Verification;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Verification, StoreError> {
        let email = self.email.key();
        if let Some(user) = tx.user_by_email(email).await? {
            return Ok(Verification::Verified(user.id));
        }
        let mut registrations = tx.registrations(email, self.now).await?;
        registrations.retain(|registration| {
            let meant = self.name.as_ref();
            !registration.decoy && meant.is_none_or(|name| *name == registration.username_key)
        });
        let Some(newest) = registrations.first() else {
            return Ok(Verification::Nobody);
        };
        if self.name.is_none()
            && registrations
                .iter()
                .any(|other| other.client != newest.client)
        {
            let shown = |registration: &PendingRegistration| {
                (registration.id, registration.username.clone())
            };
            return Ok(Verification::Several(
                registrations.iter().map(shown).collect(),
            ));
        }
        if tx
            .name_is_taken(&newest.username_key, email, self.now)
            .await?
        {
            return Ok(Verification::NameTaken);
        }
        let user = NewUser {
            username: newest.username.clone(),
            username_key: newest.username_key.clone(),
            email: newest.email.clone(),
            email_key: email.clone(),
            password: newest.password.clone(),
            now: self.now,
        };
        let (winner, actor) = (Some(newest.id), &self.actor);
        let user = make(tx, &user, winner, actor, "verified the address").await?;
        Ok(Verification::Done(user))
    }
}

/// Adds a user with a free name and address, and ends the pending registrations of that address.
/// `winner` is the registration that becomes the user, if any. the registration that it is made of,
/// if it is made of one.
async fn make(
    tx: &mut dyn Tx,
    user: &NewUser,
    winner: Option<RegistrationId>,
    actor: &Actor,
    detail: &str,
) -> Result<UserId, StoreError> {
    let (email, now) = (&user.email_key, user.now);
    let id = tx.insert_user(user).await?;
    tx.close_registrations(email, winner, now).await?;
    tx.reset_open_tries(email, Purpose::VerifyEmail).await?;
    let entry = Entry::new(Event::Admin, actor, now);
    tx.record(&entry.user(id).email(email).detail(detail))
        .await?;
    Ok(id)
}

/// Disables a user, which ends every session at once (OWASP ASVS 5.0 7.4.2), or enables it again.
/// Either invalidates all codes mailed before.
#[derive(Debug)]
pub struct SetActive {
    /// The id of the user.
    pub user: UserId,
    /// Whether the user may log in.
    pub active: bool,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The time of the request, UTC.
    pub now: Timestamp,
}

#[async_trait]
impl Write for SetActive {
    /// Whether this changed anything.
    type Out = bool;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        if !tx.set_active(self.user, self.active).await? {
            return Ok(false);
        }
        tx.end_challenges(self.user, None, self.now).await?;
        let detail = if self.active {
            "enabled the user".to_owned()
        } else {
            let ended = tx.end_sessions(self.user, None).await?;
            format!("disabled the user; sessions ended: {ended}")
        };
        let entry = Entry::new(Event::Admin, &self.actor, self.now);
        tx.record(&entry.user(self.user).detail(&detail)).await?;
        Ok(true)
    }
}

/// Grants premium as the operator, or withdraws the operator's grant. Grants of payment services
/// stay unchanged.
#[derive(Debug)]
pub struct SetPlan {
    /// The id of the user.
    pub user: UserId,
    /// The plan, and until when.
    pub plan: GivenPlan,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The time of the request, UTC.
    pub now: Timestamp,
}

/// The plan that an operator grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenPlan {
    /// The free plan.
    Free,
    /// Premium, to its end if it has one.
    Premium(Option<Timestamp>),
}

#[async_trait]
impl Write for SetPlan {
    /// The resulting plan and its grants; `None` if the user does not exist.
    type Out = Option<(PlanUsage, Vec<Grant>)>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let (user, now) = (self.user, self.now);
        if tx.user(user).await?.is_none() {
            return Ok(None);
        }
        let source = Source::Operator;
        let (changed, detail) = match self.plan {
            GivenPlan::Free => (
                tx.withdraw_premium(user, source).await?,
                "took premium back".to_owned(),
            ),
            GivenPlan::Premium(until) => (
                tx.grant_premium(user, source, until, now).await?,
                until.map_or_else(
                    || "granted premium without end".to_owned(),
                    |until| format!("granted premium until {until}"),
                ),
            ),
        };
        if changed {
            let entry = Entry::new(Event::Admin, &self.actor, now);
            tx.record(&entry.user(user).detail(&detail)).await?;
        }
        let standing = tx.plan_standing(user, now).await?;
        Ok(Some((standing, tx.grants(user).await?)))
    }
}

/// Ends every session of a user (OWASP ASVS 5.0 7.4.5).
#[derive(Debug)]
pub struct LogOut {
    /// The id of the user.
    pub user: UserId,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The time of the request, UTC.
    pub now: Timestamp,
}

#[async_trait]
impl Write for LogOut {
    /// The number of ended sessions.
    type Out = u64;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        let ended = tx.end_sessions(self.user, None).await?;
        let detail = format!("logged the user out; sessions ended: {ended}");
        let entry = Entry::new(Event::Admin, &self.actor, self.now);
        tx.record(&entry.user(self.user).detail(&detail)).await?;
        Ok(ended)
    }
}

/// Deletes an account like its user would, with the same farewell mail.
#[derive(Debug)]
pub struct RemoveUser {
    /// The id of the user.
    pub user: UserId,
    /// The keys for the pseudonym of the address.
    pub keys: Arc<KeyRing>,
    /// The id of the farewell mail.
    pub mail: MailId,
    /// The actor, for the audit row.
    pub actor: Actor,
    /// The time of the request, UTC.
    pub now: Timestamp,
}

#[async_trait]
impl Write for RemoveUser {
    /// Whether the user existed.
    type Out = bool;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let Some(user) = tx.user(self.user).await? else {
            return Ok(false);
        };
        let removal = Removal {
            user: &user,
            forget_as: self.keys.pseudonym(&user.email_key),
            mail: self.mail,
            entry: Entry::new(Event::Deleted, &self.actor, self.now),
        };
        if !removal.apply(tx).await? {
            return Ok(false);
        }
        // Recorded after the removal, which anonymises all earlier audit rows of the user.
        let entry = Entry::new(Event::Admin, &self.actor, self.now);
        tx.record(&entry.user(user.id).detail("deleted the account"))
            .await?;
        Ok(true)
    }
}
