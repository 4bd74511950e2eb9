//! The counts of limits, and the audit log of security events.

use async_trait::async_trait;
use domain::audit::Entry;
use domain::client::ClientKey;
use domain::email::EmailKey;
use domain::id::UserId;
use domain::store::{Records, StoreError};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::error::store_error;
use crate::executor::{ConnectionGuard, Executor, micros};

#[async_trait]
impl<C: ConnectionGuard> Records for Executor<C> {
    async fn hit(&mut self, key: &str, now: Timestamp) -> Result<(), StoreError> {
        hit(&mut self.0, key, false, now).await
    }

    async fn hit_in_flight(&mut self, key: &str, now: Timestamp) -> Result<(), StoreError> {
        hit(&mut self.0, key, true, now).await
    }

    async fn settle_hit(&mut self, key: &str, at: Timestamp) -> Result<(), StoreError> {
        let at = micros(at);
        sqlx::query!(
            "update limit_hits set in_flight = 0 where key = ?1 and at = ?2
               and n = (select max(n) from limit_hits where key = ?1 and at = ?2 and in_flight = 1)",
            key,
            at
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn forget_hit(&mut self, key: &str, at: Timestamp) -> Result<(), StoreError> {
        let at = micros(at);
        sqlx::query!(
            "delete from limit_hits where key = ?1 and at = ?2
               and n = (select n from limit_hits where key = ?1 and at = ?2
                        order by in_flight desc, n desc limit 1)",
            key,
            at
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn forget_hits(&mut self, key: &str, since: Timestamp) -> Result<(), StoreError> {
        let since = micros(since);
        sqlx::query!(
            "delete from limit_hits where key = ? and (in_flight = 0 or at <= ?)",
            key,
            since
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn lengthen_run(&mut self, key: &str, now: Timestamp) -> Result<(), StoreError> {
        let now = micros(now);
        sqlx::query!(
            "insert into guess_runs (key, length, at) values (?, 1, ?)
             on conflict (key) do update set length = length + 1, at = excluded.at",
            key,
            now
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn run_length(&mut self, key: &str) -> Result<u32, StoreError> {
        let length = sqlx::query_scalar!("select length from guess_runs where key = ?", key)
            .fetch_optional(&mut *self.0)
            .await
            .map_err(store_error)?;
        Ok(u32::try_from(length.unwrap_or(0)).unwrap_or(u32::MAX))
    }

    async fn end_run(&mut self, key: &str) -> Result<(), StoreError> {
        sqlx::query!("delete from guess_runs where key = ?", key)
            .execute(&mut *self.0)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn know_client(
        &mut self,
        user: UserId,
        client: &ClientKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (client, now) = (client.as_str(), micros(now));
        sqlx::query!(
            "insert into known_clients (user_id, client, seen_at) values (?, ?, ?)
             on conflict (user_id, client) do update set seen_at = excluded.seen_at",
            user.0,
            client,
            now
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn knows_client(&mut self, user: UserId, client: &ClientKey) -> Result<bool, StoreError> {
        let client = client.as_str();
        sqlx::query_scalar!(
            r#"select exists (select 1 from known_clients where user_id = ? and client = ?) as "known!: bool""#,
            user.0,
            client
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(store_error)
    }

    async fn record(&mut self, entry: &Entry<'_>) -> Result<(), StoreError> {
        let now = micros(entry.now);
        let event = entry.event.as_str();
        let user = entry.user.map(|user| user.0);
        let address = entry.email.map(EmailKey::as_str);
        let client = entry.actor.client.as_str();
        sqlx::query!(
            "insert into audit (at, event, user_id, address, request_id, client, user_agent, detail)
             values (?, ?, ?, ?, ?, ?, ?, ?)",
            now,
            event,
            user,
            address,
            entry.actor.request_id,
            client,
            entry.actor.user_agent,
            entry.detail
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }

    async fn addresses_of(&mut self, user: UserId) -> Result<Vec<EmailKey>, StoreError> {
        let addresses = sqlx::query_scalar!(
            r#"select distinct address as "address!" from audit
               where user_id = ? and address is not null"#,
            user.0
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(addresses.into_iter().map(Into::into).collect())
    }

    async fn forget_records(
        &mut self,
        user: UserId,
        email: &EmailKey,
        forget_as: &str,
    ) -> Result<(), StoreError> {
        let email = email.as_str();
        sqlx::query!(
            "update audit set address = ?1, client = null, user_agent = null
             where user_id = ?2 or address = ?3",
            forget_as,
            user.0,
            email
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }
}

/// Counts something under a key.
async fn hit(
    connection: &mut SqliteConnection,
    key: &str,
    in_flight: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = micros(now);
    sqlx::query!(
        "insert into limit_hits (key, at, n, in_flight)
         select ?1, ?2, coalesce(max(n) + 1, 0), ?3 from limit_hits where key = ?1 and at = ?2",
        key,
        now,
        in_flight
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
