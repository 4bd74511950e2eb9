//! Claiming: as many due mails as the worker has free slots, the most urgent first.

use std::time::Duration;

use jiff::Timestamp;

use super::port::{DueJobs, MailChange, Order};
use super::{Claimed, JobId, QueueBatch};
use crate::mail::{Lane, MailKind, MailState, Priority};
use crate::store::{StoreError, Tx};

/// Why a mail that this version can't read waits, and for how long.
const UNREADABLE: &str = "this version of the worker can't read it";
const UNREADABLE_PAUSE: Duration = Duration::from_mins(1);

/// Due jobs of paused kinds that one look holds at least.
const HELD_AT_ONCE: u32 = 256;

/// Looks for jobs of paused kinds in one transaction. Then the rest waits for the next one, which keeps the lock short.
const LOOKS: u32 = 8;

/// Claims mails. Returns them, and how many foreign jobs were set aside.
pub(super) async fn claim(
    tx: &mut dyn Tx,
    worker: &str,
    batch: &QueueBatch,
    now: Timestamp,
) -> Result<(Vec<Claimed>, u64), StoreError> {
    if batch.claim == 0 && batch.slow == 0 {
        return Ok((Vec::new(), 0));
    }
    let paused = tx.paused_kinds().await?;
    // An empty kind stands for the whole queue.
    if paused.iter().any(String::is_empty) {
        return Ok((Vec::new(), 0));
    }
    let claiming = Claiming {
        worker,
        batch,
        paused,
        now,
    };
    let mut jobs = Vec::new();
    for priority in Priority::ORDER {
        let free = batch.claim.saturating_sub(length(&jobs));
        jobs.extend(if batch.trial {
            claiming.take_for_trial(tx, priority, free).await?
        } else {
            claiming.take_both(tx, priority, free).await?
        });
    }
    let slow = claiming.take_slow(tx).await?;
    jobs.extend(slow.iter().map(|(job, _)| job.clone()));
    claiming.begin(tx, jobs, &slow).await
}

fn length<T>(jobs: &[T]) -> u32 {
    u32::try_from(jobs.len()).unwrap_or(u32::MAX)
}

/// What bears on every class of jobs that one batch claims.
struct Claiming<'a> {
    worker: &'a str,
    batch: &'a QueueBatch,
    paused: Vec<String>,
    now: Timestamp,
}

