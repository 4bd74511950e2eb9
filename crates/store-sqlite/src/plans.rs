//! Who has premium, and how much of a plan is used.

use async_trait::async_trait;
use domain::id::UserId;
use domain::plans::{Grant, Plan, PlanUsage, Plans, Source};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::error::{store_error, unreadable};
use crate::executor::{ConnectionGuard, Executor, micros, time};

#[async_trait]
impl<C: ConnectionGuard> Plans for Executor<C> {
    async fn grant_premium(
        &mut self,
        user: UserId,
        source: Source,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (source, until, now) = (source.as_str(), until.map(micros), micros(now));
        let granted = sqlx::query!(
            "insert into plan_grants (user_id, source, until_at, granted_at) values (?, ?, ?, ?)
             on conflict (user_id, source) do update
             set until_at = excluded.until_at, granted_at = excluded.granted_at
             where until_at is not excluded.until_at",
            user.0,
            source,
            until,
            now
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(granted.rows_affected() == 1)
    }

    async fn withdraw_premium(&mut self, user: UserId, source: Source) -> Result<bool, StoreError> {
        let source = source.as_str();
        let withdrawn = sqlx::query!(
            "delete from plan_grants where user_id = ? and source = ?",
            user.0,
            source
        )
        .execute(&mut *self.0)
        .await
        .map_err(store_error)?;
        Ok(withdrawn.rows_affected() == 1)
    }
}

/// The plan of a user and what is used of it, in one statement.
pub(crate) async fn standing(
    connection: &mut SqliteConnection,
    user: UserId,
    now: Timestamp,
) -> Result<PlanUsage, StoreError> {
    let now = micros(now);
    // An aggregate of no rows is one row.
    let row = sqlx::query!(
        r#"select coalesce(max(note_books.live), 0) as "used!: i64", coalesce(max(note_books.bytes), 0) as "bytes!: i64",
                  count(plan_grants.source) as "grants!: i64",
                  count(plan_grants.until_at) as "ends!: i64", max(plan_grants.until_at) as "last_end?: i64"
           from note_books left join plan_grants
             on plan_grants.user_id = note_books.user_id
                and (plan_grants.until_at is null or plan_grants.until_at > ?2)
           where note_books.user_id = ?1"#,
        user.0,
        now
    )
    .fetch_one(connection)
    .await
    .map_err(store_error)?;
    let endless = row.grants > row.ends;
    Ok(PlanUsage {
        plan: if row.grants > 0 {
            Plan::Premium
        } else {
            Plan::Free
        },
        premium_until: row.last_end.filter(|_| !endless).map(time),
        used: u64::try_from(row.used).unwrap_or_default(),
        bytes: u64::try_from(row.bytes).unwrap_or_default(),
    })
}

/// Who granted premium to a user.
pub(crate) async fn grants(
    connection: &mut SqliteConnection,
    user: UserId,
) -> Result<Vec<Grant>, StoreError> {
    let rows = sqlx::query!(
        "select source, until_at, granted_at from plan_grants where user_id = ? order by source",
        user.0
    )
    .fetch_all(connection)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            Ok(Grant {
                source: row.source.parse().map_err(unreadable)?,
                until: row.until_at.map(time),
                granted: time(row.granted_at),
            })
        })
        .collect()
}
