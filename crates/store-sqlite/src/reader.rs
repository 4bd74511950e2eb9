//! What can be read, inside a unit of work as well as outside.

use async_trait::async_trait;
use domain::accounts::admin::UserFilter;
use domain::accounts::dummy::HashKinds;
use domain::accounts::import::Basis;
use domain::accounts::sessions::{LISTED, Session};
use domain::accounts::{LoginAccount, LoginUser, MAX_CHECKED, SessionUser, User};
use domain::audit::Recorded;
use domain::client::ClientKey;
use domain::email::EmailKey;
use domain::id::{RegistrationId, UserId};
use domain::otp::Purpose;
use domain::password::PasswordHash;
use domain::payments::{PaymentPosition, PaymentRecord};
use domain::plans::{Grant, PlanUsage};
use domain::queue::{MailFilter, MailRecord, MailStory};
use domain::store::{Reader, StoreError};
use domain::token::SecretHash;
use domain::username::NameKey;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::error::{store_error, unreadable};
use crate::executor::{ConnectionGuard, Executor, micros, time};
use crate::{holders, import, mail_rows, payments, plans, users};

#[async_trait]
impl<C: ConnectionGuard> Reader for Executor<C> {
    fn done(mut self: Box<Self>) {
        self.0.idle();
    }

