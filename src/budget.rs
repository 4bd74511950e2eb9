//! Limits the memory for request bodies, in total and for each caller.
//!
//! A body waits for all of its memory without holding any, because bodies that hold some and wait
//! for more could deadlock. While a body waits, another body that is too slow to arrive in time is
//! cancelled, so that a client that announces a body and does not send it cannot block others.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::store::Caller;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The grace period in which no body counts as too slow, for slow networks.
const GRACE: Duration = Duration::from_secs(1);

/// The interval at which a waiting body looks for one that is too slow.
const LOOK: Duration = Duration::from_millis(100);

/// A budget of bytes for bodies, in total and for each caller.
pub struct Budget {
    all: Arc<Semaphore>,
    share: usize,
    /// The time limit for a body to arrive.
    time: Duration,
    /// The callers that hold memory or wait for it.
    callers: Mutex<HashMap<Caller, Share>>,
}

struct Share {
    room: Arc<Semaphore>,
    bodies: Vec<Arc<Arrival>>,
}

impl Budget {
    /// A budget of `shares` shares of `share` bytes, for bodies with this time limit: that many
    /// callers can hold their whole share at the same time.
    #[must_use]
    pub fn new(shares: usize, share: usize, time: Duration) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(shares * share)),
            share,
            time,
            callers: Mutex::default(),
        })
    }

    /// An empty reservation for a body of a caller.
    #[must_use]
    pub fn room_for(self: &Arc<Self>, caller: Caller, body: &Arc<Arrival>) -> Held {
        let mut callers = self.callers();
        let share = callers.entry(caller.clone()).or_insert_with(|| Share {
            room: Arc::new(Semaphore::new(self.share)),
            bodies: Vec::new(),
        });
        share.bodies.push(Arc::clone(body));
        Held {
            share: Arc::clone(&share.room),
            caller,
            body: Arc::clone(body),
            budget: Arc::clone(self),
            permits: None,
        }
    }

    /// So many bytes of room, as soon as they are there. `of`: whose bodies may give up theirs; if `None`, all.
    async fn take(
        &self,
        room: &Arc<Semaphore>,
        bytes: u32,
        of: Option<&Caller>,
    ) -> Option<OwnedSemaphorePermit> {
        let mut taken = pin!(Arc::clone(room).acquire_many_owned(bytes));
        loop {
            match timeout(LOOK, &mut taken).await {
                Ok(taken) => return taken.ok(),
                Err(_) => self.cut_the_slowest(of),
            }
        }
    }

    fn cut_the_slowest(&self, of: Option<&Caller>) {
        let now = Instant::now();
        let callers = self.callers();
        let shares = callers
            .iter()
            .filter(|(caller, _)| of.is_none_or(|of| of == *caller));
        let bodies = shares.flat_map(|(_, share)| &share.bodies);
        let slowest = bodies
            .map(|body| (body.progress().lacks(now, self.time), body))
            .filter(|(lacks, _)| *lacks > 0)
            .max_by_key(|(lacks, _)| *lacks);
        if let Some((_, slowest)) = slowest {
            slowest.progress().room = None;
            slowest.cut.notify_one();
        }
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<Caller, Share>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that is arriving.
#[derive(Default)]
pub struct Arrival {
    progress: Mutex<Progress>,
    cut: Notify,
}

#[derive(Default)]
struct Progress {
    /// How much room it has, and since when. `None` while it waits, and once it is cut.
    room: Option<(usize, Instant)>,
    /// The number of bytes received.
    arrived: usize,
}

impl Progress {
    /// The number of bytes that are missing at the minimum pace.
    fn lacks(&self, now: Instant, time: Duration) -> usize {
        let Some((room, since)) = self.room else {
            return 0;
        };
        let late = now.saturating_duration_since(since).saturating_sub(GRACE);
        let due = room as u128 * late.as_millis() / time.as_millis().max(1);
        let due = usize::try_from(due).unwrap_or(usize::MAX);
        due.saturating_sub(self.arrived)
    }
}

impl Arrival {
    /// Records the number of bytes received in total.
    pub fn has(&self, bytes: usize) {
        self.progress().arrived = bytes;
    }

    /// Whether it waits for memory.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.progress().room.is_none()
    }

    /// Returns when the body is cancelled in favour of another.
    pub async fn cut(&self) {
        self.cut.notified().await;
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The memory reserved by a body; released on drop.
pub struct Held {
    budget: Arc<Budget>,
    caller: Caller,
    body: Arc<Arrival>,
    share: Arc<Semaphore>,
    permits: Option<[OwnedSemaphorePermit; 2]>,
}

impl Held {
    /// The number of bytes reserved.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let permits = self.permits.as_ref();
        permits.map_or(0, |[own, _]| own.num_permits())
    }

    /// Grows the reservation to this number of bytes in total, waiting if necessary.
    pub async fn hold(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.bytes());
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more == 0 {
            return;
        }
        self.body.progress().room = None;
        let budget = &self.budget;
        let Some(own) = budget.take(&self.share, more, Some(&self.caller)).await else {
            return;
        };
        let Some(all) = budget.take(&budget.all, more, None).await else {
            return;
        };
        match &mut self.permits {
            None => self.permits = Some([own, all]),
            Some([of_caller, of_all]) => {
                of_caller.merge(own);
                of_all.merge(all);
            }
        }
        self.body.progress().room = Some((bytes, Instant::now()));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.permits = None;
        let mut callers = self.budget.callers();
        let Some(share) = callers.get_mut(&self.caller) else {
            return;
        };
        share.bodies.retain(|body| !Arc::ptr_eq(body, &self.body));
        if share.bodies.is_empty() {
            callers.remove(&self.caller);
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

    fn budget() -> Arc<Budget> {
        Budget::new(SHARES, SHARE, Duration::from_secs(10))
    }

    fn room_for(budget: &Arc<Budget>, caller: i64) -> Held {
        budget.room_for(Caller::User(UserId(caller)), &Arc::default())
    }

    /// Whether there was room for as much.
    fn holds(held: &mut Held, bytes: usize) -> bool {
        held.hold(bytes).now_or_never().is_some()
    }

    #[tokio::test]
    async fn one_caller_holds_its_share_at_most_and_all_together_four() {
        let budget = budget();
        let mut held: Vec<_> = (0..5).map(|n| room_for(&budget, n)).collect();

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

    #[tokio::test]
    async fn callers_that_hold_nothing_are_forgotten() {
        let budget = budget();
        let mut bodies = [(); 2].map(|()| room_for(&budget, 1));
        assert!(bodies.iter_mut().all(|body| holds(body, 1)));

        let [one, other] = bodies;
        drop(one);
        assert_eq!(budget.callers().len(), 1);
        drop(other);

        assert!(budget.callers().is_empty());
        assert_eq!(budget.all.available_permits(), SHARES * SHARE);
    }

    #[test]
    fn a_body_is_too_slow_once_it_can_not_arrive_in_time_at_its_pace() {
        let (now, time) = (Instant::now(), Duration::from_secs(10));
        let lacks = |arrived, after: f64| {
            let room = Some((SHARE, now));
            let at = now + Duration::from_secs_f64(after);
            Progress { room, arrived }.lacks(at, time)
        };

        assert_eq!([lacks(0, 0.5), lacks(0, 1.0), lacks(0, 2.0)], [0, 0, 100]);
        assert_eq!([lacks(400, 5.0), lacks(400, 6.0)], [0, 100]);
        assert_eq!(Progress::default().lacks(now, time), 0, "one that waits");
    }

    /// One whose time is nearly nothing is too slow after the grace that every body has, whatever has come of it.
    #[tokio::test]
    async fn where_one_waits_the_slowest_is_cut_of_the_caller_or_of_all() {
        let budget = Budget::new(2, SHARE, Duration::from_millis(1));
        let [slow, slowest, of_other] = [(); 3].map(|()| Arc::<Arrival>::default());
        let [one, other] = [1, 2].map(|user| Caller::User(UserId(user)));
        let mut held = [
            budget.room_for(one.clone(), &slow),
            budget.room_for(one.clone(), &slowest),
            budget.room_for(other.clone(), &of_other),
        ];
        for (held, bytes) in held.iter_mut().zip([SHARE / 2, SHARE / 2, SHARE]) {
            assert!(holds(held, bytes));
            let since = Instant::now().checked_sub(2 * GRACE).unwrap();
            held.body.progress().room = Some((bytes, since));
        }
        slow.has(100);

        let mut next = budget.room_for(one, &Arc::default());
        let waits = timeout(2 * LOOK, next.hold(SHARE / 2));
        let (waited, ()) = tokio::join!(waits, slowest.cut());
        assert!(waited.is_err(), "it holds its room until it is gone");
        drop(held);
        next.hold(SHARE / 2).await;

        assert!(of_other.cut().now_or_never().is_none());
    }
}