impl Claiming<'_> {
    /// Takes the oldest jobs, and some of the newest.
    async fn take_both(
        &self,
        tx: &mut dyn Tx,
        priority: Priority,
        free: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        let rank = priority.rank_in(Lane::Main);
        let newest = free.min(self.batch.newest);
        let mut taken = self.take(tx, rank, Order::Oldest, free - newest).await?;
        taken.extend(self.take(tx, rank, Order::Newest, newest).await?);
        Ok(taken)
    }

    /// Takes jobs that are to show whether a relay works: of the newest mails that have not been tried, else the oldest.
    async fn take_for_trial(
        &self,
        tx: &mut dyn Tx,
        priority: Priority,
        free: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        if free == 0 {
            return Ok(Vec::new());
        }
        let mut untried = Vec::new();
        for kind in MailKind::ALL {
            if kind.priority() == priority && !self.is_paused(kind) {
                let keys = &self.batch.keys;
                untried.extend(tx.untried_jobs(kind, free, keys, self.now).await?);
            }
        }
        // Ids grow with time.
        untried.sort_unstable_by(|one, other| other.cmp(one));
        untried.truncate(free as usize);
        self.lock(tx, &untried).await?;
        let (rank, rest) = (priority.rank_in(Lane::Main), free - length(&untried));
        untried.extend(self.take(tx, rank, Order::Oldest, rest).await?);
        Ok(untried)
    }

    /// Takes jobs of the slow lane, some of them without an attempt before the others.
    async fn take_slow(&self, tx: &mut dyn Tx) -> Result<Vec<(JobId, Lane)>, StoreError> {
        let mut taken = Vec::new();
        for (lane, order, most) in [
            (Lane::SlowFirst, Order::NewestRequest, self.batch.slow_first),
            (Lane::Slow, Order::LeastClaimed, self.batch.slow),
            (Lane::SlowFirst, Order::NewestRequest, self.batch.slow),
        ] {
            for priority in Priority::ORDER {
                let free = most.saturating_sub(length(&taken));
                let rank = priority.rank_in(lane);
                let jobs = self.take(tx, rank, order, free).await?;
                taken.extend(jobs.into_iter().map(|job| (job, lane)));
            }
        }
        Ok(taken)
    }

    /// Takes some jobs of one class, unless more of them belong to paused kinds than one transaction holds.
    async fn take(
        &self,
        tx: &mut dyn Tx,
        rank: i64,
        order: Order,
        limit: u32,
    ) -> Result<Vec<JobId>, StoreError> {
        if limit == 0 || !self.hold(tx, rank, limit).await? {
            return Ok(Vec::new());
        }
        let due = DueJobs {
            rank,
            order,
            limit,
            keys: &self.batch.keys,
            now: self.now,
        };
        let jobs = tx.due_jobs(&due).await?;
        self.lock(tx, &jobs).await?;
        Ok(jobs)
    }

    /// Holds due jobs of paused kinds, until the first and the last `limit` of those that are due may all be claimed.
    /// False: there are more of them than one transaction holds.
    async fn hold(&self, tx: &mut dyn Tx, rank: i64, limit: u32) -> Result<bool, StoreError> {
        if self.paused.is_empty() {
            return Ok(true);
        }
        let most = limit.max(HELD_AT_ONCE);
        for _ in 0..LOOKS {
            if tx.hold_jobs(&self.paused, rank, most, self.now).await? == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn lock(&self, tx: &mut dyn Tx, jobs: &[JobId]) -> Result<(), StoreError> {
        if jobs.is_empty() {
            return Ok(());
        }
        tx.lock_jobs(self.worker, jobs, self.now).await
    }

    fn is_paused(&self, kind: MailKind) -> bool {
        self.paused.iter().any(|paused| paused == kind.as_str())
    }

    /// Begins the attempts of jobs that were locked. Sets aside what has no mail, and puts off what can't be read.
    async fn begin(
        &self,
        tx: &mut dyn Tx,
        jobs: Vec<JobId>,
        slow: &[(JobId, Lane)],
    ) -> Result<(Vec<Claimed>, u64), StoreError> {
        if jobs.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let mut foreign = 0;
        if tx.begin_attempts(&jobs).await? < jobs.len() as u64 {
            foreign = tx.set_foreign_aside(&jobs, self.now).await?;
        }
        let (mut claimed, mut unreadable) = (Vec::with_capacity(jobs.len()), Vec::new());
        for mail in tx.claimed_mails(&jobs, self.now).await? {
            match mail {
                Ok(mail) => claimed.push(mail),
                Err(job) => unreadable.push(put_off(job, self.now)),
            }
        }
        if !unreadable.is_empty() {
            tx.change_mails(&unreadable, self.now).await?;
        }
        for mail in claimed.iter_mut().filter(|_| !slow.is_empty()) {
            let job = JobId::from(mail.claim.mail);
            let lane = slow.iter().find(|(slow, _)| *slow == job);
            mail.lane = lane.map_or(Lane::Main, |(_, lane)| *lane);
        }
        Ok((claimed, foreign))
    }
}

/// A mail that this version can't read, written by a newer one perhaps, must not hold up the others.
fn put_off(job: JobId, now: Timestamp) -> MailChange {
    MailChange {
        reason: Some(UNREADABLE.to_owned()),
        due: Some(now + UNREADABLE_PAUSE),
        uncounted: true,
        ..MailChange::to(job, MailState::Waiting)
    }
}
