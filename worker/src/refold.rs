//! Folding notes again that were folded by older rules, so that today's searches find them.

use std::time::Duration;

use domain::notes::refold::{self, Refold};
use domain::store::{Store, StoreError};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// How often to look: an older program that runs beside this one may write at any time.
const EVERY: Duration = Duration::from_secs(10);

/// The pause between two small transactions, in which others write.
const PAUSE: Duration = Duration::from_millis(20);

/// Folds notes until it is dropped. Several workers may do so at once.
pub async fn run(store: Store) {
    let mut total = 0;
    loop {
        let pause = match some(&store).await {
            Ok(0) => {
                if total > 0 {
                    tracing::info!(rows = total, "notes have been indexed again for search");
                    total = 0;
                }
                EVERY
            }
            Ok(folded) => {
                total += folded;
                PAUSE
            }
            Err(error) => {
                tracing::warn!(%error, "indexing notes again was put off");
                EVERY
            }
        };
        sleep(pause).await;
    }
}

/// Folds some notes again, if there are any, and returns how many.
async fn some(store: &Store) -> Result<usize, StoreError> {
    let outdated = refold::outdated(store).await?;
    let count = outdated.len();
    if count > 0 {
        let folding = spawn_blocking(move || Refold::new(outdated));
        let refold = folding.await.expect("folding does not panic");
        store.write(refold).await?;
    }
    Ok(count)
}
