//! How a process does: what it holds of the machine, and how soon it answers.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::support::Client;

/// What a process holds at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vitals {
    /// Open file descriptors.
    pub descriptors: usize,
    /// Memory of its own that is in RAM, in KiB; what is read from files, as the program itself, is not in it.
    pub memory: u64,
    /// How long the readiness answer took, the middle one of three; zero for a process that answers nobody.
    pub latency: Duration,
}

/// What a process may hold more than before, without anything having been lost: connections that the
/// pools open when they need them first, and caches that fill, of which SQLite has 2 MiB for each connection: four that
/// callers read over, four of the process itself, and the writer's, of which no scenario fills all.
const MORE_DESCRIPTORS: usize = 16;
const MORE_MEMORY: u64 = 16 * 1024;

/// Slower than this is not "as before", whatever it was before. On a machine that is busy with other things
/// a ratio to a few milliseconds would say nothing.
const SLOW: Duration = Duration::from_secs(1);

impl Vitals {
    /// Of a process that answers nobody.
    pub fn of(pid: Pid) -> Self {
        let folder = format!("/proc/{}", pid.as_raw_nonzero());
        let folder = Path::new(&folder);
        let status = std::fs::read_to_string(folder.join("status")).unwrap();
        let mut lines = status.lines();
        let resident = lines
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .unwrap();
        let number = resident.trim().trim_end_matches(" kB");
        Self {
            descriptors: std::fs::read_dir(folder.join("fd")).unwrap().count(),
            memory: number.parse().unwrap(),
            latency: Duration::ZERO,
        }
    }

    /// Of an API.
    pub async fn of_api(pid: Pid, client: &Client) -> Self {
        let mut took = Vec::new();
        for _ in 0..3 {
            let begun = Instant::now();
            let answer = client.get("/health/ready").await;
            assert_eq!(answer.status, 200, "{}", answer.shown());
            took.push(begun.elapsed());
        }
        took.sort();
        Self {
            latency: took[1],
            ..Self::of(pid)
        }
    }

    /// Whether these are as good as those were.
    pub fn are_as(&self, before: &Self) -> bool {
        self.descriptors <= before.descriptors + MORE_DESCRIPTORS
            && self.memory <= before.memory + MORE_MEMORY
            && self.latency <= SLOW.max(before.latency * 2)
    }
}
