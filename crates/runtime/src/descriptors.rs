//! How many files and sockets the process may have open.
//!
//! Apart from the programs because all that hold connections need it: each takes a file
//! descriptor, and most systems start a process with 1024 of them at most. That soft limit is
//! for programs that call `select(2)`, which none of ours does; a process may raise its own up
//! to the hard one. `main` calls [`raise_limit`] once the log runs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open besides connections: the database's files, the log, the runtime's own.
const OTHERS: u64 = 64;

/// Raises the soft limit to the hard one. Warns if so many connections don't fit below it; the
/// process runs all the same, since it may never hold that many.
pub fn raise_limit(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of file descriptors stays as it is");
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
            "the system allows fewer open files than max_connections can need: lower that setting, or raise the hard limit (LimitNOFILE= in a systemd unit, `ulimit -Hn` in a shell)"
        );
    }
}
