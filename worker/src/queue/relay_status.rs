//! Posting the state of this worker's relays, for commands and metrics of other processes.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use domain::processes::PostRelays;
use domain::store::Store;
use tokio::time::{sleep, timeout};

use crate::smtp::Relays;

/// After this long without a change the state is posted again: other workers may have taken this one for dead and
/// removed its rows.
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
            statuses: relays.statuses(),
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
