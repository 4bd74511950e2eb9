//! The rules of the store and of the queue on `SQLite`, and how their tests look into its rows.

use async_trait::async_trait;
use domain::store::Store;
use sqlx::Row as _;
use store_conformance::{Backdoor, JobChange, JobRow, conformance_tests};

use crate::support::Database;

conformance_tests!(Database);

#[async_trait(?Send)]
impl Backdoor for Database {
    async fn new() -> Self {
        Database::new().await
    }

    fn store(&self) -> Store {
        Database::store(self)
    }

    async fn another_store(&self) -> Store {
        Database::another_store(self).await
    }

    async fn number(&self, statement: &'static str) -> i64 {
        Database::number(self, statement).await
    }

    async fn texts(&self, statement: &'static str) -> Vec<String> {
        sqlx::query_scalar(statement)
            .fetch_all(&mut self.outside().await)
            .await
            .unwrap()
    }

    async fn execute(&self, statement: &'static str) {
        Database::execute(self, statement).await;
    }

    async fn jobs(&self) -> Vec<JobRow> {
        let statement = "select id, job_type, cast(job as text) as payload, status, attempts, run_at, lock_by, lock_at,
                                done_at, last_result from Jobs order by id";
        let rows = sqlx::query(statement)
            .fetch_all(&mut self.outside().await)
            .await
            .unwrap();
        let row = |row: &sqlx::sqlite::SqliteRow| JobRow {
            id: row.get("id"),
            job_type: row.get("job_type"),
            payload: row.get("payload"),
            status: row.get("status"),
            attempts: row.get("attempts"),
            due: row.get("run_at"),
            locked_by: row.get("lock_by"),
            locked_at: row.get("lock_at"),
            done_at: row.get("done_at"),
            last_result: row.get("last_result"),
        };
        rows.iter().map(row).collect()
    }

    async fn change_jobs(&self, change: JobChange) {
        let change = match change {
            JobChange::Delete => sqlx::query("delete from Jobs"),
            JobChange::Due(second) => sqlx::query("update Jobs set run_at = ?").bind(second),
            JobChange::Priority(priority) => {
                sqlx::query("update Jobs set priority = ?").bind(priority)
            }
        };
        change.execute(&mut self.outside().await).await.unwrap();
    }
}
