//! Limits the requests of one user that are processed at the same time; the others wait in order.
//!
//! Counted in the memory of this process, because it protects this process. A request is in flight
//! from the validation of its token until its response is complete, a long response is sent, and
//! all its database work has ended, even if its client has disconnected.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use domain::id::UserId;
use domain::store::StoreError;
use runtime::settings::Limits;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::error::{ApiError, Throttle};

/// The maximum number of waiting requests of one user; one more is answered 429.
const WAITING: usize = 32;

/// The requests in flight of every user. Cheap to clone.
#[derive(Clone)]
pub struct InFlight(Arc<Users>);

struct Users {
    at_once: usize,
    /// The maximum number of waiting requests; `None` if limits are disabled.
    most_waiting: Option<usize>,
    /// The requests of each user. Users without a request in flight have no entry.
    by_user: Mutex<HashMap<UserId, Requests>>,
}

#[derive(Default)]
struct Requests {
    running: usize,
    waiting: VecDeque<WaitingRequest>,
}

struct WaitingRequest {
    /// When it stops waiting.
    deadline: Instant,
    /// Receives the slot.
    go: oneshot::Sender<Slot>,
}

/// The slot of a request in flight. Dropping it starts the user's next request.
pub struct Slot {
    user: UserId,
    of: Option<Arc<Users>>,
}

impl InFlight {
    /// The limits of these settings.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self(Arc::new(Users {
            at_once: limits.requests_in_flight_per_user as usize,
            most_waiting: limits.enabled.then_some(WAITING),
            by_user: Mutex::default(),
        }))
    }

    /// Waits for a free slot; without a deadline if limits are disabled.
    ///
    /// # Errors
    ///
    /// [`ApiError::Throttled`] if too many requests of the user wait, and [`StoreError::Busy`] if
    /// no slot is free by `deadline`. Nothing was done.
    pub async fn enter(&self, user: UserId, deadline: Instant) -> Result<Slot, ApiError> {
        let turn = match self.0.ask(user, deadline)? {
            Asked::Go(slot) => return Ok(slot),
            Asked::Waits(turn) => turn,
        };
        let turn = match self.0.most_waiting {
            Some(_) => timeout_at(deadline.into(), turn).await,
            None => Ok(turn.await),
        };
        match turn {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(StoreError::Busy.into()),
        }
    }

    /// The same for a request that need not wait: it starts at once.
    ///
    /// # Errors
    ///
    /// [`ApiError::Throttled`] if too many requests of the user are in flight, including waiting
    /// ones.
    pub fn pass(&self, user: UserId) -> Result<Slot, ApiError> {
        let mut users = self.0.by_user();
        let requests = users.entry(user).or_default();
        let all = requests.running + requests.waiting.len();
        if let Some(most) = self.0.most_waiting
            && all >= self.0.at_once + most
        {
            return Err(self.0.throttled(requests));
        }
        requests.running += 1;
        Ok(Slot::of(&self.0, user))
    }
}

enum Asked {
    Go(Slot),
    Waits(oneshot::Receiver<Slot>),
}

impl Users {
    fn by_user(&self) -> MutexGuard<'_, HashMap<UserId, Requests>> {
        self.by_user.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(self: &Arc<Self>, user: UserId, deadline: Instant) -> Result<Asked, ApiError> {
        let mut users = self.by_user();
        let requests = users.entry(user).or_default();
        if requests.running < self.at_once {
            requests.running += 1;
            return Ok(Asked::Go(Slot::of(self, user)));
        }
        if let Some(most) = self.most_waiting
            && requests.waiting.len() >= most
        {
            // Requests of disconnected clients no longer wait.
            requests.waiting.retain(|waiting| !waiting.go.is_closed());
            if requests.waiting.len() >= most {
                return Err(self.throttled(requests));
            }
        }
        let (go, turn) = oneshot::channel();
        requests.waiting.push_back(WaitingRequest { deadline, go });
        Ok(Asked::Waits(turn))
    }

    /// A waiting request is served or gives up by its deadline; then a slot is free again.
    fn throttled(&self, requests: &Requests) -> ApiError {
        let now = Instant::now();
        let first = requests
            .waiting
            .iter()
            .map(|waiting| waiting.deadline)
            .min();
        let wait = first.map_or_else(Default::default, |first| first.duration_since(now));
        let seconds = Throttle::whole_seconds(wait);
        let most = self.at_once + self.most_waiting.unwrap_or_default();
        ApiError::Throttled(Throttle {
            limit: "requests-in-flight",
            quota: u32::try_from(most).unwrap_or(u32::MAX),
            window: seconds,
            seconds,
        })
    }
}

impl Slot {
    fn of(users: &Arc<Users>, user: UserId) -> Self {
        Self {
            user,
            of: Some(Arc::clone(users)),
        }
    }
}

