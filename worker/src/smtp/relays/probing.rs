//! Probing relays that are out of order, so that mails flow again soon after one is back.

use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::super::{Attempt, Relay};
use super::Relays;

/// Probes under way at once, at most. A relay that swallows connections keeps each for seconds, and
/// the next must not wait for it: it would find the relay back only then.
const MOST: usize = 16;

impl Relays {
    /// Probes relays while their breakers are open. Runs until it is dropped.
    pub async fn probe(self) {
        let mut all: JoinSet<()> = self
            .each()
            .map(|(index, relay)| probe_one(self.clone(), index, relay.clone()))
            .collect();
        while all.join_next().await.is_some() {}
    }
}

async fn probe_one(relays: Relays, index: usize, relay: Relay) {
    let mut changes = relays.changes();
    let mut probes: JoinSet<Result<(), Box<Attempt>>> = JoinSet::new();
    loop {
        changes.mark_unchanged();
        let next = relays.next_probe(index);
        if next.is_none() {
            // What is still under way could only say what is known.
            probes.abort_all();
        }
        let room = probes.len() < MOST;
        let due = async {
            match next {
                Some(at) if room => sleep_until(at.into()).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {
                if relays.probe_is_due(index) {
                    let relay = relay.clone();
                    probes.spawn(async move { relay.probe().await });
                }
            }
            Some(Ok(result)) = probes.join_next(), if !probes.is_empty() => relays.probed(index, result),
            _ = changes.changed() => {}
        }
    }
}
