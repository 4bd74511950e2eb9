//! The statements of the mail queue, on apalis's tables.
//!
//! apalis brings the tables, their indexes and the statement that adds a job. The other statements are our own, since the
//! stock ones lose wake-ups, retry at once and let two workers run one job. Each is set-wise: one statement for a
//! group, over `json_each` or `jsonb_each` (which spares reading each element's text again for each of its fields).
//! What they decide by comes from the use cases in [`domain::queue`].

mod change;
mod claim;
mod claimed;
mod due_jobs;
mod fence;
mod hold;
mod maintain;
mod rows;
mod settle;
mod watch;

use domain::otp::KeyId;
use domain::queue::{JobId, Keys};
use domain::store::StoreError;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::error::{store_error, unreadable};
use crate::executor::micros;

pub(crate) use hold::release_held;
pub(crate) use watch::WalWatch;

/// The queue's name: apalis's `job_type`.
pub const QUEUE: &str = "mail";

/// The last second of the year 9999. A job put there is kept back on purpose: it waits for no time.
const OUT_OF_REACH: i64 = 253_402_300_799;

/// What the `Workers` table says of where a worker's jobs are kept.
const STORAGE: &str = "smart-notes";

/// A list as the statements read it.
pub(crate) fn json<T: Serialize + ?Sized>(list: &T) -> Result<String, StoreError> {
    serde_json::to_string(list).map_err(unreadable)
}

/// Ids of jobs from a list in JSON.
fn job_ids(list: &str) -> Result<Vec<JobId>, StoreError> {
    serde_json::from_str(list).map_err(unreadable)
}

/// The keys as the statements read them; null stands for all.
fn key_list(keys: &Keys) -> Result<Option<String>, StoreError> {
    let Keys::Only(keys) = keys else {
        return Ok(None);
    };
    let keys: Vec<&str> = keys.iter().map(KeyId::as_str).collect();
    json(&keys).map(Some)
}

/// A time for another attempt, in seconds since 1970-01-01 UTC. apalis's `run_at` knows only whole ones:
/// rounded up, never before its time. Our rows get the same, so that no one is told an earlier one.
fn whole_second(time: Timestamp) -> i64 {
    -(-micros(time)).div_euclid(1_000_000)
}

/// Jobs refer to their worker's row, so it is there before the first claim, and again if another worker removed it.
pub(crate) async fn sign_of_life(
    connection: &mut SqliteConnection,
    worker: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let now = now.as_second();
    sqlx::query!(
        "insert into Workers (id, worker_type, storage_name, layers, last_seen, started_at)
         values (?1, ?2, ?3, '', ?4, ?4)
         on conflict (id) do update set last_seen = excluded.last_seen",
        worker,
        QUEUE,
        STORAGE,
        now
    )
    .execute(connection)
    .await
    .map_err(store_error)?;
    Ok(())
}
