//! Users brought over from another database: written here a few hundred at a time.

use std::collections::HashMap;
use std::fmt::Write;

use async_trait::async_trait;
use domain::accounts::import::{Basis, ImportedUser, Imports};
use domain::id::UserId;
use domain::store::StoreError;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use crate::error::{conflict_or, store_error};
use crate::executor::{ConnectionGuard, Executor, micros};
use crate::registrations;

#[async_trait]
impl<C: ConnectionGuard> Imports for Executor<C> {
    async fn import_users(
        &mut self,
        users: &[ImportedUser],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let at = micros(now);
        let rows = users.iter().map(user_json).collect::<Value>().to_string();
        let sessions = users.iter().filter_map(session_json);
        let sessions = sessions.collect::<Value>().to_string();
        sqlx::query!(
            "insert into users
                 (id, username, username_key, email, email_key, password_hash, is_active, created_at)
             select value ->> 'id', value ->> 'username', value ->> 'username_key', value ->> 'email',
                    value ->> 'email_key', value ->> 'password', value ->> 'active', value ->> 'created'
             from json_each(?)",
            rows
        )
        .execute(&mut *self.0)
        .await
        .map_err(|error| {
            let rules = [
                ("users.id", "id"),
                ("users.username_key", "username"),
                ("users.email_key", "email"),
            ];
            conflict_or(error, &rules)
        })?;
        sqlx::query!(
            "insert into sessions
                 (id, user_id, token_hash, created_at, last_used_at, expires_at, client, user_agent)
             select value ->> 'id', value ->> 'user', unhex(value ->> 'token'), value ->> 'created', ?1,
                    value ->> 'expires', '', value ->> 'user_agent'
             from json_each(?2)",
            at,
            sessions
        )
        .execute(&mut *self.0)
        .await
        .map_err(|error| conflict_or(error, &[("sessions.token_hash", "token")]))?;
        // Pending registrations of a new user's address have lost it, as after a verification.
        let emails = users.iter().map(|one| one.user.email_key.as_str());
        let emails = emails.collect::<Value>().to_string();
        registrations::close(&mut self.0, &emails, None, now).await
    }

    async fn note_imported(
        &mut self,
        users: &[UserId],
        verified: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (ids, now) = (json!(users).to_string(), micros(now));
        // `where true`: without it the parser takes `on` for the beginning of a join.
        sqlx::query!(
            "insert into imported_users (id, verified, imported_at)
             select value, ?1, ?2 from json_each(?3) where true
             on conflict (id) do update
                 set verified = excluded.verified, imported_at = excluded.imported_at",
            verified,
            now,
            ids
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn reserve_numbers(&mut self, up_to: UserId) -> Result<(), StoreError> {
        let raised = sqlx::query!(
            "update sqlite_sequence set seq = max(seq, ?) where name = 'users'",
            up_to.0
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        if raised.rows_affected() == 0 {
            sqlx::query!(
                "insert into sqlite_sequence (name, seq) values ('users', ?)",
                up_to.0
            )
            .execute(&mut *self.0)
            .await
            .map_err(store_error)?;
        }
        Ok(())
    }
}

fn user_json(imported: &ImportedUser) -> Value {
    let user = &imported.user;
    json!({
        "id": imported.id,
        "username": user.username,
        "username_key": user.username_key.as_str(),
        "email": user.email,
        "email_key": user.email_key.as_str(),
        "password": user.password.as_str(),
        "active": u8::from(imported.active),
        "created": micros(user.now),
    })
}

fn session_json(imported: &ImportedUser) -> Option<Value> {
    let session = imported.session.as_ref()?;
    Some(json!({
        "id": session.id,
        "user": imported.id,
        "token": hex(session.token.as_bytes()),
        "created": micros(session.created),
        "expires": micros(session.expires),
        "user_agent": session.user_agent,
    }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What an import has to get along with.
pub(crate) async fn basis(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Basis, StoreError> {
    let now = micros(now);
    let users = sqlx::query!("select id, username_key, email_key from users")
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
    let attempts = sqlx::query!(
        "select username_key, email_key from registrations where ended_at is null and expires_at > ?",
        now
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(store_error)?;
    let imported = sqlx::query!("select id, verified from imported_users")
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    Ok(Basis {
        users: users
            .into_iter()
            .map(|row| {
                (
                    UserId(row.id),
                    row.username_key.into(),
                    row.email_key.into(),
                )
            })
            .collect(),
        registrations: attempts
            .into_iter()
            .map(|row| (row.username_key.into(), row.email_key.into()))
            .collect(),
        imported: imported
            .into_iter()
            .map(|row| (UserId(row.id), row.verified == 1))
            .collect::<HashMap<_, _>>(),
    })
}
