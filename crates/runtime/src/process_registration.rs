//! The row of a running process in the database, with the fingerprints of its secret keys.
//!
//! Separate from the programs because `smart-notes doctor` compares the rows of all of them: a
//! worker without the API's key can't mail codes. `main` calls [`ProcessRegistration::register`]
//! once the database is open.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use domain::clock::Clock;
use domain::otp::KeyRing;
use domain::processes::{DeregisterProcess, Process, ProcessKind, RegisterProcess};
use domain::random;
use domain::store::{Store, StoreError};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::database::Database;
use crate::settings::Settings;
use crate::systemd;

/// The interval between two updates of the row.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// The interval after a failed update.
const RETRY: Duration = Duration::from_secs(1);

/// The age at which the row of a dead process is deleted.
const EXPIRY: Duration = Duration::from_hours(24);

/// How long a stopping process tries to delete its row.
const DEREGISTER_TIMEOUT: Duration = Duration::from_secs(2);

/// A remark of this process for its operator.
static REMARK: OnceLock<String> = OnceLock::new();

/// Adds a remark to the row: a sentence without its full stop, which `smart-notes doctor` shows.
/// Only the first remark is stored. Returns whether this was the first.
pub fn remark(sentence: impl FnOnce() -> String) -> bool {
    let mut first = false;
    REMARK.get_or_init(|| {
        first = true;
        sentence()
    });
    first
}

/// The registration of a running process.
#[derive(Debug)]
pub struct ProcessRegistration {
    id: String,
    task: JoinHandle<()>,
}

impl ProcessRegistration {
    /// Registers this process and updates its row regularly until [`deregister`](Self::deregister).
    /// A database error does not prevent the start.
    #[must_use]
    pub fn register(
        database: &Database,
        kind: ProcessKind,
        settings: &Settings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let keys = &settings.secret_keys;
        let process = Process {
            id: name(kind),
            kind,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            keys: KeyRing::new(&keys.current, &keys.fallbacks).ids(),
            started: clock.now(),
            remark: None,
        };
        let id = process.id.clone();
        let task = tokio::spawn(keep_registered(database.store.clone(), process, clock));
        Self { id, task }
    }

    /// Deletes the row. Must be called before the database is closed.
    pub async fn deregister(self, database: &Database) {
        // Stop the updates first, or a late update would create the row again.
        self.task.abort();
        let _ = self.task.await;
        let gone = timeout(
            DEREGISTER_TIMEOUT,
            database.store.write(DeregisterProcess(self.id)),
        )
        .await;
        if !matches!(gone, Ok(Ok(()))) {
            tracing::warn!("could not deregister this process; its row will expire");
        }
    }
}

/// A name that is unique to this start.
fn name(kind: ProcessKind) -> String {
    let unique = u32::from_be_bytes(random::bytes());
    format!("{}-{}-{unique:08x}", kind.as_str(), std::process::id())
}

async fn keep_registered(store: Store, mut process: Process, clock: Arc<dyn Clock>) {
    let mut is_moved = false;
    loop {
        let now = clock.now();
        process.remark = REMARK.get().cloned();
        let register = RegisterProcess {
            process: process.clone(),
            now,
            forget_before: now - EXPIRY,
        };
        let announced = store.write(register).await;
        let was_moved = std::mem::replace(
            &mut is_moved,
            matches!(announced, Err(StoreError::Moved(_))),
        );
        match announced {
            Ok(()) => {
                if was_moved {
                    systemd::status("the database is back");
                }
                sleep(INTERVAL).await;
                continue;
            }
            Err(error) if is_moved && !was_moved => {
                tracing::error!(%error, "the database file was moved: writes are refused");
                systemd::status(&error.to_string());
            }
            Err(error) => tracing::debug!(%error, "could not update the row of this process"),
        }
        sleep(RETRY).await;
    }
}
