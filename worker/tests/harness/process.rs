//! A worker as a process of its own, which can be killed, frozen and told to stop.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::Connection;
use tokio::process::{Child, Command};

use super::{Harness, PATIENCE};

const LOG: &str = "workers.log";

/// A worker's process. It is killed when dropped.
pub struct Process {
    child: Child,
}

impl Harness {
    /// Starts the worker's binary.
    pub fn spawn(&self) -> Process {
        self.spawn_with(&[])
    }

    /// Starts it with other settings.
    pub fn spawn_with(&self, changes: &[(&str, &str)]) -> Process {
        let folder = self.path().with_file_name("");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join(LOG))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_smart-notes-worker"))
            .env_clear()
            .envs(self.variables_with(changes))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Process { child }
    }
}

impl Harness {
    /// SIGSTOP: the worker stands still, and says no more that it lives. Not while it writes: it would keep the
    /// database's lock for as long as it is frozen.
    pub async fn freeze(&self, worker: &Process) {
        let mut outside = self.outside().await;
        let lock = outside.begin_with("BEGIN IMMEDIATE").await.unwrap();
        worker.signal(Signal::STOP);
        lock.rollback().await.unwrap();
    }
}

/// What workers said so far.
pub fn said(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(LOG)).unwrap_or_default()
}

impl Process {
    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("the process ends").unwrap()
    }

    /// SIGTERM, and waits for its end.
    pub async fn stop(self) -> ExitStatus {
        self.terminate();
        self.ended().await
    }
}
