//! Emptying the -wal, so that what was deleted is in no file any more.
//!
//! `secure_delete` overwrites what is deleted, but in the pages of the -wal: until they are written back, the database's
//! own file has the text, and the -wal keeps older versions of a page until it begins anew. The worker's sweep ends with
//! this, so that nothing deleted outlives its next round (one a minute) by more than a busy moment.

use std::time::Duration;

use domain::store::StoreError;
use sqlx::{ConnectOptions, Connection};

use crate::Options;
use crate::connect::connect_options;
use crate::error::store_error;

/// How long writers may be kept waiting for readers that still look into the -wal. Longer ones put it off until the next
/// round.
const PATIENCE: Duration = Duration::from_millis(200);

/// Writes the -wal back and cuts it to nothing. Says whether that was done: not while a reader or writer is at it for
/// longer than a moment.
pub(crate) async fn empty_wal(options: &Options) -> Result<bool, StoreError> {
    let mut connection = connect_options(&options.path, PATIENCE)
        .connect()
        .await
        .map_err(store_error)?;
    // First without keeping anybody waiting, so that little is left to do under the lock.
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
