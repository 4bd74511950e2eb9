//! A process's row in the database: that it is there, and which secret keys it holds.
//!
//! Apart from the programs because `smart-notes doctor` compares what all of them wrote: a worker that
//! lacks the key of the API mails no code. `main` calls [`Presence::announce`] once the database is open.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use domain::clock::Clock;
use domain::otp::KeyRing;
use domain::random;
use domain::store::StoreError;
use domain::vitals::{Process, ProcessKind, Vitals};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::database::Database;
use crate::settings::Settings;
use crate::supervisor;

/// How often a process says that it is there.
pub const EVERY: Duration = Duration::from_secs(5);

/// After the database refused.
const RETRY: Duration = Duration::from_secs(1);

/// A row that was not seen for so long belongs to nobody any more.
const FORGOTTEN: Duration = Duration::from_hours(24);

/// How long a process that ends tries to take its row with it.
const LEAVE: Duration = Duration::from_secs(2);

/// What this process has seen that its operator should know.
static REMARK: OnceLock<String> = OnceLock::new();

/// Has the process say more than that it is there: a sentence without its full stop, which `smart-notes doctor` tells.
/// Only the first is kept. Whether it was that.
pub fn remark(sentence: impl FnOnce() -> String) -> bool {
    let mut first = false;
    REMARK.get_or_init(|| {
        first = true;
        sentence()
    });
    first
}

/// A process that has announced itself.
#[derive(Debug)]
pub struct Presence {
    id: String,
    task: JoinHandle<()>,
}

impl Presence {
    /// Announces this process, now and again and again until [`leave`](Self::leave). A database that
    /// refuses keeps nobody from starting.
    #[must_use]
    pub fn announce(
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
        let task = tokio::spawn(keep_saying(Arc::clone(&database.vitals), process, clock));
        Self { id, task }
    }

    /// Takes the row away. To be called before the database is closed.
    pub async fn leave(self, database: &Database) {
        // First no more words, then the farewell: the other way round the last one would stay.
        self.task.abort();
        let _ = self.task.await;
        let gone = timeout(LEAVE, database.vitals.depart(&self.id)).await;
        if !matches!(gone, Ok(Ok(()))) {
            tracing::warn!("the row of this process stays in the database until it is forgotten");
        }
    }
}

/// A name that no other start has.
fn name(kind: ProcessKind) -> String {
    let unique = u32::from_be_bytes(random::bytes());
    format!("{}-{}-{unique:08x}", kind.as_str(), std::process::id())
}

async fn keep_saying(vitals: Arc<dyn Vitals>, mut process: Process, clock: Arc<dyn Clock>) {
    let mut is_moved = false;
    loop {
        let now = clock.now();
        process.remark = REMARK.get().cloned();
        let announced = vitals.announce(&process, now, now - FORGOTTEN).await;
        let was_moved = std::mem::replace(
            &mut is_moved,
            matches!(announced, Err(StoreError::Moved(_))),
        );
        match announced {
            Ok(()) => {
                if was_moved {
                    supervisor::status("the database is back");
                }
                sleep(EVERY).await;
                continue;
            }
            Err(error) if is_moved && !was_moved => {
                tracing::error!(%error, "nothing is written");
                supervisor::status(&error.to_string());
            }
            Err(error) => tracing::debug!(%error, "the process could not announce itself"),
        }
        sleep(RETRY).await;
    }
}
