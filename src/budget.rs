//! How many bytes of requests' bodies are held in memory at once, in all and for each caller.
//!
//! Where a part is spent, a body waits until others are done, or its own time is over. Room that is asked for at once
//! is waited for without holding any: bodies that each hold some and wait for more would keep each other waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::store::Caller;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that bodies may take, in all and for each caller.
pub struct Budget {
    all: Arc<Semaphore>,
    share: usize,
    /// Of the callers that hold some.
    shares: Mutex<HashMap<Caller, Arc<Semaphore>>>,
}

impl Budget {
    /// A budget of so many shares of so many bytes each: as many callers may hold their whole share at once.
    #[must_use]
    pub fn new(shares: usize, share: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(shares * share)),
            share,
            shares: Mutex::default(),
        })
    }

    /// A body of a caller, of which nothing is held yet.
    #[must_use]
    pub fn body_of(self: &Arc<Self>, caller: Caller) -> Held {
        let mut shares = self.shares();
        let share = shares
            .entry(caller.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(self.share)));
        Held {
            share: Some(Arc::clone(share)),
            caller,
            budget: Arc::clone(self),
            permits: None,
        }
    }

    fn shares(&self) -> MutexGuard<'_, HashMap<Caller, Arc<Semaphore>>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a body holds; given back when this is dropped.
pub struct Held {
    budget: Arc<Budget>,
    caller: Caller,
    share: Option<Arc<Semaphore>>,
    permits: Option<[OwnedSemaphorePermit; 2]>,
}

impl Held {
    /// Holds so many bytes in all, as soon as there is room for them.
    pub async fn hold(&mut self, bytes: usize) {
        let held = self
            .permits
            .as_ref()
            .map_or(0, |[own, _]| own.num_permits());
        let Some(more) = bytes.checked_sub(held).filter(|more| *more > 0) else {
            return;
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let Some(share) = self.share.clone() else {
            return;
        };
        let Ok(own) = share.acquire_many_owned(more).await else {
            return;
        };
        let all = Arc::clone(&self.budget.all).acquire_many_owned(more);
        let Ok(all) = all.await else { return };
        match &mut self.permits {
            None => self.permits = Some([own, all]),
            Some([of_caller, of_all]) => {
                of_caller.merge(own);
                of_all.merge(all);
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.permits = None;
        let mut shares = self.budget.shares();
        self.share = None;
        let is_last = |share: &Arc<Semaphore>| Arc::strong_count(share) == 1;
        if shares.get(&self.caller).is_some_and(is_last) {
            shares.remove(&self.caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::id::UserId;
    use futures_util::FutureExt;

    use super::*;

    const SHARES: usize = 4;
    const SHARE: usize = 1000;

    fn caller(n: i64) -> Caller {
        Caller::User(UserId(n))
    }

    /// Whether there was room for as much.
    fn holds(held: &mut Held, bytes: usize) -> bool {
        held.hold(bytes).now_or_never().is_some()
    }

    #[test]
    fn one_caller_holds_its_share_at_most_and_all_together_four() {
        let budget = Budget::new(SHARES, SHARE);
        let mut held: Vec<_> = (0..5).map(|n| budget.body_of(caller(n))).collect();

        assert!(!holds(&mut held[0], SHARE + 1));
        for held in &mut held[..SHARES] {
            assert!(holds(held, SHARE));
            assert!(holds(held, SHARE), "what is held is not asked for again");
            assert!(!holds(held, SHARE + 1));
        }
        assert!(!holds(&mut held[4], 1));
        held.remove(0);
        assert!(holds(&mut held[3], SHARE));
    }

    #[test]
    fn callers_that_hold_nothing_are_forgotten() {
        let budget = Budget::new(SHARES, SHARE);
        let mut bodies = [(); 2].map(|()| budget.body_of(caller(1)));
        assert!(bodies.iter_mut().all(|body| holds(body, 1)));

        let [one, other] = bodies;
        drop(one);
        assert_eq!(budget.shares().len(), 1);
        drop(other);

        assert!(budget.shares().is_empty());
        assert_eq!(budget.all.available_permits(), SHARES * SHARE);
    }
}
