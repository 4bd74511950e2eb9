//! The threads that a program runs on, and its end: called by each `main`.

use std::future::Future;
use std::io::Write;

use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::hints;
use crate::printable::printable;

/// Runs a program to its end, on a thread a core. What still blocks a thread then does not hold the process: the
/// system's resolver may ask silent name servers for half a minute, and nothing can make it stop. `tokio::main` waits
/// for that.
///
/// A write beyond the size that files may have (`RLIMIT_FSIZE`) fails, as on a full disk; the signal that comes with it
/// would end the program.
///
/// # Panics
///
/// If the system gives no threads.
pub fn run<T>(program: impl Future<Output = T>) -> T {
    let threads = Runtime::new().expect("a program needs threads");
    let end = threads.block_on(async {
        // One listener is enough, and it lasts.
        let _signal = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
        program.await
    });
    threads.shutdown_background();
    end
}

/// Says on the standard error why a program failed, if anybody listens there; `eprintln!` panics if not.
pub fn complain(program: &str, why: &str) {
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
