//! What every test of this crate needs: a database in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::store::Store;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use store_conformance::support::TIMEOUT;
use store_sqlite::{Options, Sqlite, migrate};
use tempfile::TempDir;

/// A migrated database that goes away with the test.
pub struct Database {
    folder: TempDir,
    sqlite: Sqlite,
}

impl Database {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        migrate::run(&path).await.unwrap();
        let sqlite = Sqlite::open(options(&path)).await.unwrap();
        Self { folder, sqlite }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("notes.db")
    }

    /// The ports, as this process's handle.
    pub fn sqlite(&self) -> Sqlite {
        self.sqlite.clone()
    }

    /// Another handle with a writer of its own: what another process has.
    pub async fn another(&self) -> Sqlite {
        Sqlite::open(options(&self.path())).await.unwrap()
    }

    pub fn store(&self) -> Store {
        Store::new(Arc::new(self.sqlite.clone()), TIMEOUT)
    }

    /// Another store with a writer of its own: what another process has.
    pub async fn another_store(&self) -> Store {
        Store::new(Arc::new(self.another().await), TIMEOUT)
    }

    /// A store whose writes are late as soon as they are asked for.
    pub fn impatient_store(&self) -> Store {
        Store::new(Arc::new(self.sqlite.clone()), Duration::ZERO)
    }

    /// A bare connection from outside, as some other program has.
    pub async fn outside(&self) -> SqliteConnection {
        outside(&self.path()).await
    }

    /// A number that a statement gives, asked from outside.
    pub async fn number(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement)
            .fetch_one(&mut self.outside().await)
            .await
            .unwrap()
    }

    /// A text that a statement gives, asked from outside.
    pub async fn text(&self, statement: &'static str) -> String {
        sqlx::query_scalar(statement)
            .fetch_one(&mut self.outside().await)
            .await
            .unwrap()
    }

    /// Runs a statement from outside.
    pub async fn execute(&self, statement: &'static str) {
        sqlx::query(statement)
            .execute(&mut self.outside().await)
            .await
            .unwrap();
    }
}

/// The usual options. A disk that fails is a failed test, unless the test says otherwise.
pub fn options(path: &Path) -> Options {
    Options {
        path: path.to_owned(),
        busy_timeout: Duration::from_millis(200),
        readers: 2,
        pause: Duration::ZERO,
        on_fatal: Arc::new(|reason| panic!("{reason}")),
    }
}

/// A bare connection to a file that exists.
pub async fn outside(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(TIMEOUT)
        .connect()
        .await
        .unwrap()
}
