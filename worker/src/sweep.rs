//! Removing what is over: lapsed registrations, ended sessions, old mails, old records.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use domain::queue::{Purge, Retention};
use domain::store::{Store, StoreError};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often to look.
const EVERY: Duration = Duration::from_mins(1);

/// The pause between two small transactions, in which others get the lock.
const PAUSE: Duration = Duration::from_millis(50);

/// Sweeps until it is dropped. Several workers may do so at once.
pub async fn run(store: Store, clock: Arc<dyn Clock>, retention: Retention) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut total = 0;
        loop {
            match some(&store, retention, clock.now()).await {
                Ok(0) => break,
                Ok(removed) => total += removed,
                Err(error) => {
                    tracing::warn!(%error, "the sweep was put off");
                    break;
                }
            }
            sleep(PAUSE).await;
        }
        if total > 0 {
            tracing::info!(rows = total, "what was over has been removed");
        }
    }
}

/// Removes some rows, and returns how many. When there are none left, what was deleted leaves the database's files.
async fn some(store: &Store, retention: Retention, now: Timestamp) -> Result<u64, StoreError> {
    let removed = store.write(Purge { retention, now }).await?;
    if removed == 0 {
        store.erase_deleted().await?;
    }
    Ok(removed)
}
