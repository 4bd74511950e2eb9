//! Waking up when another process has committed.
//!
//! The kernel tells when the `-wal` file is written (inotify); `PRAGMA data_version` on a
//! connection of its own tells whether that was a commit. The event comes before the commit is
//! visible, since the disk has to confirm it first, so looks follow it: close ones for a usual
//! disk, then wider and wider ones for one that is busy. The widest, every 50 ms, are the net
//! where the events fail, and all there is on systems other than Linux.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::queue::{Keys, Watch};
use domain::store::StoreError;
use futures_util::StreamExt;
use jiff::Timestamp;
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::time::{sleep, timeout};

use super::due_jobs::first_due;
use crate::Options;
use crate::connect::connect_options;
use crate::error::store_error;

/// The net: how often to look without an event.
const NET: Duration = Duration::from_millis(50);

/// The least pause between two looks.
const LOOK: Duration = Duration::from_millis(1);

/// A pause is this part of the time since the last event: a commit is seen later than it could be by
/// an eighth of what the disk took to confirm it, and a quiet database costs little.
const PART: u32 = 8;

pub(crate) struct WalWatch {
    connection: SqliteConnection,
    seen: i64,
    events: Option<Events>,
    last_event: Instant,
}

impl WalWatch {
    pub(crate) async fn start(options: &Options) -> Result<Self, StoreError> {
        let mut connection = connect_options(&options.path, options.busy_timeout)
            .pragma("query_only", "on")
            .connect()
            .await
            .map_err(store_error)?;
        let seen = data_version(&mut connection).await?;
        let mut wal = options.path.clone().into_os_string();
        wal.push("-wal");
        let events = wal_events(&PathBuf::from(wal)).unwrap_or_else(|error| {
            tracing::warn!(%error, "no file events: mails start up to 50 ms later");
            None
        });
        Ok(Self {
            connection,
            seen,
            events,
            last_event: Instant::now(),
        })
    }

    async fn has_changed(&mut self) -> Result<bool, StoreError> {
        let version = data_version(&mut self.connection).await?;
        let changed = version != self.seen;
        self.seen = version;
        Ok(changed)
    }

    /// Waits until an event comes or the next look is due.
    async fn pause(&mut self) {
        let pause = (self.last_event.elapsed() / PART).clamp(LOOK, NET);
        let Some(events) = &mut self.events else {
            sleep(pause).await;
            return;
        };
        match timeout(pause, events.next()).await {
            Ok(Some(Ok(_))) => self.last_event = Instant::now(),
            Ok(_) => {
                tracing::warn!("file events ended: mails start up to 50 ms later");
                self.events = None;
            }
            Err(_) => {}
        }
    }
}

#[async_trait]
impl Watch for WalWatch {
    async fn changed(&mut self) -> Result<(), StoreError> {
        while !self.has_changed().await? {
            self.pause().await;
        }
        Ok(())
    }

    async fn first_due(
        &mut self,
        ranks: &[i64],
        keys: &Keys,
        now: Timestamp,
    ) -> Result<Option<Vec<Option<Timestamp>>>, StoreError> {
        first_due(&mut self.connection, ranks, keys, now).await
    }
}

#[cfg(target_os = "linux")]
type Events = inotify::EventStream<[u8; 512]>;

#[cfg(not(target_os = "linux"))]
type Events = futures_util::stream::Pending<io::Result<()>>;

/// An event for each write to the file; `None` where the system has none.
#[cfg(target_os = "linux")]
fn wal_events(wal: &Path) -> io::Result<Option<Events>> {
    use inotify::{Inotify, WatchMask};

    let inotify = Inotify::init()?;
    inotify.watches().add(wal, WatchMask::MODIFY)?;
    inotify.into_event_stream([0; 512]).map(Some)
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "as on Linux")]
fn wal_events(_: &Path) -> io::Result<Option<Events>> {
    Ok(None)
}

/// A number that changes when another connection has committed.
async fn data_version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar("pragma data_version")
        .fetch_one(connection)
        .await
        .map_err(store_error)
}
