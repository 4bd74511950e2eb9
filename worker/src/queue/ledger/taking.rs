//! Having a turn taken by the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::queue::{Turn, TurnReport};
use domain::store::StoreError;
use runtime::shutdown::Reason;
use tokio::time::sleep;

use super::Ledger;

/// How long to wait after a turn that the database refused: doubled each time, up to the second.
pub(super) const RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// How long a worker that must end goes on trying to settle what it has.
const LAST_TRIES: Duration = Duration::from_secs(5);

impl Ledger {
    /// Takes a turn, again and again if need be: what it holds must not get lost. Gives up only when
    /// the worker must end; then others take the mails back when its lease is over.
    pub(super) async fn take(&self, turn: Turn) -> Result<TurnReport, StoreError> {
        let turn = Arc::new(turn);
        let mut pause = RETRY;
        let mut last_tries = None;
        loop {
            let now = self.clock.now();
            let error = match self
                .queue
                .turn(&self.claimant.worker, Arc::clone(&turn), now)
                .await
            {
                Ok(report) => return Ok(report),
                Err(error) => error,
            };
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                settlements = turn.settlements.len(),
                marks = turn.marks.len(),
                "the queue refused a turn; it is taken again"
            );
            if matches!(self.shutdown.reason(), Some(Reason::Fatal(_))) {
                return Err(error);
            }
            if self.abandon.is_cancelled() {
                let until = *last_tries.get_or_insert_with(|| Instant::now() + LAST_TRIES);
                if Instant::now() > until {
                    return Err(error);
                }
            }
            // It goes round: starting anew would mend no database.
            self.pulse.beat();
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_RETRY);
        }
    }
}
