//! Which callers have more of the connections than their part.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::store::Caller;

/// A read for which `SQLite` is at work for longer counts. Until then it keeps no other waiting for a time that matters.
const LONG: Duration = Duration::from_millis(1);

/// Connections that a caller has held for longer count before they come back.
const HELD_LONG: Duration = Duration::from_millis(10);

/// For how many times as long as that a caller counts as greedy: it may read for a tenth of the time.
const TIMES: usize = 10;

/// The longest time for which it counts.
const MOST: Duration = Duration::from_secs(10);

/// Until when callers count as greedy.
#[derive(Default)]
pub(super) struct Greedy {
    until: HashMap<Caller, Instant>,
    /// When those whose time is over are removed next.
    next_removal: Option<Instant>,
}

impl Greedy {
    /// `SQLite` was at work for a caller's read for that long, while so many callers waited. Where more wait, the part of each is smaller.
    pub(super) fn count(
        &mut self,
        caller: &Caller,
        worked: Duration,
        waiting: usize,
        now: Instant,
    ) {
        if worked < LONG {
            return;
        }
        if self.next_removal.is_none_or(|next| next <= now) {
            self.until.retain(|_, until| *until > now);
            self.next_removal = Some(now + MOST);
        }
        let times = u32::try_from(waiting.max(TIMES)).unwrap_or(u32::MAX);
        let until = self.until.entry(caller.clone()).or_insert(now);
        *until = ((*until).max(now) + worked.saturating_mul(times).min(MOST)).min(now + MOST);
    }

    /// Whether a caller counts as greedy that holds connections, for so long taken together.
    pub(super) fn is(&self, caller: &Caller, held: Duration, now: Instant) -> bool {
        held > HELD_LONG || self.until.get(caller).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use domain::id::UserId;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const NOTHING: Duration = Duration::ZERO;

    fn user(n: i64) -> Caller {
        Caller::User(UserId(n))
    }

    #[test]
    fn who_reads_for_more_than_a_tenth_of_the_time_is_greedy() {
        let mut greedy = Greedy::default();
        let now = Instant::now();

        greedy.count(&user(1), 20 * MS, 0, now);
        greedy.count(&user(2), 20 * MS, 0, now);
        greedy.count(&user(2), 20 * MS, 0, now);

        let later = |ms| now + ms * MS;
        let is = |n, ms| greedy.is(&user(n), NOTHING, later(ms));
        assert!(is(1, 199) && !is(1, 200));
        assert!(is(2, 399) && !is(2, 400));
        assert!(!is(3, 0));
    }

    #[test]
    fn the_more_callers_wait_the_smaller_is_the_part_of_each() {
        let mut greedy = Greedy::default();
        let now = Instant::now();

        greedy.count(&user(1), 5 * MS, 100, now);

        assert!(greedy.is(&user(1), NOTHING, now + 499 * MS));
        assert!(!greedy.is(&user(1), NOTHING, now + 500 * MS));
    }

    #[test]
    fn a_read_counts_before_it_is_over() {
        let greedy = Greedy::default();
        let now = Instant::now();

        assert!(!greedy.is(&user(1), 10 * MS, now));
        assert!(greedy.is(&user(1), 11 * MS, now));
    }

    #[test]
    fn who_was_greedy_is_forgotten_and_short_reads_are_not_even_written_down() {
        let mut greedy = Greedy::default();
        let now = Instant::now();
        for n in 0..100 {
            greedy.count(&user(n), Duration::MAX, usize::MAX, now);
        }

        greedy.count(&user(100), MS / 2, 0, now);
        assert_eq!(greedy.until.len(), 100);
        greedy.count(&user(101), MS, 0, now + MOST);

        let left: Vec<_> = greedy.until.into_keys().collect();
        assert_eq!(left, [user(101)]);
    }
}
