//! Posting how this worker stands with its relays, for commands and metrics of other processes.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use domain::processes::PostRelays;
use domain::store::Store;
use tokio::time::{sleep, timeout};

use crate::smtp::Relays;

/// What was posted is posted again after this long without a change: others may have taken this worker for
/// dead meanwhile and struck it off.
const AGAIN: Duration = Duration::from_secs(30);

/// After the database refused.
const RETRY: Duration = Duration::from_secs(1);

/// Posts at once and at every change, until it is dropped.
pub async fn run(store: Store, relays: Relays, worker: String, clock: Arc<dyn Clock>) {
    let mut changes = relays.changes();
    loop {
        changes.mark_unchanged();
        let post = PostRelays {
            worker: worker.clone(),
            standings: relays.standings(),
            now: clock.now(),
        };
        if let Err(error) = store.write(post).await {
            tracing::warn!(%error, "the relays' state could not be posted");
            sleep(RETRY).await;
            continue;
        }
        let _ = timeout(AGAIN, changes.changed()).await;
    }
}
