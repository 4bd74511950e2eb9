//! Tells a process to stop, and decides its exit code.
//!
//! Separate from the programs because all of them behave the same: SIGTERM or SIGINT lets work in
//! flight finish, a second signal exits at once, and an unrecoverable error ends the process with
//! an exit code that a supervisor notices. `main` creates one [`Shutdown`] and passes clones to its
//! parts.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{Signal as Listener, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::systemd;

/// The handle that stops the process. Clones stop the same process.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    reason: Arc<Mutex<Option<Reason>>>,
}

/// The reason why the process stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// [`Shutdown::trigger`] was called.
    Triggered,
    /// The operator or the supervisor sent a signal.
    Signal(Signal),
    /// A part reported an unrecoverable error.
    Fatal(String),
}

/// A signal that stops a process gracefully.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: sent by supervisors.
    Terminate,
}

impl Shutdown {
    /// A handle that only [`trigger`](Self::trigger) and [`fatal`](Self::fatal) stop.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A handle that SIGTERM and SIGINT stop as well. A second signal of either kind exits at once
    /// with 128 plus its number (130 or 143) and writes a line to standard error.
    ///
    /// # Errors
    ///
    /// The operating system refused to register a signal handler.
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
            tracing::info!(signal = %first, "stopping; requests and mails in flight may finish");
            handle.end(Reason::Signal(first));
            let second = signals.next().await;
            // Not `eprintln!`, which panics if standard error is closed and would prevent the exit.
            let _ = writeln!(
                io::stderr(),
                "{second} again: exiting at once, work in flight is abandoned"
            );
            std::process::exit(second.exit_code().into());
        });
        Ok(shutdown)
    }

    /// Waits until the process is told to stop. Safe to drop and to call again.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Whether the process was told to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The handle as a token, for libraries that need one. Cancelling it records no reason.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Starts a graceful stop.
    pub fn trigger(&self) {
        self.end(Reason::Triggered);
    }

    /// Starts a stop because of an error; the reason tells the operator what failed and what to do.
    /// From now on [`exit_code`](Self::exit_code) is a failure, even if a stop had already started.
    pub fn fatal(&self, reason: impl Into<String>) {
        self.end(Reason::Fatal(reason.into()));
    }

    /// The reason why the process stops: the first error, else the first reason.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The exit code for `main`: failure after an error, else success.
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
            systemd::stopping();
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
            Self::Triggered => f.write_str("told to stop"),
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