    async fn user_by_email(&mut self, email: &EmailKey) -> Result<Option<User>, StoreError> {
        let email = email.as_str();
        let row = sqlx::query_as!(
            UserRow,
            "select id, username, email, email_key, password_hash, credential_version, is_active, created_at
             from users where email_key = ?",
            email
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(row.map(UserRow::read))
    }

    async fn user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        let row = sqlx::query_as!(
            UserRow,
            "select id, username, email, email_key, password_hash, credential_version, is_active, created_at
             from users where id = ?",
            id.0
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(row.map(UserRow::read))
    }

    async fn session(&mut self, token: &SecretHash) -> Result<Option<SessionUser>, StoreError> {
        let token = token.as_bytes();
        let row = sqlx::query!(
            "select sessions.id as session_id, sessions.created_at as session_created_at, last_used_at, expires_at,
                    users.id, username, email, email_key, password_hash, credential_version, is_active,
                    users.created_at
             from sessions join users on users.id = sessions.user_id where token_hash = ?",
            token
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        row.map(|row| {
            Ok(SessionUser {
                id: row.session_id.parse().map_err(unreadable)?,
                created: time(row.session_created_at),
                last_used: time(row.last_used_at),
                expires: time(row.expires_at),
                user: UserRow {
                    id: row.id,
                    username: row.username,
                    email: row.email,
                    email_key: row.email_key,
                    password_hash: row.password_hash,
                    credential_version: row.credential_version,
                    is_active: row.is_active,
                    created_at: row.created_at,
                }
                .read(),
            })
        })
        .transpose()
    }

    async fn login_account(
        &mut self,
        email: Option<&EmailKey>,
        name: &NameKey,
        client: Option<&ClientKey>,
        now: Timestamp,
    ) -> Result<LoginAccount, StoreError> {
        let (typed, name) = (email.map_or("", EmailKey::as_str), name.as_str());
        // The rank puts the address before the name.
        let user = sqlx::query!(
            "select id, username, email, email_key, password_hash, credential_version, is_active
             from users where email_key = ?1 or username_key = ?2
             order by email_key = ?1 desc limit 1",
            typed,
            name
        )
        .fetch_optional(&mut *self.0)
        .await
        .map_err(store_error)?;
        let client = client.map_or("", ClientKey::as_str);
        let (newest, own) = match email {
            Some(_) => (
                None,
                registrations_at(&mut self.0, typed, client, now).await?,
            ),
            None => registrations_named(&mut self.0, name, client, now).await?,
        };
        Ok(LoginAccount {
            user: user.map(|user| LoginUser {
                id: UserId(user.id),
                username: user.username,
                email: user.email,
                email_key: user.email_key.into(),
                password: user.password_hash.into(),
                credential_version: user.credential_version,
                active: user.is_active == 1,
            }),
            newest,
            own,
        })
    }

    async fn passwords_of_registrations(
        &mut self,
        email: &EmailKey,
        client: &ClientKey,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<(RegistrationId, PasswordHash)>, StoreError> {
        let (email, client, now) = (email.as_str(), client.as_str(), micros(now));
        let rows = sqlx::query!(
            r#"select coalesce(same_password_as, id) as "id!: String", password_hash from registrations
               where email_key = ? and (ended_at is null or decoy = 1) and expires_at > ? and client = ?
               order by created_at desc, id desc limit ?"#,
            email,
            now,
            client,
            limit
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        rows.into_iter()
            .map(|row| {
                Ok((
                    row.id.parse().map_err(unreadable)?,
                    row.password_hash.into(),
                ))
            })
            .collect()
    }

    async fn tries_of_holder(
        &mut self,
        token: &SecretHash,
        email: &EmailKey,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<u32>, StoreError> {
        holders::tries_of_holder(&mut self.0, token, email, purpose, now).await
    }

    async fn hash_kinds(&mut self) -> Result<HashKinds, StoreError> {
        let rows = sqlx::query!(
            r#"select hash_kind as "kind!", count(*) as "users!: u32" from users group by hash_kind"#
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        let kinds = rows.into_iter();
        Ok(HashKinds(
            kinds
                .map(|row| (row.kind.into(), row.users.into()))
                .collect(),
        ))
    }

    async fn sessions(
        &mut self,
        user: UserId,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let (now, idle_since) = (micros(now), micros(idle_since));
        let rows = sqlx::query!(
            "select id, created_at, last_used_at, expires_at, client, user_agent from sessions
             where user_id = ? and expires_at > ? and last_used_at > ? order by created_at desc, id desc
             limit ?",
            user.0,
            now,
            idle_since,
            LISTED
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        rows.into_iter()
            .map(|row| {
                Ok(Session {
                    id: row.id.parse().map_err(unreadable)?,
                    created: time(row.created_at),
                    last_used: time(row.last_used_at),
                    expires: time(row.expires_at),
                    client: row.client.into(),
                    user_agent: row.user_agent,
                })
            })
            .collect()
    }

    async fn plan_standing(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<PlanUsage, StoreError> {
        plans::standing(&mut self.0, user, now).await
    }

    async fn grants(&mut self, user: UserId) -> Result<Vec<Grant>, StoreError> {
        plans::grants(&mut self.0, user).await
    }

    async fn records(
        &mut self,
        user: UserId,
        before: Option<(Timestamp, i64)>,
        limit: u32,
    ) -> Result<Vec<Recorded>, StoreError> {
        let (at, id) = before.map_or((i64::MAX, i64::MAX), |(at, id)| (micros(at), id));
        let rows = sqlx::query!(
            r#"select id as "id!", at, event, request_id, client, user_agent, detail from audit
               where user_id = ? and (at, id) < (?, ?) order by at desc, id desc limit ?"#,
            user.0,
            at,
            id,
            limit
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(rows
            .into_iter()
            .map(|row| Recorded {
                id: row.id,
                at: time(row.at),
                event: row.event,
                request_id: row.request_id,
                client: row.client,
                user_agent: row.user_agent,
                detail: row.detail,
            })
            .collect())
    }

    async fn known_clients(
        &mut self,
        user: UserId,
    ) -> Result<Vec<(ClientKey, Timestamp)>, StoreError> {
        let rows = sqlx::query!(
            "select client, seen_at from known_clients where user_id = ? order by seen_at desc, client",
            user.0
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        let known = rows
            .into_iter()
            .map(|row| (row.client.into(), time(row.seen_at)));
        Ok(known.collect())
    }

    async fn payment_records(
        &mut self,
        user: UserId,
        after: Option<&PaymentPosition>,
        limit: u32,
    ) -> Result<Vec<PaymentRecord>, StoreError> {
        payments::of_user(&mut self.0, user, after, limit).await
    }

    async fn users(&mut self, filter: &UserFilter) -> Result<Vec<User>, StoreError> {
        users::list(&mut self.0, filter).await
    }

    async fn import_basis(&mut self, now: Timestamp) -> Result<Basis, StoreError> {
        import::basis(&mut self.0, now).await
    }

    async fn mail(&mut self, id_prefix: &str) -> Result<Vec<MailStory>, StoreError> {
        mail_rows::stories(&mut self.0, id_prefix).await
    }

    async fn mails(&mut self, filter: &MailFilter) -> Result<Vec<MailRecord>, StoreError> {
        mail_rows::list(&mut self.0, filter).await
    }
}

/// A user's columns.
pub(crate) struct UserRow {
    pub(crate) id: i64,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) email_key: String,
    pub(crate) password_hash: String,
    pub(crate) credential_version: i64,
    pub(crate) is_active: i64,
    pub(crate) created_at: i64,
}

impl UserRow {
    pub(crate) fn read(self) -> User {
        User {
            id: UserId(self.id),
            username: self.username,
            email: self.email,
            email_key: self.email_key.into(),
            password: self.password_hash.into(),
            credential_version: self.credential_version,
            active: self.is_active == 1,
            created: time(self.created_at),
        }
    }
}

/// The passwords of a client's live attempts at an address, newer ones before older ones.
async fn registrations_at(
    connection: &mut SqliteConnection,
    email: &str,
    client: &str,
    now: Timestamp,
) -> Result<Vec<PasswordHash>, StoreError> {
    let (now, most) = (micros(now), most_checked());
    let own = sqlx::query_scalar!(
        "select password_hash from registrations
         where email_key = ? and client = ? and (ended_at is null or decoy = 1) and expires_at > ?
         order by created_at desc, id desc limit ?",
        email,
        client,
        now,
        most
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(own.into_iter().map(Into::into).collect())
}

/// Those of its live attempts with a name; or, if it has none, the newest of other clients: how many these have is told
/// to no stranger by how long their check takes.
async fn registrations_named(
    connection: &mut SqliteConnection,
    name: &str,
    client: &str,
    now: Timestamp,
) -> Result<(Option<PasswordHash>, Vec<PasswordHash>), StoreError> {
    let (now, most) = (micros(now), most_checked());
    let found = sqlx::query!(
        r#"select password_hash, client = ?3 as "is_own!: bool" from registrations
           where username_key = ?1 and (ended_at is null or decoy = 1) and expires_at > ?2
           order by client = ?3 desc, created_at desc, id desc limit ?4"#,
        name,
        now,
        client,
        most
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let (own, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|attempt| attempt.is_own);
    let hash = |password: String| PasswordHash::from(password);
    let newest = others.into_iter().next().filter(|_| own.is_empty());
    let own = own.into_iter().map(|attempt| hash(attempt.password_hash));
    Ok((newest.map(|one| hash(one.password_hash)), own.collect()))
}

fn most_checked() -> i64 {
    i64::try_from(MAX_CHECKED).unwrap_or(i64::MAX)
}
