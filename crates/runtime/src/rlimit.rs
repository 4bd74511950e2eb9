//! The limit of open files and sockets of the process (`RLIMIT_NOFILE`).
//!
//! Separate from the programs because all that hold connections need it: each connection takes a
//! file descriptor, and most systems start a process with a soft limit of 1024. That limit protects
//! programs that call `select(2)`, which none of these does. A process may raise its soft limit up
//! to the hard limit. `main` calls [`raise`] once the log runs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors besides connections: the files of the database, the log, and those of tokio.
const OTHERS: u64 = 64;

/// Raises the soft limit to the hard limit. Warns if this number of connections does not fit; the
/// process continues, because it may never hold that many.
pub fn raise(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "could not raise the limit of file descriptors");
    }
    let needed = u64::try_from(connections)
        .unwrap_or(u64::MAX)
        .saturating_add(OTHERS);
    if let Some(allowed) = getrlimit(Resource::Nofile).current
        && allowed < needed
    {
        tracing::warn!(
            descriptors.allowed = allowed,
            descriptors.needed = needed,
            "the limit of open files is too low for max_connections: lower that setting, or raise the hard limit (LimitNOFILE= in a systemd unit, `ulimit -Hn` in a shell)"
        );
    }
}
