//! How workers stand with their relays: written by each for itself, read by everybody.

use async_trait::async_trait;
use domain::relay::{PostedStanding, RelayStanding};
use domain::store::StoreError;
use jiff::Timestamp;
use sqlx::{SqliteConnection, SqlitePool};

use super::QueueWrite;
use crate::access::{micros, time};
use crate::error::{store_error, unreadable};

pub(super) struct Post {
    pub(super) worker: String,
    pub(super) standings: Vec<RelayStanding>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl QueueWrite for Post {
    type Out = ();

    async fn apply(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let now = micros(self.now);
        for (position, standing) in (0_i64..).zip(&self.standings) {
            let state = standing.state.as_str();
            let since = micros(standing.since);
            let next_probe_at = standing.next_probe_at.map(micros);
            sqlx::query!(
                "insert or replace into relay_standings
                     (worker, position, relay, state, since, reason, next_probe_at, updated_at)
                 values (?, ?, ?, ?, ?, ?, ?, ?)",
                self.worker,
                position,
                standing.relay,
                state,
                since,
                standing.reason,
                next_probe_at,
                now
            )
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
        }
        Ok(())
    }
}

/// Removes what workers that are gone have posted.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    workers: &[String],
) -> Result<(), StoreError> {
    let workers = serde_json::to_string(workers).map_err(unreadable)?;
    sqlx::query!(
        "delete from relay_standings where worker in (select value from json_each(?))",
        workers
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}

pub(super) async fn posted(readers: &SqlitePool) -> Result<Vec<PostedStanding>, StoreError> {
    let rows = sqlx::query!(
        "select worker, position, relay, state, since, reason, next_probe_at, updated_at
         from relay_standings order by worker, position"
    )
    .fetch_all(readers)
    .await
    .map_err(store_error)?;
    rows.into_iter()
        .map(|row| {
            Ok(PostedStanding {
                worker: row.worker,
                position: u32::try_from(row.position).map_err(unreadable)?,
                standing: RelayStanding {
                    relay: row.relay,
                    state: row.state.parse().map_err(unreadable)?,
                    since: time(row.since),
                    reason: row.reason,
                    next_probe_at: row.next_probe_at.map(time),
                },
                updated: time(row.updated_at),
            })
        })
        .collect()
}