impl Drop for Slot {
    /// Passes the slot to the next waiting request.
    fn drop(&mut self) {
        let Some(of) = self.of.take() else {
            return;
        };
        let mut users = of.by_user();
        let Some(requests) = users.get_mut(&self.user) else {
            return;
        };
        // A request that passed without waiting may exceed the maximum.
        while requests.running <= of.at_once
            && let Some(next) = requests.waiting.pop_front()
        {
            match next.go.send(Self::of(&of, self.user)) {
                Ok(()) => return,
                Err(mut unsent) => unsent.of = None,
            }
        }
        requests.running -= 1;
        if requests.running == 0 && requests.waiting.is_empty() {
            users.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::poll_immediate;

    use super::*;

    const USER: UserId = UserId(1);

    fn in_flight(at_once: usize, most_waiting: Option<usize>) -> InFlight {
        InFlight(Arc::new(Users {
            at_once,
            most_waiting,
            by_user: Mutex::default(),
        }))
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[tokio::test]
    async fn those_beyond_the_budget_wait_in_their_order_and_another_user_does_not() {
        let in_flight = in_flight(1, Some(2));
        let first = in_flight.enter(USER, later()).await.unwrap();
        let mut second = Box::pin(in_flight.enter(USER, later()));
        let mut third = Box::pin(in_flight.enter(USER, later()));
        assert!(poll_immediate(&mut second).await.is_none());
        assert!(poll_immediate(&mut third).await.is_none());

        let other = in_flight.enter(UserId(2), later()).await;
        let refused = in_flight.enter(USER, later()).await.err();
        drop(first);

        assert!(other.is_ok());
        assert!(matches!(refused, Some(ApiError::Throttled(_))));
        assert!(poll_immediate(&mut third).await.is_none());
        assert!(poll_immediate(&mut second).await.unwrap().is_ok());
        assert!(poll_immediate(&mut third).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn whoever_hangs_up_while_waiting_takes_neither_a_slot_nor_a_place() {
        let in_flight = in_flight(1, Some(1));
        let first = in_flight.enter(USER, later()).await.unwrap();
        let mut leaver = Box::pin(in_flight.enter(USER, later()));
        assert!(poll_immediate(&mut leaver).await.is_none());

        drop(leaver);
        let mut next = Box::pin(in_flight.enter(USER, later()));
        assert!(poll_immediate(&mut next).await.is_none(), "it waits");
        drop(first);

        assert!(next.await.is_ok());
        assert!(in_flight.0.by_user().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn a_slot_that_is_handed_to_one_who_is_gone_goes_to_the_next() {
        let in_flight = in_flight(1, None);
        let first = in_flight.enter(USER, later()).await.unwrap();
        let mut leaver = Box::pin(in_flight.enter(USER, later()));
        let mut next = Box::pin(in_flight.enter(USER, later()));
        assert!(poll_immediate(&mut leaver).await.is_none());
        assert!(poll_immediate(&mut next).await.is_none());

        drop(first);
        drop(leaver);

        assert!(poll_immediate(&mut next).await.unwrap().is_ok());
        assert!(in_flight.0.by_user().is_empty(), "nothing is kept");
    }

    #[tokio::test]
    async fn a_wait_ends_at_its_deadline() {
        let in_flight = in_flight(1, Some(1));
        let _first = in_flight.enter(USER, later()).await.unwrap();

        let late = in_flight.enter(USER, Instant::now()).await.err();

        assert!(matches!(late, Some(ApiError::Store(StoreError::Busy))));
    }

    #[tokio::test]
    async fn where_limits_are_lifted_any_number_waits_for_any_time() {
        let in_flight = in_flight(1, None);
        let first = in_flight.enter(USER, later()).await.unwrap();
        let past = Instant::now();
        let mut many: Vec<_> = (0..200)
            .map(|_| Box::pin(in_flight.enter(USER, past)))
            .collect();
        for one in &mut many {
            assert!(poll_immediate(one).await.is_none());
        }

        drop(first);

        for one in many {
            assert!(one.await.is_ok());
        }
    }

    #[tokio::test]
    async fn one_that_passes_waits_for_nobody_and_counts() {
        let in_flight = in_flight(1, Some(1));
        let first = in_flight.enter(USER, later()).await.unwrap();

        let passed = in_flight.pass(USER).unwrap();
        let refused = in_flight.pass(USER).err();
        let mut next = Box::pin(in_flight.enter(USER, later()));
        assert!(poll_immediate(&mut next).await.is_none());
        drop(first);
        assert!(poll_immediate(&mut next).await.is_none(), "one still runs");
        drop(passed);

        assert!(next.await.is_ok());
        assert!(matches!(refused, Some(ApiError::Throttled(_))));
    }
}
