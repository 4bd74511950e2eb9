//! Holding the queue while no relay takes mails: nothing is claimed then, so that an outage costs no mail
//! an attempt, and neither the relay nor the database a storm.

use tokio::sync::watch;

use crate::smtp::Permits;

/// How the dispatcher learns whether mails may be claimed.
pub struct Gate(Option<watch::Receiver<Permits>>);

impl Gate {
    /// A gate that follows [`Relays::changes`](crate::smtp::Relays::changes).
    #[must_use]
    pub fn of(permits: watch::Receiver<Permits>) -> Self {
        Self(Some(permits))
    }

    /// A gate that nothing holds, for handlers that need no relay.
    #[must_use]
    pub fn always_open() -> Self {
        Self(None)
    }

    /// How many mails may be claimed by a worker with `free` slots and `trials` in flight, which were claimed while the
    /// queue was held. Trials that are not yet on their way to a relay go next.
    #[must_use]
    pub fn allows(&self, free: usize, trials: usize) -> usize {
        match self.permits() {
            Permits::All => free,
            Permits::Trials { wanted, under_way } => {
                let next = trials.saturating_sub(under_way);
                free.min(wanted.saturating_sub(next))
            }
        }
    }

    /// Whether slow mails may be claimed: while the queue is held they go beside a trial, where one is wanted.
    #[must_use]
    pub fn allows_slow(&self) -> bool {
        match self.permits() {
            Permits::All => true,
            Permits::Trials { wanted, .. } => wanted > 0,
        }
    }

    /// Whether the queue is held: what is claimed now is a trial.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.permits() != Permits::All
    }

    /// Returns when that may have changed. Safe to cancel.
    pub async fn changed(&mut self) {
        if let Some(permits) = &mut self.0
            && permits.changed().await.is_ok()
        {
            return;
        }
        // The relays are gone: nothing changes any more.
        std::future::pending::<()>().await;
    }

    fn permits(&self) -> Permits {
        self.0
            .as_ref()
            .map_or(Permits::All, |permits| *permits.borrow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_is_held_gives_as_many_mails_as_there_are_relays_to_try() {
        let (sender, receiver) = watch::channel(Permits::All);
        let gate = Gate::of(receiver);
        assert_eq!((gate.allows(32, 0), gate.is_held()), (32, false));

        let trials = |wanted, under_way| {
            sender.send_replace(Permits::Trials { wanted, under_way });
        };
        trials(0, 0);
        assert_eq!((gate.allows(32, 0), gate.is_held()), (0, true));

        trials(1, 0);
        assert_eq!(gate.allows(32, 0), 1);
        assert_eq!(gate.allows(31, 1), 0, "one is about to go already");
        assert_eq!(gate.allows(0, 0), 0, "no slot is free");

        trials(0, 1);
        assert_eq!(gate.allows(31, 1), 0, "one is on its way");

        trials(1, 1);
        assert_eq!(gate.allows(31, 1), 1, "it hangs, and another may go");
        assert_eq!(gate.allows(30, 2), 0, "which is about to");
        assert_eq!(gate.allows(31, 0), 1, "the first was claimed before");
    }

    #[test]
    fn a_gate_without_relays_holds_nothing() {
        assert_eq!(Gate::always_open().allows(7, 7), 7);
    }
}
