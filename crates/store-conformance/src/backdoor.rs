//! What the rules of the queue need beside the ports.

use async_trait::async_trait;
use domain::store::Store;

/// An empty database for one test, and looks into its rows from outside: over a connection that is not the store's.
///
/// Statements read and write the tables of our own migrations, in SQL that every database understands. The table of jobs
/// belongs to the queue's library and differs from database to database, so it has methods of its own.
#[async_trait(?Send)]
pub trait Backdoor: Sized {
    /// A migrated database that goes away with the value.
    async fn new() -> Self;
    /// The store of this process.
    fn store(&self) -> Store;
    /// A store with connections of its own, as another process has.
    async fn another_store(&self) -> Store;
    /// The number that a statement gives.
    async fn number(&self, statement: &'static str) -> i64;
    /// The texts that a statement gives, one a row.
    async fn texts(&self, statement: &'static str) -> Vec<String>;
    /// Runs a statement.
    async fn execute(&self, statement: &'static str);
    /// Every job, in the order of their ids.
    async fn jobs(&self) -> Vec<JobRow>;
    /// Changes every job behind the store's back.
    async fn change_jobs(&self, change: JobChange);

    /// The only job.
    async fn only_job(&self) -> JobRow {
        let mut jobs = self.jobs().await;
        assert_eq!(jobs.len(), 1, "one job should be there: {jobs:?}");
        jobs.remove(0)
    }
}

/// A row of the table of jobs. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// The job's id.
    pub id: String,
    /// The type of its payload, as the queue's library names it.
    pub job_type: String,
    /// The payload.
    pub payload: String,
    /// `Pending`, `Running`, `Done`, `Failed` or `Killed`.
    pub status: String,
    /// Attempts that counted.
    pub attempts: i64,
    /// When the job is due.
    pub due: i64,
    /// The worker that has locked it.
    pub locked_by: Option<String>,
    /// When that worker locked it.
    pub locked_at: Option<i64>,
    /// When it ended.
    pub done_at: Option<i64>,
    /// What its last attempt returned, as JSON.
    pub last_result: Option<String>,
}

impl JobRow {
    /// Whether no worker has locked it.
    pub fn is_unlocked(&self) -> bool {
        self.locked_by.is_none() && self.locked_at.is_none()
    }
}

/// What a test does to every job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobChange {
    /// Removes it.
    Delete,
    /// Makes it due at that second since 1970.
    Due(i64),
    /// Gives it that priority, which no version of the program has used.
    Priority(i64),
}
