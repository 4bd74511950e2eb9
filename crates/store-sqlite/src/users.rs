//! Users' rows and sessions' rows.

use std::time::Duration;

use async_trait::async_trait;
use domain::accounts::{NewSession, NewUser};
use domain::id::UserId;
use domain::store::{Sessions, StoreError, Users};
use jiff::Timestamp;

use crate::access::{Access, Connected, micros};
use crate::error::{conflict_or, store_error};

#[async_trait]
impl<C: Connected> Users for Access<C> {
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

    async fn note_registration_notice(
        &mut self,
        user: UserId,
        now: Timestamp,
        every: Duration,
    ) -> Result<bool, StoreError> {
        let latest = micros(now - every);
        let now = micros(now);
        let noted = sqlx::query!(
            "update users set registration_notice_at = ?1
             where id = ?2 and (registration_notice_at is null or registration_notice_at <= ?3)",
            now,
            user.0,
            latest
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(noted.rows_affected() == 1)
    }
}

#[async_trait]
impl<C: Connected> Sessions for Access<C> {
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
