//! A worker inside the test's process, on the harness's clock.

use std::sync::Arc;

use runtime::database::{Database, Role};
use runtime::shutdown::Shutdown;
use smart_notes_worker::WorkerError;
use tokio::task::JoinHandle;

use super::{Harness, PATIENCE};

/// A running worker.
pub struct Running {
    shutdown: Shutdown,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Harness {
    /// Starts a worker.
    pub async fn start(&self) -> Running {
        self.start_with(&[]).await
    }

    /// Starts a worker with other settings, and a database handle of its own.
    pub async fn start_with(&self, changes: &[(&str, &str)]) -> Running {
        let settings = self.settings(changes);
        let shutdown = Shutdown::new();
        let database = Database::open(&settings, Role::Worker, &shutdown)
            .await
            .unwrap();
        let (clock, stop) = (Arc::clone(&self.clock), shutdown.clone());
        let task = tokio::spawn(async move {
            let ended = smart_notes_worker::run(&settings, &database, clock, &stop).await;
            database.close().await;
            ended
        });
        Running { shutdown, task }
    }
}

impl Running {
    /// Tells the worker to stop.
    pub fn tell_to_stop(&self) {
        self.shutdown.trigger();
    }

    /// Waits until it has stopped, in good order.
    pub async fn stopped(self) {
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("the worker stops").unwrap().unwrap();
    }

    /// Both.
    pub async fn stop(self) {
        self.tell_to_stop();
        self.stopped().await;
    }
}
