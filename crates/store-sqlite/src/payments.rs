//! The rows of payment services' events.

use async_trait::async_trait;
use domain::id::UserId;
use domain::payments::{Event, Fact, Payments, Says};
use domain::plans::Source;
use domain::store::StoreError;
use jiff::Timestamp;

use crate::access::{Access, Connected, micros, time};
use crate::error::store_error;

#[async_trait]
impl<C: Connected> Payments for Access<C> {
    async fn keep_event(
        &mut self,
        event: &Event,
        did: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let source = event.source.as_str();
        let (made, now) = (event.made.map(micros), micros(now));
        let (says, until) = (event.says.as_str(), event.says.until().map(micros));
        let user = event.user.map(|user| user.0);
        let kept = sqlx::query!(
            "insert into payment_events
                 (source, id, type, received_at, made_at, user_id, customer, subscription, says, until_at, did, body)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             on conflict (source, id) do nothing",
            source,
            event.id,
            event.kind,
            now,
            made,
            user,
            event.customer,
            event.subscription,
            says,
            until,
            did,
            event.body
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(kept.rows_affected() == 1)
    }

    async fn settle_owners(
        &mut self,
        source: Source,
        customer: Option<&str>,
        subscription: Option<&str>,
    ) -> Result<Vec<UserId>, StoreError> {
        let source = source.as_str();
        let mut touched = self.owners(source, customer, subscription).await?;
        // Two lists instead of an `or`, so that each is read by its index. Nobody loses an event by this but to
        // another owner: those that name their user themselves, or whose owner is not known, stay as they are.
        sqlx::query!(
            "with mine (id) as (
                 select id from payment_events where source = ?1 and customer = ?2 and says <> 'owner'
                 union
                 select id from payment_events where source = ?1 and subscription = ?3 and says <> 'owner'
             ), owned (id, user_id) as (
                 select event.id, coalesce(
                     (select owner.user_id from payment_events as owner
                      where owner.source = ?1 and owner.subscription = event.subscription and owner.says = 'owner'
                      order by owner.made_at desc, owner.id desc limit 1),
                     (select owner.user_id from payment_events as owner
                      where owner.source = ?1 and owner.customer = event.customer and owner.says = 'owner'
                      order by owner.made_at desc, owner.id desc limit 1))
                 from mine join payment_events as event on event.source = ?1 and event.id = mine.id
             )
             update payment_events set user_id = owned.user_id from owned
             where payment_events.source = ?1 and payment_events.id = owned.id
               and owned.user_id is not null and payment_events.user_id is not owned.user_id",
            source,
            customer,
            subscription
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        touched.extend(self.owners(source, customer, subscription).await?);
        touched.sort_unstable();
        touched.dedup();
        Ok(touched)
    }

    async fn facts(&mut self, source: Source, user: UserId) -> Result<Vec<Fact>, StoreError> {
        let source = source.as_str();
        let rows = sqlx::query!(
            "select id, made_at, subscription, says, until_at from payment_events
             where user_id = ? and source = ? and says in ('paid', 'lapsed', 'ended')",
            user.0,
            source
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        let facts = rows.into_iter().map(|row| {
            let until = row.until_at.map(time);
            let says = match (row.says.as_str(), until) {
                ("paid", Some(until)) => Says::Paid(until),
                ("ended", _) => Says::Ended,
                _ => Says::Lapsed(until),
            };
            Fact {
                id: row.id,
                made: row.made_at.map(time),
                subscription: row.subscription,
                says,
            }
        });
        Ok(facts.collect())
    }

    async fn note_outcome(
        &mut self,
        source: Source,
        id: &str,
        did: &str,
    ) -> Result<(), StoreError> {
        let source = source.as_str();
        sqlx::query!(
            "update payment_events set did = ? where source = ? and id = ?",
            did,
            source,
            id
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
    }
}

impl<C: Connected> Access<C> {
    /// Who has an event of a customer or a subscription.
    async fn owners(
        &mut self,
        source: &str,
        customer: Option<&str>,
        subscription: Option<&str>,
    ) -> Result<Vec<UserId>, StoreError> {
        let owners = sqlx::query_scalar!(
            r#"select user_id as "user_id!" from payment_events
               where source = ?1 and customer = ?2 and user_id is not null
               union
               select user_id from payment_events
               where source = ?1 and subscription = ?3 and user_id is not null"#,
            source,
            customer,
            subscription
        )
        .fetch_all(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(owners.into_iter().map(UserId).collect())
    }
}
