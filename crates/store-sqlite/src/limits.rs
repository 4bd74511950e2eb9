//! What limits have counted, for use cases that check before they count.

use async_trait::async_trait;
use domain::accounts::LiveRegistration;
use domain::email::EmailKey;
use domain::limits::Hit;
use domain::store::{ReadLimits, StoreError};
use domain::username::NameKey;
use jiff::Timestamp;

use crate::error::store_error;
use crate::executor::{ConnectionGuard, Executor, micros, time};

#[async_trait]
impl<C: ConnectionGuard> ReadLimits for Executor<C> {
    async fn hits(
        &mut self,
        key: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Hit>, StoreError> {
        let (since, until) = (micros(since), micros(until));
        let hits = sqlx::query!(
            "select at, in_flight from limit_hits where key = ? and at > ? and at <= ? order by at, n",
            key,
            since,
            until
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        let hit = |at, in_flight| Hit {
            at: time(at),
            in_flight: in_flight == 1,
        };
        Ok(hits
            .into_iter()
            .map(|row| hit(row.at, row.in_flight))
            .collect())
    }

    async fn name_is_taken(
        &mut self,
        name: &NameKey,
        email: &EmailKey,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, email, now) = (name.as_str(), email.as_str(), micros(now));
        let taken = sqlx::query_scalar!(
            r#"select exists (select 1 from users where username_key = ?1)
                   or exists (
                       select 1 from registrations
                       where username_key = ?1 and email_key <> ?2
                         and ended_at is null and expires_at > ?3
                   ) as "taken!: bool""#,
            name,
            email,
            now
        )
        .fetch_one(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(taken)
    }

    async fn live_registrations(
        &mut self,
        email: &EmailKey,
        now: Timestamp,
    ) -> Result<Vec<LiveRegistration>, StoreError> {
        let (email, now) = (email.as_str(), micros(now));
        let rows = sqlx::query!(
            r#"select iif(max(challenges.used_at) is null, registrations.client, '') as "client!",
                      max(challenges.expires_at) as "ends!: i64"
               from registrations join challenges on challenges.registration_id = registrations.id
               where registrations.email_key = ?1 and registrations.expires_at > ?2
                 and challenges.expires_at > ?2 and challenges.ended_at is null
               group by registrations.id"#,
            email,
            now
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(rows
            .into_iter()
            .map(|row| LiveRegistration {
                client: row.client.into(),
                ends: time(row.ends),
            })
            .collect())
    }
}
