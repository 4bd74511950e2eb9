//! Users' rows and sessions' rows.

use std::time::Duration;

use async_trait::async_trait;
use domain::accounts::admin::UserFilter;
use domain::accounts::{NewSession, NewUser, User};
use domain::clock::AHEAD;
use domain::email::EmailAddress;
use domain::id::{SessionId, UserId};
use domain::password::PasswordHash;
use domain::store::{Sessions, StoreError, Users};
use domain::username::{NameKey, Username};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::error::{conflict_or, store_error};
use crate::executor::{ConnectionGuard, Executor, micros};
use crate::reader::UserRow;

#[async_trait]
impl<C: ConnectionGuard> Users for Executor<C> {
    async fn jump_user_ids(
        &mut self,
        at_least: i64,
        fewest: i64,
        most: i64,
    ) -> Result<Option<UserId>, StoreError> {
        // SQLite's own row of the highest id that was given; before the first user there is none.
        sqlx::query!(
            "insert into sqlite_sequence (name, seq)
             select 'users', 0 where not exists (select 1 from sqlite_sequence where name = 'users')"
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        let last = sqlx::query_scalar!(
            r#"select max(seq + ?1, ?2) as "last!: i64" from sqlite_sequence where name = 'users'"#,
            fewest,
            at_least
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(store_error)?;
        if last >= most {
            return Ok(None);
        }
        sqlx::query!(
            "update sqlite_sequence set seq = ? where name = 'users'",
            last
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(Some(UserId(last + 1)))
    }

    async fn insert_user(&mut self, user: &NewUser) -> Result<UserId, StoreError> {
        let name_key = user.username_key.as_str();
        let email_key = user.email_key.as_str();
        let password = user.password.as_str();
        let now = micros(user.now);
        let id = sqlx::query_scalar!(
            "insert into users (username, username_key, email, email_key, password_hash, created_at)
             values (?, ?, ?, ?, ?, ?) returning id",
            user.username,
            name_key,
            user.email,
            email_key,
            password,
            now
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(|error| {
            let rules = [
                ("users.username_key", "username"),
                ("users.email_key", "email"),
            ];
            conflict_or(error, &rules)
        })?;
        Ok(UserId(id))
    }

    async fn set_password(
        &mut self,
        user: UserId,
        credential_version: i64,
        password: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let password = password.as_str();
        let set = sqlx::query!(
            "update users set password_hash = ?1, credential_version = credential_version + 1
             where id = ?2 and credential_version = ?3 and is_active = 1",
            password,
            user.0,
            credential_version
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(set.rows_affected() == 1)
    }

    async fn rehash_password(
        &mut self,
        user: UserId,
        credential_version: i64,
        password: &PasswordHash,
    ) -> Result<(), StoreError> {
        let password = password.as_str();
        sqlx::query!(
            "update users set password_hash = ?1
             where id = ?2 and credential_version = ?3 and is_active = 1",
            password,
            user.0,
            credential_version
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn set_username(&mut self, user: UserId, name: &Username) -> Result<(), StoreError> {
        let (shown, key) = (name.as_str(), name.key().as_str());
        sqlx::query!(
            "update users set username = ?, username_key = ? where id = ?",
            shown,
            key,
            user.0
        )
        .execute(&mut *self.0)
        .await
        .map_err(|error| conflict_or(error, &[("users.username_key", "username")]))?;
        Ok(())
    }

    async fn set_email(
        &mut self,
        user: UserId,
        credential_version: i64,
        email: &EmailAddress,
    ) -> Result<bool, StoreError> {
        let (shown, key) = (email.as_typed(), email.key().as_str());
        let set = sqlx::query!(
            "update users set email = ?1, email_key = ?2, credential_version = credential_version + 1
             where id = ?3 and credential_version = ?4 and is_active = 1",
            shown,
            key,
            user.0,
            credential_version
        )
        .execute(&mut *self.0)
        .await
        .map_err(|error| conflict_or(error, &[("users.email_key", "email")]))?;
        Ok(set.rows_affected() == 1)
    }

    async fn set_active(&mut self, user: UserId, active: bool) -> Result<bool, StoreError> {
        let set = sqlx::query!(
            "update users set is_active = ?1, credential_version = credential_version + 1
             where id = ?2 and is_active <> ?1",
            active,
            user.0
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(set.rows_affected() == 1)
    }

    async fn delete_user(&mut self, user: UserId) -> Result<bool, StoreError> {
        let deleted = sqlx::query!("delete from users where id = ?", user.0)
            .execute(&mut *self.0)
            .await
            .map_err(store_error)?;
        Ok(deleted.rows_affected() == 1)
    }

    async fn note_registration_notice(
        &mut self,
        user: UserId,
        now: Timestamp,
        every: Duration,
    ) -> Result<bool, StoreError> {
        let (latest, ahead) = (micros(now - every), micros(now + AHEAD));
        let now = micros(now);
        let noted = sqlx::query!(
            "update users set registration_notice_at = ?1
             where id = ?2 and (registration_notice_at is null or registration_notice_at <= ?3
                                or registration_notice_at > ?4)",
            now,
            user.0,
            latest,
            ahead
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(noted.rows_affected() == 1)
    }
}

#[async_trait]
impl<C: ConnectionGuard> Sessions for Executor<C> {
    async fn end_sessions(
        &mut self,
        user: UserId,
        but: Option<SessionId>,
    ) -> Result<u64, StoreError> {
        let but = but.map(|session| session.to_string());
        let ended = sqlx::query!(
            "delete from sessions where user_id = ?1 and (?2 is null or id <> ?2)",
            user.0,
            but
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(ended.rows_affected())
    }

    async fn end_session(&mut self, user: UserId, session: SessionId) -> Result<bool, StoreError> {
        let session = session.to_string();
        let ended = sqlx::query!(
            "delete from sessions where user_id = ? and id = ?",
            user.0,
            session
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(ended.rows_affected() == 1)
    }

    async fn touch_session(
        &mut self,
        session: SessionId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (session, now) = (session.to_string(), micros(now));
        sqlx::query!(
            "update sessions set last_used_at = max(last_used_at, ?) where id = ?",
            now,
            session
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn insert_session(&mut self, session: &NewSession) -> Result<bool, StoreError> {
        let id = session.id.to_string();
        let token = session.token.as_bytes();
        let now = micros(session.now);
        let expires = micros(session.expires);
        let client = session.client.as_str();
        let inserted = sqlx::query!(
            "insert into sessions
                 (id, user_id, token_hash, created_at, last_used_at, expires_at, client, user_agent)
             select ?1, users.id, ?2, ?3, ?3, ?4, ?5, ?6 from users
             where users.id = ?7 and users.credential_version = ?8 and users.is_active = 1",
            id,
            token,
            now,
            expires,
            client,
            session.user_agent,
            session.user.0,
            session.credential_version
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(inserted.rows_affected() == 1)
    }
}

/// Users, in the order of their numbers.
pub(crate) async fn list(
    connection: &mut SqliteConnection,
    filter: &UserFilter,
) -> Result<Vec<User>, StoreError> {
    let after = filter.after.map_or(0, |user| user.0);
    let name = filter.name.as_ref().map(NameKey::as_str);
    let limit = i64::from(filter.limit);
    let rows = sqlx::query_as!(
        UserRow,
        "select id, username, email, email_key, password_hash, credential_version, is_active, created_at
         from users
         where id > ?1 and (?2 is null or instr(email_key, ?2) > 0)
           and (?3 is null or instr(username_key, ?3) > 0)
         order by id limit ?4",
        after,
        filter.email,
        name,
        limit
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    Ok(rows.into_iter().map(UserRow::read).collect())
}
