//! Emptying the -wal, so that what was deleted is in no file any more.
//!
//! `secure_delete` overwrites what is deleted, but in the pages of the -wal: until they are written back, the database's
//! own file has the text, and the -wal keeps older versions of a page until it begins anew. The worker's purge ends with
//! this once a minute, so that deleted text leaves the files soon after.

use std::time::Duration;

use domain::store::StoreError;
use sqlx::{ConnectOptions, Connection};

use crate::Options;
use crate::connect::connect_options;
use crate::error::store_error;

/// How long the checkpoint may block writers while it waits for readers of the -wal. If readers take longer, the next
/// purge tries again.
const TIMEOUT: Duration = Duration::from_millis(200);

/// Writes the -wal back and truncates it. Returns false if a reader or writer used it for longer than [`TIMEOUT`].
pub(crate) async fn empty_wal(options: &Options) -> Result<bool, StoreError> {
    let mut connection = connect_options(&options.path, TIMEOUT)
        .connect()
        .await
        .map_err(store_error)?;
    // First without blocking writers, so that little is left to do under the lock.
    for statement in [
        "pragma wal_checkpoint(passive)",
        "pragma wal_checkpoint(truncate)",
    ] {
        let (busy, _, _): (i64, i64, i64) = sqlx::query_as(statement)
            .fetch_one(&mut connection)
            .await
            .map_err(store_error)?;
        if busy != 0 {
            return Ok(false);
        }
    }
    connection.close().await.map_err(store_error)?;
    Ok(true)
}
