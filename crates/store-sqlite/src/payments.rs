//! The rows of payment services' events.

use async_trait::async_trait;
use domain::id::UserId;
use domain::payments::{
    Event, Fact, Item, Kept, Link, PaymentPosition, PaymentRecord, Payments, Says,
};
use domain::plans::Source;
use domain::store::StoreError;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

use crate::error::{store_error, unreadable};
use crate::executor::{ConnectionGuard, Executor, micros, time};

#[async_trait]
impl<C: ConnectionGuard> Payments for Executor<C> {
    async fn keep_event(
        &mut self,
        event: &Event,
        user: Option<UserId>,
        did: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (source, fact) = (event.source.as_str(), &event.fact);
        let (made, now) = (fact.made.map(micros), micros(now));
        let (says, until) = (fact.says.as_str(), fact.says.until().map(micros));
        let (began, sold) = (fact.began.map(micros), json(&fact.sold)?);
        let user = user.map(|user| user.0);
        let kept = sqlx::query!(
            "insert into payment_events
                 (source, id, type, received_at, made_at, user_id, customer, subscription, says, began_at, until_at,
                  sold, once, did, body)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             on conflict (source, id) do nothing",
            source,
            fact.id,
            event.kind,
            now,
            made,
            user,
            fact.customer,
            fact.transaction,
            says,
            began,
            until,
            sold,
            fact.once,
            did,
            event.body
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        let is_new = kept.rows_affected() == 1;
        if is_new {
            for (role, names) in [("is", &fact.names), ("from", &fact.from)] {
                keep_names(&mut self.0, source, &fact.id, role, names).await?;
            }
        }
        Ok(is_new)
    }

    async fn linked_events(
        &mut self,
        source: Source,
        link: &Link,
    ) -> Result<Vec<Kept>, StoreError> {
        let source = source.as_str();
        let ids = match link {
            Link::Name(name) => {
                sqlx::query_scalar!(
                    "select event_id from payment_event_names where source = ? and name = ?",
                    source,
                    name
                )
                .fetch_all(&mut *self.0)
                .await
            }
            Link::Customer(customer) => {
                sqlx::query_scalar!(
                    "select id from payment_events where source = ? and customer = ?",
                    source,
                    customer
                )
                .fetch_all(&mut *self.0)
                .await
            }
            Link::Transaction(transaction) => {
                sqlx::query_scalar!(
                    "select id from payment_events where source = ? and subscription = ?",
                    source,
                    transaction
                )
                .fetch_all(&mut *self.0)
                .await
            }
        };
        events(&mut self.0, source, &ids.map_err(store_error)?).await
    }

    async fn assign_event(
        &mut self,
        source: Source,
        id: &str,
        user: Option<UserId>,
        owner: Option<UserId>,
    ) -> Result<(), StoreError> {
        let source = source.as_str();
        let (user, owner) = (user.map(|user| user.0), owner.map(|owner| owner.0));
        sqlx::query!(
            "update payment_events set user_id = ?, owner_id = ? where source = ? and id = ?",
            user,
            owner,
            source,
            id
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(())
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

/// Keeps the names of an event's customer.
async fn keep_names(
    connection: &mut SqliteConnection,
    source: &str,
    event: &str,
    role: &str,
    names: &[String],
) -> Result<(), StoreError> {
    let names = json(&names)?;
    sqlx::query!(
        "insert or ignore into payment_event_names (source, event_id, role, position, name)
         select ?1, ?2, ?3, key, value from json_each(?4)",
        source,
        event,
        role,
        names
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

/// What some events of a service say.
async fn events(
    connection: &mut SqliteConnection,
    source: &str,
    ids: &[String],
) -> Result<Vec<Kept>, StoreError> {
    let ids = json(&ids)?;
    let rows = sqlx::query!(
        r#"select event.rowid as "row!: i64", event.id, made_at, user_id, owner_id, customer, subscription, says, began_at, until_at, sold,
                  once as "once: bool",
                  (select json_group_array(name order by position, name) from payment_event_names as of
                   where of.source = ?1 and of.event_id = event.id and of.role = 'is') as "names!: String",
                  (select json_group_array(name order by position, name) from payment_event_names as of
                   where of.source = ?1 and of.event_id = event.id and of.role = 'from') as "from_names!: String"
           from json_each(?2) as wanted
           cross join payment_events as event on event.source = ?1 and event.id = wanted.value"#,
        source,
        ids
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            Ok(Kept {
                fact: Fact {
                    id: row.id,
                    made: row.made_at.map(time),
                    arrival: row.row,
                    names: read(&row.names)?,
                    from: read(&row.from_names)?,
                    customer: row.customer,
                    transaction: row.subscription,
                    says: Says::stored(&row.says, row.until_at.map(time)),
                    sold: read::<Vec<Item>>(&row.sold)?,
                    once: row.once,
                    began: row.began_at.map(time),
                },
                user: row.user_id.map(UserId),
                owner: row.owner_id.map(UserId),
            })
        })
        .collect()
}

/// The events of a user after a place, in their order.
pub(crate) async fn of_user(
    connection: &mut SqliteConnection,
    user: UserId,
    after: Option<&PaymentPosition>,
    limit: u32,
) -> Result<Vec<PaymentRecord>, StoreError> {
    let (source, row) = after.map_or(("", 0), |place| (place.source.as_str(), place.row));
    let rows = sqlx::query!(
        r#"select source, rowid as "row!: i64", id, type as kind, received_at, made_at, did, body from payment_events
           where user_id = ?1 and (source, rowid) > (?2, ?3) order by source, rowid limit ?4"#,
        user.0,
        source,
        row,
        limit
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    let records = rows.into_iter().map(|row| PaymentRecord {
        place: PaymentPosition {
            source: row.source,
            row: row.row,
        },
        id: row.id,
        kind: row.kind,
        received: time(row.received_at),
        made: row.made_at.map(time),
        did: row.did,
        body: row.body,
    });
    Ok(records.collect())
}

/// A value as it is stored.
fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(unreadable)
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(unreadable)
}
