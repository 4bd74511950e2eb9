//! Removing what is over: lapsed registrations, ended sessions, old mails, old records.

use std::sync::Arc;
use std::time::Duration;

use domain::clock::Clock;
use domain::queue::{JobQueue, Keep};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often to look.
const EVERY: Duration = Duration::from_mins(1);

/// The pause between two small transactions, in which others get the lock.
const PAUSE: Duration = Duration::from_millis(50);

/// Sweeps until it is dropped. Several workers may do so at once.
pub async fn run(queue: Arc<dyn JobQueue>, clock: Arc<dyn Clock>, keep: Keep) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut total = 0;
        loop {
            match queue.sweep(keep, clock.now()).await {
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
