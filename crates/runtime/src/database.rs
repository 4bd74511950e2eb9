//! Which database a process works on: the only place that chooses one.

use std::sync::Arc;
use std::time::Duration;

use domain::queue::JobQueue;
use domain::store::Store;
use domain::vitals::Vitals;
use store_sqlite::Sqlite;

pub use store_sqlite::OpenError;
pub use store_sqlite::django;
pub use store_sqlite::inspect::Inspection;
pub use store_sqlite::migrate::{MigrationError, Report};

use crate::settings::{DatabaseUrl, Settings};
use crate::shutdown::Shutdown;

/// How long a write waits for its turn, if its caller has no deadline.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a process does with its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answers requests.
    Api,
    /// Delivers mail: leaves a pause between two commits, so that the API gets the lock.
    Worker,
    /// A command of an operator.
    Tool,
}

impl Role {
    /// `SQLite`'s lock is not fair: without a pause a busy worker would keep the API waiting.
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
    /// Accounts and everything else that requests read and write.
    pub store: Store,
    /// The mail queue, as a worker sees it.
    pub queue: Arc<dyn JobQueue>,
    /// Which processes there are, and what waits.
    pub vitals: Arc<dyn Vitals>,
    sqlite: Sqlite,
}

impl Database {
    /// Opens the database of the settings. A disk that loses data ends the process through `shutdown`.
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
            store: Store::new(Arc::new(sqlite.clone()), PATIENCE),
            queue: Arc::new(sqlite.clone()),
            vitals: Arc::new(sqlite.clone()),
            sqlite,
        })
    }

    /// Finishes the writes that wait and closes every connection.
    pub async fn close(&self) {
        self.sqlite.close().await;
    }
}

/// Makes the database of the settings if there is none, and brings its schema up to date.
pub async fn migrate(settings: &Settings) -> Result<Report, MigrationError> {
    let DatabaseUrl::Sqlite { path } = &settings.database.url;
    store_sqlite::migrate::run(path).await
}

/// Looks at the database of the settings, whatever its schema, and changes nothing. Reads all of it.
pub async fn inspect(settings: &Settings) -> Result<Inspection, OpenError> {
    let DatabaseUrl::Sqlite { path } = &settings.database.url;
    store_sqlite::inspect::inspect(path, settings.database.busy_timeout).await
}
