//! What is read, by requests and by the command line alike.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{ReadLimits, StoreError};
use crate::accounts::admin::UserFilter;
use crate::accounts::dummy::HashKinds;
use crate::accounts::import::Basis;
#[cfg(doc)]
use crate::accounts::sessions::LISTED;
use crate::accounts::sessions::Session;
use crate::accounts::{LoginAccount, SessionUser, User};
use crate::audit::Recorded;
use crate::client::ClientKey;
use crate::email::EmailKey;
use crate::id::{RegistrationId, UserId};
use crate::notes::port::ReadNotes;
use crate::operator::OperatorQueries;
use crate::otp::Purpose;
use crate::password::PasswordHash;
use crate::payments::{PaymentPosition, PaymentRecord};
use crate::plans::{Grant, PlanUsage};
use crate::processes::ReadProcesses;
use crate::queue::port::ReadQueue;
use crate::queue::{MailFilter, MailRecord, MailStory};
use crate::token::SecretHash;
use crate::username::NameKey;

/// What can be read, inside a unit of work as well as outside.
#[async_trait]
pub trait Reader:
    OperatorQueries + ReadNotes + ReadLimits + ReadQueue + ReadProcesses + Send
{
    /// Gives back what it reads over: all that was asked has been answered. One that is dropped instead is given back once
    /// it is known that nothing of it is still under way.
    fn done(self: Box<Self>);
    /// The user with that address.
    async fn user_by_email(&mut self, email: &EmailKey) -> Result<Option<User>, StoreError>;
    /// The account that a login means, by address or by name; see [`crate::accounts::login`]. `client`: whose attempts
    /// are looked at; by name, if it has none, the newest of the others is.
    async fn login_account(
        &mut self,
        email: Option<&EmailKey>,
        name: &NameKey,
        client: Option<&ClientKey>,
        now: Timestamp,
    ) -> Result<LoginAccount, StoreError>;
    /// The passwords of a client's live attempts for an address, newest first, `limit` at most, each with the attempt it
    /// was first used for.
    async fn passwords_of_registrations(
        &mut self,
        email: &EmailKey,
        client: &ClientKey,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<(RegistrationId, PasswordHash)>, StoreError>;
    /// How many tries the holder of a token has made at codes of that address and purpose, if it was given for one whose
    /// life is not over. Whether that can still be used makes no difference: others may have ended it.
    async fn tries_of_holder(
        &mut self,
        token: &SecretHash,
        email: &EmailKey,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<u32>, StoreError>;
    /// How many users have which kind of hash.
    async fn hash_kinds(&mut self) -> Result<HashKinds, StoreError>;
    /// The user with that number.
    async fn user(&mut self, id: UserId) -> Result<Option<User>, StoreError>;
    /// The user and session of a token, dead or alive.
    async fn session(&mut self, token: &SecretHash) -> Result<Option<SessionUser>, StoreError>;
    /// The user's sessions that have not ended, newest first and [`LISTED`] at most; `idle_since`: those not used since
    /// then have.
    async fn sessions(
        &mut self,
        user: UserId,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Vec<Session>, StoreError>;
    /// Where a user stands: the plan at that time, and how many notes and bytes are used. Of nobody: free, and none.
    async fn plan_standing(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<PlanUsage, StoreError>;
    /// Who granted premium to a user, also what is over, by the names of the sources.
    async fn grants(&mut self, user: UserId) -> Result<Vec<Grant>, StoreError>;
    /// The security events of a user, newest first; `before`: those older than that of this time and number.
    async fn records(
        &mut self,
        user: UserId,
        before: Option<(Timestamp, i64)>,
        limit: u32,
    ) -> Result<Vec<Recorded>, StoreError>;
    /// The clients that a user has logged in from lately, with when that was; the newest first.
    async fn known_clients(
        &mut self,
        user: UserId,
    ) -> Result<Vec<(ClientKey, Timestamp)>, StoreError>;
    /// What payment services told about a user, after that place: by service, then in the order in which it came.
    async fn payment_records(
        &mut self,
        user: UserId,
        after: Option<&PaymentPosition>,
        limit: u32,
    ) -> Result<Vec<PaymentRecord>, StoreError>;
    /// Users, in the order of their numbers.
    async fn users(&mut self, filter: &UserFilter) -> Result<Vec<User>, StoreError>;
    /// What an import has to get along with.
    async fn import_basis(&mut self, now: Timestamp) -> Result<Basis, StoreError>;
    /// One mail with all its tries.
    async fn mail(&mut self, id_prefix: &str) -> Result<Vec<MailStory>, StoreError>;
    /// Mails, newest first.
    async fn mails(&mut self, filter: &MailFilter) -> Result<Vec<MailRecord>, StoreError>;
}
