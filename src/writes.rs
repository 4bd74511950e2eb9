//! Limits the rate of one user's writes: notes, and changes of the account.
//!
//! Counted in the memory of this process, like [`crate::client_rate_limit`], because it protects
//! the writer that all users of this process share; the storage of a user is counted in the
//! database. Deletions are not counted: the deleted note was counted before, and a device that
//! frees storage must not be stopped.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::id::UserId;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use runtime::settings::Limits;

use crate::error::{ApiError, Throttle};

/// The interval at which idle users are removed.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// The rate limits of users' writes. Cheap to clone; `None` if limits are disabled.
#[derive(Clone)]
pub struct Writes(Option<Arc<Users>>);

struct Users {
    notes: Limit,
    account: Limit,
    /// Notes that were counted but not written, until the next sweep.
    untried: Mutex<HashMap<UserId, u32>>,
    swept: Mutex<Instant>,
}

struct Limit {
    name: &'static str,
    limiter: DefaultKeyedRateLimiter<UserId>,
    clock: DefaultClock,
    burst: NonZeroU32,
    /// Seconds until a used-up burst is available again.
    refill: u64,
}

impl Writes {
    /// The limits of the settings.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let notes = Limit::new(
            "note-writes",
            limits.note_write_burst_per_user,
            limits.note_writes_per_second_per_user,
            Duration::from_secs(1),
        );
        let account = Limit::new(
            "account-changes",
            limits.account_change_burst_per_user,
            limits.account_changes_per_hour_per_user,
            Duration::from_hours(1),
        );
        let users = notes.zip(account).filter(|_| limits.enabled);
        Self(users.map(|(notes, account)| {
            Arc::new(Users {
                notes,
                account,
                untried: Mutex::default(),
                swept: Mutex::new(Instant::now()),
            })
        }))
    }

    /// Counts notes that a user is about to write, all or none.
    ///
    /// # Errors
    ///
    /// [`ApiError::Throttled`] if the user has written too many.
    pub fn notes(&self, user: UserId, count: u32) -> Result<(), ApiError> {
        let (Some(users), Some(count)) = (&self.0, NonZeroU32::new(count)) else {
            return Ok(());
        };
        users.sweep();
        let untried = users.untried().remove(&user).unwrap_or(0);
        let left = untried.saturating_sub(count.get());
        let counted = match NonZeroU32::new(count.get().saturating_sub(untried)) {
            Some(more) => users.notes.count(user, more),
            None => Ok(()),
        };
        let left = if counted.is_ok() { left } else { untried };
        self.untried(user, left);
        counted
    }

    /// Credits notes that were counted but not written, for when they are sent again soon.
    pub fn untried(&self, user: UserId, count: u32) {
        if let Some(users) = &self.0
            && count > 0
        {
            *users.untried().entry(user).or_default() += count;
        }
    }

    /// Counts a login or an account change of a user.
    ///
    /// # Errors
    ///
    /// [`ApiError::Throttled`] if the user has made too many.
    pub fn account(&self, user: UserId) -> Result<(), ApiError> {
        let Some(users) = &self.0 else {
            return Ok(());
        };
        users.sweep();
        users.account.count(user, NonZeroU32::MIN)
    }
}

impl Users {
    fn untried(&self) -> MutexGuard<'_, HashMap<UserId, u32>> {
        self.untried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes idle users. Returns at once if another thread is doing so.
    fn sweep(&self) {
        let Ok(mut swept) = self.swept.try_lock() else {
            return;
        };
        if swept.elapsed() < SWEEP_EVERY {
            return;
        }
        *swept = Instant::now();
        self.untried().clear();
        for limit in [&self.notes, &self.account] {
            limit.limiter.retain_recent();
            limit.limiter.shrink_to_fit();
        }
    }
}

impl Limit {
    /// `burst` at once, and over time `rate` in each `period`.
    fn new(name: &'static str, burst: u32, rate: u32, period: Duration) -> Option<Self> {
        let (burst, rate) = NonZeroU32::new(burst).zip(NonZeroU32::new(rate))?;
        let quota = Quota::with_period(period / rate.get())?.allow_burst(burst);
        Some(Self {
            name,
            limiter: DefaultKeyedRateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            burst,
            refill: (period.as_secs() * u64::from(burst.get())).div_ceil(rate.get().into()),
        })
    }

    fn count(&self, user: UserId, count: NonZeroU32) -> Result<(), ApiError> {
        let wait = match self.limiter.check_key_n(&user, count) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(until)) => until.wait_time_from(self.clock.now()),
            // More than were ever allowed at once: the settings see to it that no batch is.
            Err(_) => Duration::from_secs(self.refill),
        };
        Err(ApiError::Throttled(Throttle {
            limit: self.name,
            quota: self.burst.get(),
            window: self.refill,
            seconds: Throttle::whole_seconds(wait),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(burst: u32, rate: u32) -> Limit {
        Limit::new("x", burst, rate, Duration::from_hours(1)).unwrap()
    }

    #[test]
    fn what_one_user_writes_is_not_counted_for_another() {
        let limit = limit(2, 1);

        let ones = [(); 3].map(|()| limit.count(UserId(1), NonZeroU32::MIN).is_ok());

        assert_eq!(ones, [true, true, false]);
        assert!(limit.count(UserId(2), NonZeroU32::MIN).is_ok());
    }

    #[test]
    fn several_at_once_are_counted_together_or_not_at_all() {
        let limit = limit(100, 1);
        let many = NonZeroU32::new(60).unwrap();

        let first = limit.count(UserId(1), many).is_ok();
        let second = limit.count(UserId(1), many).is_ok();
        let fewer = limit.count(UserId(1), NonZeroU32::new(40).unwrap()).is_ok();

        assert_eq!([first, second, fewer], [true, false, true]);
    }

    #[test]
    fn users_that_have_been_quiet_are_forgotten() {
        let users = Users {
            notes: limit(1, 3_600_000_000),
            account: limit(1, 3_600_000_000),
            untried: Mutex::default(),
            swept: Mutex::new(Instant::now()),
        };
        *users.swept.lock().unwrap() -= SWEEP_EVERY;
        users.notes.count(UserId(1), NonZeroU32::MIN).unwrap();
        std::thread::sleep(Duration::from_millis(2));

        users.sweep();

        assert_eq!(users.notes.limiter.len(), 0);
    }
}
