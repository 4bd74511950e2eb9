//! How many bytes of requests' bodies are held in memory at once, in all and for each client.
//!
//! Counted as they arrive: who announces much and sends little holds little. Where a part is spent, a body waits until
//! others are done, or its own time is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::client::ClientKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// As many clients may hold their whole share at once.
const SHARES: usize = 4;

/// Bytes that bodies may take, in all and for each client.
pub struct Budget {
    all: Arc<Semaphore>,
    share: usize,
    /// Of the clients that hold some.
    shares: Mutex<HashMap<ClientKey, Arc<Semaphore>>>,
}

impl Budget {
    /// A budget of four shares of so many bytes each.
    #[must_use]
    pub fn new(share: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(SHARES * share)),
            share,
            shares: Mutex::default(),
        })
    }

    /// A body of a client, of which nothing is held yet.
    #[must_use]
    pub fn body_of(self: &Arc<Self>, client: &ClientKey) -> Held {
        let mut shares = self.shares();
        let share = shares
            .entry(client.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(self.share)));
        Held {
            share: Arc::clone(share),
            client: client.clone(),
            budget: Arc::clone(self),
            permits: None,
        }
    }

    fn shares(&self) -> MutexGuard<'_, HashMap<ClientKey, Arc<Semaphore>>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a body holds; given back when this is dropped.
pub struct Held {
    budget: Arc<Budget>,
    client: ClientKey,
    share: Arc<Semaphore>,
    permits: Option<[OwnedSemaphorePermit; 2]>,
}

impl Held {
    /// Holds so many bytes more, as soon as there is room for them.
    pub async fn grow(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let own = Arc::clone(&self.share).acquire_many_owned(bytes);
        let Ok(own) = own.await else { return };
        let all = Arc::clone(&self.budget.all).acquire_many_owned(bytes);
        let Ok(all) = all.await else { return };
        match &mut self.permits {
            None => self.permits = Some([own, all]),
            Some([of_client, of_all]) => {
                of_client.merge(own);
                of_all.merge(all);
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.permits = None;
        let mut shares = self.budget.shares();
        // The map's own and this one.
        if Arc::strong_count(&self.share) == 2 {
            shares.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const SHARE: usize = 1000;

    fn client(n: u8) -> ClientKey {
        ClientKey::of([192, 0, 2, n].into())
    }

    /// Whether there was room for as much.
    fn grows(held: &mut Held, bytes: usize) -> bool {
        held.grow(bytes).now_or_never().is_some()
    }

    #[test]
    fn one_client_holds_its_share_at_most_and_all_together_four() {
        let budget = Budget::new(SHARE);
        let mut held: Vec<_> = (0..5).map(|n| budget.body_of(&client(n))).collect();

        assert!(!grows(&mut held[0], SHARE + 1));
        for held in &mut held[..SHARES] {
            assert!(grows(held, SHARE));
            assert!(!grows(held, 1));
        }
        assert!(!grows(&mut held[4], 1));
        held.remove(0);
        assert!(grows(&mut held[3], SHARE));
    }

    #[test]
    fn clients_that_hold_nothing_are_forgotten() {
        let budget = Budget::new(SHARE);
        let mut bodies = [(); 2].map(|()| budget.body_of(&client(1)));
        assert!(bodies.iter_mut().all(|body| grows(body, 1)));

        let [one, other] = bodies;
        drop(one);
        assert_eq!(budget.shares().len(), 1);
        drop(other);

        assert!(budget.shares().is_empty());
        assert_eq!(budget.all.available_permits(), SHARES * SHARE);
    }
}
