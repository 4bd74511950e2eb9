//! Opens the database of the settings: the only place that chooses a database.

use std::sync::Arc;
use std::time::Duration;

use domain::store::Store;
use store_sqlite::Sqlite;

pub use store_sqlite::OpenError;
pub use store_sqlite::django;
pub use store_sqlite::inspect::Inspection;
pub use store_sqlite::migrate::{MigrationError, Report};

use crate::settings::{DatabaseUrl, Settings};
use crate::shutdown::Shutdown;

/// How long a write may wait in the queue if its caller has no deadline.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The kind of process that opens the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The API, which serves requests.
    Api,
    /// The worker, which delivers mail. It pauses between two commits, so that the API gets the
    /// lock.
    Worker,
    /// A command of the operator's tool.
    Tool,
}

impl Role {
    /// The pause between two commits. `SQLite`'s lock is not fair: without a pause, a busy worker
    /// would starve the API.
    fn pause(self) -> Duration {
        match self {
            Self::Worker => Duration::from_millis(2),
            Self::Api | Self::Tool => Duration::ZERO,
        }
    }
}

/// An open database behind its ports. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    /// Everything that is read and written.
    pub store: Store,
    sqlite: Sqlite,
}

impl Database {
    /// Opens the database of the settings. A disk error that may lose data ends the process through
    /// `shutdown`.
    pub async fn open(
        settings: &Settings,
        role: Role,
        shutdown: &Shutdown,
    ) -> Result<Self, OpenError> {
        let DatabaseUrl::Sqlite { path } = &settings.database.url;
        let shutdown = shutdown.clone();
        let sqlite = Sqlite::open(store_sqlite::Options {
            path: path.clone(),
            busy_timeout: settings.database.busy_timeout,
            readers: settings.database.readers,
            pause: role.pause(),
            on_fatal: Arc::new(move |reason| shutdown.fatal(reason)),
        })
        .await?;
        Ok(Self {
            store: Store::new(Arc::new(sqlite.clone()), WRITE_TIMEOUT),
            sqlite,
        })
    }

    /// Finishes waiting writes and closes every connection.
    pub async fn close(&self) {
        self.sqlite.close().await;
    }
}

/// Creates the database of the settings if it does not exist, and migrates its schema.
pub async fn migrate(settings: &Settings) -> Result<Report, MigrationError> {
    let DatabaseUrl::Sqlite { path } = &settings.database.url;
    store_sqlite::migrate::run(path).await
}

/// Inspects the database of the settings, whatever its schema, without changing it. Reads the whole
/// file.
pub async fn inspect(settings: &Settings) -> Result<Inspection, OpenError> {
    let DatabaseUrl::Sqlite { path } = &settings.database.url;
    store_sqlite::inspect::inspect(path, settings.database.busy_timeout).await
}
