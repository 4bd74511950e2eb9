//! Purging rows that are past their retention: lapsed registrations, ended sessions, old mails, old records.

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

/// Purges until it is dropped. Several workers may do so at once.
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
                    tracing::warn!(%error, "the purge was postponed");
                    break;
                }
            }
            sleep(PAUSE).await;
        }
        if total > 0 {
            tracing::info!(rows = total, "expired rows were purged");
        }
    }
}

/// Removes some rows, and returns how many. When none are left, deleted content is erased from the database's files.
async fn some(store: &Store, retention: Retention, now: Timestamp) -> Result<u64, StoreError> {
    let removed = store.write(Purge { retention, now }).await?;
    if removed == 0 {
        store.erase_deleted().await?;
    }
    Ok(removed)
}
