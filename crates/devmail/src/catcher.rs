//! The running catcher: starts the SMTP and HTTP servers and returns their handles.
//!
//! Separate from both so that neither depends on the other. Used by the development command and by
//! tests and benchmarks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::archive::Archive;
use crate::config::{Config, StartError};
use crate::fault::{Fault, Faults};
use crate::inbox::Inbox;
use crate::stage::{Stage, Stages, TimedOut};
use crate::{http, smtp};

/// A running catcher. Dropping it stops everything that it started.
///
/// ```
/// use smart_notes_devmail::{Catcher, Config};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), smart_notes_devmail::StartError> {
/// let catcher = Catcher::start(Config::default()).await?;
/// println!("send mail to {}", catcher.smtp_addr());
/// assert!(catcher.inbox().to("ada@example.com").is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Catcher {
    smtp: SocketAddr,
    http: Option<SocketAddr>,
    inbox: Inbox,
    faults: Faults,
    stages: Stages,
    /// Dropping the set aborts the tasks, and each of them owns its connections.
    tasks: JoinSet<()>,
}

impl Catcher {
    /// Starts listening and serves in the background, on the current runtime.
    #[expect(
        clippy::unused_async,
        reason = "it spawns tasks, so it must be called on a runtime"
    )]
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let archive = match &config.archive {
            None => None,
            Some(path) => Some(Archive::open(path).map_err(|source| StartError::Archive {
                path: path.clone(),
                source,
            })?),
        };
        let refused = |source| StartError::Smtp {
            address: config.smtp,
            source,
        };
        let listener = smtp::listen(config.smtp).map_err(refused)?;
        let smtp = listener.local_addr().map_err(refused)?;

        let (commands, command_receiver) = mpsc::channel(1);
        let shared = Arc::new(smtp::Shared {
            inbox: Inbox::new(config.keep),
            faults: Faults::new(test_domain_faults(&config), commands),
            stages: Stages::default(),
            archive,
        });
        let mut tasks = JoinSet::new();
        let http = match config.http {
            None => None,
            Some(address) => {
                let refused = |source| StartError::Http { address, source };
                let listener = smtp::listen(address).map_err(refused)?;
                let address = listener.local_addr().map_err(refused)?;
                tasks.spawn(http::run(listener, address, smtp, shared.inbox.clone()));
                Some(address)
            }
        };
        tasks.spawn(smtp::run(
            listener,
            smtp,
            Arc::clone(&shared),
            command_receiver,
        ));
        Ok(Self {
            smtp,
            http,
            inbox: shared.inbox.clone(),
            faults: shared.faults.clone(),
            stages: shared.stages.clone(),
            tasks,
        })
    }

    /// The address of the SMTP server, with the port actually bound.
    #[must_use]
    pub fn smtp_addr(&self) -> SocketAddr {
        self.smtp
    }

    /// The address of the web inbox, if it was configured.
    #[must_use]
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http
    }

    /// The caught mails.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The handle for injecting faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Counts of the SMTP stages that connections have reached.
    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Waits until connections have reached `stage` `n` times since the start. [`Stages::next`]
    /// counts from the call instead.
    pub async fn wait_stage(
        &self,
        stage: Stage,
        n: u64,
        timeout: Duration,
    ) -> Result<(), TimedOut> {
        self.stages.wait(stage, n, timeout).await
    }

    /// Stops listening and closes all connections.
    pub async fn shutdown(mut self) {
        // The listener's own connections first: aborting its task alone would not wait for them.
        let _ = self.faults.cut_connections().await;
        self.tasks.shutdown().await;
    }
}

/// The replies for the two test domains that show retries and bounces.
fn test_domain_faults(config: &Config) -> Vec<Fault> {
    if !config.refuse_test_domains {
        return Vec::new();
    }
    vec![
        Fault::reply(
            Stage::Rcpt,
            451,
            "4.3.0 Try again later (tempfail.test is refused twice)",
        )
        .to_domain("tempfail.test")
        .times_per_recipient(2),
        Fault::reply(
            Stage::Rcpt,
            550,
            "5.1.1 No such mailbox (bounce.test is always refused)",
        )
        .to_domain("bounce.test"),
    ]
}
