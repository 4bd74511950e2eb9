//! How a process learns that it has to end, and with which exit code it does.
//!
//! Apart from the programs because all of them promise the same: SIGTERM or SIGINT lets
//! what is in hand finish, a second signal ends at once, and a fault nobody can mend ends
//! the process with an exit code that a supervisor notices. `main` makes one [`Shutdown`]
//! and hands clones to its parts.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{Signal as Listener, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::supervisor;

/// A handle on the end of the process; clones are handles on the same end.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    reason: Arc<Mutex<Option<Reason>>>,
}

/// Why the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody called [`Shutdown::trigger`].
    Triggered,
    /// The operator, or the supervisor, sent a signal.
    Signal(Signal),
    /// A part reported a fault it can't go on with.
    Fatal(String),
}

/// A signal that ends a process in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: what supervisors send.
    Terminate,
}

impl Shutdown {
    /// A handle that only [`trigger`](Self::trigger) and [`fatal`](Self::fatal) end.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle that SIGTERM and SIGINT end as well. The second of them, whichever it is,
    /// exits at once with 128 plus its number (130 or 143) and says so on standard error.
    ///
    /// # Errors
    ///
    /// The system refused to hand over a signal.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::new();
        let mut signals = Signals::listen()?;
        let handle = shutdown.clone();
        tokio::spawn(async move {
            let first = signals.next().await;
            tracing::info!(signal = %first, "stopping; what is in hand may finish");
            handle.end(Reason::Signal(first));
            let second = signals.next().await;
            // Not `eprintln!`, which panics where nobody listens, and the exit would not come.
            let _ = writeln!(
                io::stderr(),
                "{second} again: exiting at once, what was in hand is left behind"
            );
            std::process::exit(second.exit_code().into());
        });
        Ok(shutdown)
    }

    /// Waits for the end to begin. Safe to drop and to call again.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Whether the end has begun.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The end as a token, for libraries that ask for one. Cancelling it gives no reason.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Begins the end, in good order.
    pub fn trigger(&self) {
        self.end(Reason::Triggered);
    }

    /// Begins the end because of a fault: what failed and what to do, for the operator.
    /// [`exit_code`](Self::exit_code) is a failure from now on, even if the end had begun.
    pub fn fatal(&self, reason: impl Into<String>) {
        self.end(Reason::Fatal(reason.into()));
    }

    /// Why the process ends; the first fault, else the first reason of all.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// For the end of `main`: failure after a fault, else success.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.reason() {
            Some(Reason::Fatal(_)) => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        }
    }

    fn end(&self, new: Reason) {
        let mut reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        let faulty = matches!(*reason, Some(Reason::Fatal(_)));
        if reason.is_none() || (matches!(new, Reason::Fatal(_)) && !faulty) {
            *reason = Some(new);
        }
        drop(reason);
        if !self.token.is_cancelled() {
            supervisor::stopping();
        }
        self.token.cancel();
    }
}

impl Signal {
    /// 128 plus the signal's number, as shells report a process that a signal ended.
    fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Triggered => f.write_str("asked to stop"),
            Self::Signal(signal) => signal.fmt(f),
            Self::Fatal(fault) => f.write_str(fault),
        }
    }
}

struct Signals {
    interrupt: Listener,
    terminate: Listener,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}
