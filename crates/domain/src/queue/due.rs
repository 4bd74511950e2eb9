//! When the next mail can be claimed: a cheap look before a transaction.

use jiff::Timestamp;

use super::{Keys, Watch};
use crate::mail::{Lane, Priority};
use crate::store::StoreError;

/// What is due in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// A mail that is not slow may be claimed now.
    pub now: bool,
    /// When the next one that waits for its time may be claimed.
    pub next: Option<Timestamp>,
    /// When the first slow mail may be claimed, or could have been.
    pub slow: Option<Timestamp>,
}

/// Looks for what a worker with these keys may claim. While the whole queue is paused nothing is due: the commit that ends
/// the pause wakes every worker.
pub async fn due(watch: &mut dyn Watch, keys: &Keys, now: Timestamp) -> Result<Due, StoreError> {
    let ranks = ranks(&[Lane::Main, Lane::SlowFirst, Lane::Slow]);
    let firsts = watch.first_due(&ranks, keys, now).await?;
    Ok(of(&firsts.unwrap_or_default(), now))
}

/// `firsts`: when the first mail of each rank is due, the ranks of the main lane first.
fn of(firsts: &[Option<Timestamp>], now: Timestamp) -> Due {
    let (main, slow) = firsts.split_at(Priority::ORDER.len().min(firsts.len()));
    let next = main.iter().flatten().min().copied();
    Due {
        now: next.is_some_and(|at| at <= now),
        next: next.filter(|at| *at > now),
        slow: slow.iter().flatten().min().copied(),
    }
}

/// The ranks of all mails in some lanes.
#[must_use]
pub fn ranks(lanes: &[Lane]) -> Vec<i64> {
    let of = |lane: &Lane| Priority::ORDER.map(|priority| priority.rank_in(*lane));
    lanes.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mail_of_each_lane_says_what_is_due() {
        let at = |second| Timestamp::from_second(second).ok();
        let due = |now, next, slow| Due { now, next, slow };

        for (firsts, expected) in [
            (vec![], due(false, None, None)),
            (vec![None; 6], due(false, None, None)),
            (
                vec![at(5), at(20), None, None, None, None],
                due(true, None, None),
            ),
            (
                vec![at(20), at(15), None, None, None, None],
                due(false, at(15), None),
            ),
            (
                vec![None, None, at(3), None, None, at(30)],
                due(false, None, at(3)),
            ),
        ] {
            assert_eq!(of(&firsts, at(10).unwrap()), expected, "{firsts:?}");
        }
    }
}
