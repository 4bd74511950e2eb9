//! The threads of a program and its exit: called by each `main`.

use std::future::Future;
use std::io::Write;

use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::hints;
use crate::printable::printable;

/// Runs a program to its end, with one thread per core. Then the process exits even if a thread
/// still blocks: the system resolver may wait half a minute for silent name servers and can't be
/// interrupted. `tokio::main` would wait for it.
///
/// A write beyond the maximum file size (`RLIMIT_FSIZE`) fails, as on a full disk; the signal that
/// accompanies it (SIGXFSZ) is ignored, because it would kill the program.
///
/// # Panics
///
/// If the operating system can't start threads.
pub fn run<T>(program: impl Future<Output = T>) -> T {
    let threads = Runtime::new().expect("the operating system starts threads");
    let end = threads.block_on(async {
        // One registration is enough; it is never removed.
        let _signal = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
        program.await
    });
    threads.shutdown_background();
    end
}

/// Writes to standard error why a program failed. `eprintln!` would panic if standard error is
/// closed.
pub fn print_error(program: &str, why: &str) {
    let text = format!("{program}: {why}");
    let _ = writeln!(std::io::stderr(), "{}", printable(&hints::complete(&text)));
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thread_that_blocks_does_not_hold_the_program_at_its_end() {
        let (keeps_it_blocked, blocked) = mpsc::channel::<()>();
        let (ends, ended) = mpsc::channel();

        thread::spawn(move || {
            let (begins, begun) = tokio::sync::oneshot::channel();
            let end = run(async {
                tokio::task::spawn_blocking(move || {
                    let _ = begins.send(());
                    let _ = blocked.recv();
                });
                begun.await
            });
            ends.send(end)
        });

        let end = ended.recv_timeout(Duration::from_secs(20));
        assert_eq!(end, Ok(Ok(())));
        drop(keeps_it_blocked);
    }
}
