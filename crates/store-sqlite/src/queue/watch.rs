//! Waking up when another process has committed.
//!
//! The kernel tells when the `-wal` file is written (inotify); `PRAGMA data_version` on a
//! connection of its own tells whether that was a commit. The event comes before the commit is
//! visible, since the disk has to confirm it first, so looks follow it: close ones for a usual
//! disk, then wider ones for one that is busy. A slow look every 50 ms is the net under systems
//! where the events fail.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use domain::queue::Watch;
use domain::store::StoreError;
use futures_util::StreamExt;
use inotify::{EventStream, Inotify, WatchMask};
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::time::sleep;

use crate::Options;
use crate::connect::connect_options;
use crate::error::store_error;

/// The net: how often to look without an event.
const NET: Duration = Duration::from_millis(50);

/// After an event: the pauses between looks, and how many of each. The first are together longer than
/// a commit takes on a usual disk, all together as long as the net's pause, from where the net goes on.
const LOOKS: [(Duration, u32); 2] = [
    (Duration::from_millis(1), 12),
    (Duration::from_millis(3), 13),
];

pub(super) struct WalWatch {
    connection: SqliteConnection,
    seen: i64,
    events: Option<EventStream<[u8; 512]>>,
}

impl WalWatch {
    pub(super) async fn start(options: &Options) -> Result<Self, StoreError> {
        let mut connection = connect_options(&options.path, options.busy_timeout)
            .pragma("query_only", "on")
            .connect()
            .await
            .map_err(store_error)?;
        let seen = data_version(&mut connection).await?;
        let mut wal = options.path.clone().into_os_string();
        wal.push("-wal");
        let events = match wal_events(&PathBuf::from(wal)) {
            Ok(events) => Some(events),
            Err(error) => {
                tracing::warn!(%error, "no file events: mails start up to 50 ms later");
                None
            }
        };
        Ok(Self {
            connection,
            seen,
            events,
        })
    }

    async fn has_changed(&mut self) -> Result<bool, StoreError> {
        let version = data_version(&mut self.connection).await?;
        let changed = version != self.seen;
        self.seen = version;
        Ok(changed)
    }

    /// Whether an event came before the net's look was due.
    async fn event(&mut self) -> bool {
        let Some(events) = &mut self.events else {
            sleep(NET).await;
            return false;
        };
        match tokio::time::timeout(NET, events.next()).await {
            Ok(Some(Ok(_))) => true,
            Ok(_) => {
                tracing::warn!("file events ended: mails start up to 50 ms later");
                self.events = None;
                false
            }
            Err(_) => false,
        }
    }
}

#[async_trait]
impl Watch for WalWatch {
    async fn changed(&mut self) -> Result<(), StoreError> {
        loop {
            if self.has_changed().await? {
                return Ok(());
            }
            if self.event().await {
                for (pause, times) in LOOKS {
                    for _ in 0..times {
                        if self.has_changed().await? {
                            return Ok(());
                        }
                        sleep(pause).await;
                    }
                }
            }
        }
    }
}

fn wal_events(wal: &std::path::Path) -> std::io::Result<EventStream<[u8; 512]>> {
    let inotify = Inotify::init()?;
    inotify.watches().add(wal, WatchMask::MODIFY)?;
    inotify.into_event_stream([0; 512])
}

/// A number that changes when another connection has committed.
async fn data_version(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar("pragma data_version")
        .fetch_one(connection)
        .await
        .map_err(store_error)
}
