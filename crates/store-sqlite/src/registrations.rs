//! Registrations' rows: attempts that wait for their code.

use async_trait::async_trait;
use domain::accounts::{NewRegistration, PendingRegistration};
use domain::email::EmailKey;
use domain::id::RegistrationId;
use domain::store::{Registrations, StoreError};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::error::{store_error, unreadable};
use crate::executor::{ConnectionGuard, Executor, micros, time};

#[async_trait]
impl<C: ConnectionGuard> Registrations for Executor<C> {
    async fn insert_registration(&mut self, new: &NewRegistration) -> Result<(), StoreError> {
        let attempt = &new.registration;
        let id = attempt.id.to_string();
        let name_key = attempt.username_key.as_str();
        let email_key = new.email_key.as_str();
        let password = attempt.password.as_str();
        let client = attempt.client.as_str();
        let (now, expires) = (micros(new.now), micros(attempt.expires));
        let same = attempt.same_password_as.map(|id| id.to_string());
        sqlx::query!(
            "insert into registrations
                 (id, username, username_key, email, email_key, mailbox, password_hash, decoy, client,
                  created_at, expires_at, same_password_as)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            id,
            attempt.username,
            name_key,
            attempt.email,
            email_key,
            attempt.mailbox,
            password,
            attempt.decoy,
            client,
            now,
            expires,
            same
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn registrations(
        &mut self,
        email: &EmailKey,
        now: Timestamp,
    ) -> Result<Vec<PendingRegistration>, StoreError> {
        let (email, now) = (email.as_str(), micros(now));
        let rows = sqlx::query!(
            "select id, username, username_key, email, mailbox, password_hash, decoy, client, expires_at,
                    same_password_as
             from registrations where email_key = ?1 and (ended_at is null or decoy = 1) and expires_at > ?2
             order by created_at desc, id desc",
            email,
            now
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        rows.into_iter()
            .map(|row| {
                Ok(PendingRegistration {
                    id: row.id.parse().map_err(unreadable)?,
                    username: row.username,
                    username_key: row.username_key.into(),
                    email: row.email,
                    mailbox: row.mailbox,
                    password: row.password_hash.into(),
                    client: row.client.into(),
                    decoy: row.decoy == 1,
                    same_password_as: row
                        .same_password_as
                        .map(|id| id.parse().map_err(unreadable))
                        .transpose()?,
                    expires: time(row.expires_at),
                })
            })
            .collect()
    }

    async fn delete_registrations(&mut self, email: &EmailKey) -> Result<(), StoreError> {
        let email = email.as_str();
        sqlx::query!("delete from registrations where email_key = ?", email)
            .execute(&mut *self.0)
            .await
            .map_err(store_error)?;
        sqlx::query!("delete from challenges where no_account = ?", email)
            .execute(&mut *self.0)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn close_registrations(
        &mut self,
        email: &EmailKey,
        winner: Option<RegistrationId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let emails = serde_json::json!([email.as_str()]).to_string();
        close(&mut self.0, &emails, winner, now).await
    }
}

/// Closes the attempts of addresses, in JSON, that are users' now.
pub(crate) async fn close(
    connection: &mut SqliteConnection,
    emails: &str,
    winner: Option<RegistrationId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (winner, now) = (winner.map(|id| id.to_string()), micros(now));
    sqlx::query!(
        "update challenges set decoy = 1
         where used_at is null and ended_at is null and registration_id in
             (select id from registrations
              where ended_at is null and email_key in (select value from json_each(?)))",
        emails
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "update registrations set ended_at = ?1, password_hash = ''
         where ended_at is null and email_key in (select value from json_each(?2))
           and (client, username_key) = (select client, username_key from registrations where id = ?3)",
        now,
        emails,
        winner
    )
    .execute(&mut *connection)
    .await
    .map_err(store_error)?;
    sqlx::query!(
        "update registrations set ended_at = ?1, decoy = 1
         where ended_at is null and email_key in (select value from json_each(?2))",
        now,
        emails
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
