//! One program as a child process, with its log in a file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{PATIENCE, Place, until};

/// A running program. Dropping it kills it.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program in that place, with its variables and nothing else of the environment.
    pub fn start(program: &Path, name: &str, place: &Place) -> Self {
        Self::start_command(Command::new(program), name, place)
    }

    /// The same for a command that starts a program in its own way.
    pub fn start_command(mut command: Command, name: &str, place: &Place) -> Self {
        let log = place.path().join(format!("{name}.log"));
        let errors = File::options().create(true).append(true).open(&log);
        let variables = place.variables().iter().map(|(name, value)| (name, value));
        let child = command
            .env_clear()
            .envs(variables)
            .current_dir(place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors.unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { child, log }
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until a text stands in the log, and returns the last line that has it.
    pub async fn logged(&mut self, text: &str) -> String {
        until(&format!("`{text}` is logged"), async || {
            let log = self.log();
            let line = log.lines().rev().find(|line| line.contains(text));
            let line = line.map(str::to_owned);
            let ended = self.child.try_wait().unwrap();
            assert!(line.is_some() || ended.is_none(), "{ended:?}: {log}");
            line
        })
        .await
    }

    /// Its number in the system.
    pub fn pid(&self) -> Pid {
        let id = self.child.id().expect("it has not been waited for");
        Pid::from_raw(i32::try_from(id).unwrap()).unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Asks it to end, as a supervisor does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it as a crash does, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends").unwrap()
    }
}
