//! What an operator does to accounts with the command line, each recorded in the same transaction.

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

/// Which users to list.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Only those with this in their address, in lower case.
    pub email: Option<String>,
    /// Only those with this in their name.
    pub name: Option<NameKey>,
    /// Only those with a higher number.
    pub after: Option<UserId>,
    /// At most so many.
    pub limit: u32,
}

impl Actor {
    /// An operator at a command line. `agent`: the program, and who runs it if that is known.
    #[must_use]
    pub fn operator(agent: String) -> Self {
        Self {
            request_id: ulid::Ulid::generate().to_string(),
            client: ClientKey::from(String::new()),
            user_agent: agent,
        }
    }
}

/// Makes a user without a code: the operator vouches for the address.
#[derive(Debug)]
pub struct CreateUser {
    /// The name.
    pub username: Username,
    /// The address.
    pub email: EmailAddress,
    /// The password's hash.
    pub password: PasswordHash,
    /// Who does it.
    pub actor: Actor,
    /// The time of the request.
    pub now: Timestamp,
}

/// What came of making a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// There is a new user.
    Done(UserId),
    /// Somebody has the name, or holds it with a registration.
    NameTaken,
    /// A user has the address.
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

/// Makes a user of the newest live registration of an address, as its code would have done.
#[derive(Debug)]
pub struct VerifyRegistration {
    /// The address.
    pub email: EmailAddress,
    /// The name of the registration that is meant.
    pub name: Option<NameKey>,
    /// Who does it.
    pub actor: Actor,
    /// The time of the request.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug)]
pub enum Verification {
    /// There is a new user.
    Done(UserId),
    /// The address is a user's already.
    Verified(UserId),
    /// Nobody waits for a code with this address (and name).
    Nobody,
    /// Somebody else has made a user of that name meanwhile.
    NameTaken,
    /// Attempts of several clients wait. One of them may be a stranger's, whose password would be good
    /// then, so it has to be said whose is meant.
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

/// Adds a user whose name and address are free, and ends what waited for that address. `winner`: the registration that it is
/// made of, if it is made of one.
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

/// Shuts a user out, which ends every session at once (OWASP ASVS 5.0 7.4.2), or lets it in again. No code that was mailed
/// before is good after it.
#[derive(Debug)]
pub struct SetActive {
    /// The user's number.
    pub user: UserId,
    /// Whether the user may log in.
    pub active: bool,
    /// Who does it.
    pub actor: Actor,
    /// The time of the request.
    pub now: Timestamp,
}

#[async_trait]
impl Write for SetActive {
    /// Whether that changed anything.
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

/// Grants premium in the operator's name, or takes back what was granted in it. What payment services granted stays
/// as it is.
#[derive(Debug)]
pub struct SetPlan {
    /// The user's number.
    pub user: UserId,
    /// The plan, and until when.
    pub plan: GivenPlan,
    /// Who does it.
    pub actor: Actor,
    /// The time of the request.
    pub now: Timestamp,
}

/// What an operator gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenPlan {
    /// Nothing.
    Free,
    /// Premium, to its end if it has one.
    Premium(Option<Timestamp>),
}

#[async_trait]
impl Write for SetPlan {
    /// Where the user stands then, and who has granted it; `None` if there is no user (any more).
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
    /// The user's number.
    pub user: UserId,
    /// Who does it.
    pub actor: Actor,
    /// The time of the request.
    pub now: Timestamp,
}

#[async_trait]
impl Write for LogOut {
    /// How many have ended.
    type Out = u64;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        let ended = tx.end_sessions(self.user, None).await?;
        let detail = format!("logged the user out; sessions ended: {ended}");
        let entry = Entry::new(Event::Admin, &self.actor, self.now);
        tx.record(&entry.user(self.user).detail(&detail)).await?;
        Ok(ended)
    }
}

/// Deletes an account as its user could, with the same farewell.
#[derive(Debug)]
pub struct RemoveUser {
    /// The user's number.
    pub user: UserId,
    /// What makes the pseudonym of the address.
    pub keys: Arc<KeyRing>,
    /// The farewell's id.
    pub mail: MailId,
    /// Who does it.
    pub actor: Actor,
    /// The time of the request.
    pub now: Timestamp,
}

#[async_trait]
impl Write for RemoveUser {
    /// Whether the user was still there.
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
        // After the removal, which forgets who was behind everything recorded of the user so far.
        let entry = Entry::new(Event::Admin, &self.actor, self.now);
        tx.record(&entry.user(user.id).detail("deleted the account"))
            .await?;
        Ok(true)
    }
}
