//! A relay as the delivery sees it: send a mail, probe, close.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::delivery::Word as _;
use lettre::Address;
use lettre::transport::smtp::{authentication, extension::ClientId};
use secrecy::ExposeSecret as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{timeout, timeout_at},
};
use tokio_rustls::rustls::{self, pki_types::ServerName};
use tracing::debug;

use super::{
    Attempt, End, Envelope, RelayOptions, RelayUrl, Reply, Stage,
    connection::{Connection, Target},
    connection_limit::ConnectionLimit,
    dial::Addresses,
    pool::{GOODBYE, Pool},
    progress::{Progress, no_answer},
    secrets::Login,
    slow_lane::Stay,
    tls,
};
use crate::metrics;

/// How long a mail waits for a connection to a relay that takes no more of them. A part of its try; and one that had
/// its slot at once may still go on to the next relay then.
pub(super) const FOR_ROOM: Duration = Duration::from_secs(20);

/// Why a relay can't be set up. The operator must fix each of these.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The file of certificate authorities is missing, unreadable or empty.
    #[error("the file of certificate authorities {} can't be used: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The name for EHLO is not a domain name or IP address.
    #[error("`{0}` cannot be said in EHLO: it must be a domain name or an IP address")]
    HelloName(String),
    /// The host is neither a name nor an address that a certificate could be for.
    #[error("`{0}` is not a host name or an IP address")]
    Host(String),
    /// rustls rejects its own set-up.
    #[error("TLS could not be set up: {0}")]
    Tls(#[source] rustls::Error),
}

/// One relay with its connections. Clones share them.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    name: String,
    target: Target,
    login: Option<Login>,
    pool: Arc<Pool>,
    connection_limit: Arc<ConnectionLimit>,
    free: Arc<Semaphore>,
}

/// The right to one of a relay's connections, for as long as it is kept.
pub struct Slot {
    _kept: Option<OwnedSemaphorePermit>,
}

/// How many connections to a relay are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// With a mail in flight, or being opened for one.
    pub in_use: usize,
    /// Kept for the next mail.
    pub idle: usize,
}

/// What was found at a relay that would take mail.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The address that answered.
    pub address: SocketAddr,
    /// The relay's own certificate (DER), if the connection is encrypted.
    pub certificate: Option<Vec<u8>>,
    /// Whether it took a user and a password.
    pub logged_in: bool,
}

impl Relay {
    /// Sets a relay up; nothing is sent yet. Reads `ca_file`.
    pub fn new(url: RelayUrl, options: RelayOptions) -> Result<Self, RelayError> {
        let host = url.host.trim_matches(['[', ']']).to_owned();
        let name = if host.contains(':') {
            format!("[{host}]:{}", url.port)
        } else {
            format!("{host}:{}", url.port)
        };
        let server_name =
            ServerName::try_from(host.clone()).map_err(|_| RelayError::Host(host.clone()))?;
        let login = (url.credentials.as_ref())
            .map(|login| Login::new(&login.user, login.password.expose_secret()));
        let credentials = url.credentials.map(|credentials| {
            authentication::Credentials::new(
                credentials.user,
                credentials.password.expose_secret().to_owned(),
            )
        });
        let connection_limit = Arc::default();
        let pool = Pool::new(&options, Arc::clone(&connection_limit));
        let target = Target {
            port: url.port,
            security: url.security,
            credentials,
            hello: client_id(options.hello_name)?,
            connector: tls::connector(options.ca_file.as_deref(), options.verify)?,
            server_name,
            timeouts: options.timeouts,
            addresses: Addresses::default(),
            host,
        };
        Ok(Self(Arc::new(Inner {
            name,
            target,
            login,
            pool,
            connection_limit,
            free: Arc::new(Semaphore::new(options.max_connections.max(1))),
        })))
    }

    /// The relay as `host:port`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Waits until one of the relay's connections is free, at most until that time.
    pub async fn slot(&self, until: tokio::time::Instant) -> Option<Slot> {
        timeout_at(until, self.free()).await.ok()
    }

    /// The longest wait for that.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.0.target.timeouts.slot
    }

    async fn free(&self) -> Slot {
        // The semaphore is never closed, so this always is a permit.
        let kept = Arc::clone(&self.0.free).acquire_owned().await.ok();
        Slot { _kept: kept }
    }

    /// Hands one mail over, on an idle connection or a new one.
    ///
    /// `message` must be 7-bit with CRLF line ends; dots are stuffed here (RFC 5321 §4.5.2).
    /// `permit` is awaited at most once: after the relay's 354 and before the first byte of the
    /// message. On an `Err`, which says why, the connection is dropped without the end of data, so the relay
    /// cannot accept anything (RFC 5321 §4.1.1.4).
    ///
    /// Waits for one of the relay's connections to be free; that wait is not part of the attempt.
    /// Dropping the future closes its connection; it cannot disturb another mail.
    pub async fn send(
        &self,
        envelope: &Envelope,
        message: &[u8],
        permit: impl Future<Output = Result<(), String>> + Send,
    ) -> Attempt {
        let slot = self.free().await;
        self.send_in(&slot, None, envelope, message, permit).await
    }

    /// The same for a caller that has a slot already; it must be kept to the end. `stay` says how long that may be
    /// while other mails need the connection.
    pub async fn send_in(
        &self,
        _slot: &Slot,
        stay: Option<&Stay>,
        envelope: &Envelope,
        message: &[u8],
        permit: impl Future<Output = Result<(), String>> + Send,
    ) -> Attempt {
        let begun = Instant::now();
        let mut progress = Progress::new();
        let limit = self.0.target.timeouts.whole_try;
        let step = progress.step();
        let sent = self.0.attempt(envelope, message, permit, &mut progress);
        let is_over = async {
            match stay {
                Some(stay) => stay.is_over(step).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            // An answer counts even if it comes in the moment in which the attempt is cut.
            biased;
            sent = timeout(limit, sent) => match sent {
                Ok(Ok(reply)) => End::Accepted(reply),
                Ok(Err(end)) => end,
                Err(_) => End::Failed(format!("the attempt as a whole took longer than {limit:?}")),
            },
            end = is_over => end,
        };
        if let (End::Accepted(_), Some(stay)) = (&end, stay) {
            stay.accepted(progress.timing());
        }
        let attempt = self.0.tell(&progress, end, begun, Some(envelope));
        metrics::tried(&attempt);
        attempt
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let idle = self.0.pool.idle();
        let in_use = self.0.connection_limit.open().saturating_sub(idle);
        Connections { in_use, idle }
    }

    /// Connects, starts TLS, says hello and authenticates, but sends no mail. On a connection of
    /// its own, beyond the limit, so that hanging attempts cannot keep it waiting.
    ///
    /// The error is the attempt that failed, to be classified like any other.
    pub async fn probe(&self) -> Result<(), Box<Attempt>> {
        self.inspect(None).await.map(drop)
    }

    /// The same, and tells what was found on the way. `from`: asks whether mails from there are taken, too.
    pub async fn inspect(&self, from: Option<&Address>) -> Result<Inspected, Box<Attempt>> {
        let begun = Instant::now();
        let mut progress = Progress::new();
        let limit = self.0.target.timeouts.probe;
        let target = &self.0.target;
        let open = async {
            let mut connection = Connection::open(target, &mut progress).await?;
            if let Some(from) = from {
                (connection.takes_from(&target.timeouts, from, &mut progress)).await?;
            }
            Ok(connection)
        };
        let opened = timeout(limit, open).await;
        match opened.unwrap_or_else(|_| Err(no_answer(limit))) {
            Ok(connection) => {
                let found = Inspected {
                    address: connection.peer(),
                    certificate: connection.certificate(),
                    logged_in: self.0.target.credentials.is_some(),
                };
                connection.quit(GOODBYE).await;
                Ok(found)
            }
            Err(end) => Err(Box::new(self.0.tell(&progress, end, begun, None))),
        }
    }

    /// Closes all idle connections with QUIT. Attempts in flight go on; their connections are not kept.
    pub async fn close(&self) {
        self.0.pool.close().await;
    }
}

impl Inner {
    async fn attempt(
        &self,
        envelope: &Envelope,
        message: &[u8],
        permit: impl Future<Output = Result<(), String>> + Send,
        progress: &mut Progress,
    ) -> Result<Reply, End> {
        let mut connection = self.connection(progress).await?;
        let timeouts = &self.target.timeouts;
        let end = connection
            .hand_over(timeouts, envelope, message, permit, progress)
            .await;
        if still_in_step(progress.stage(), &end) {
            self.pool.put(connection);
        }
        end
    }

    /// An idle connection that answers RSET, or a new one; or, where the relay accepts no more, the next that
    /// comes free. A stale connection does not count against the mail.
    async fn connection(&self, progress: &mut Progress) -> Result<Connection, End> {
        let deadline = tokio::time::Instant::now() + FOR_ROOM;
        loop {
            let mut change = pin!(self.connection_limit.change());
            // From now on: what comes free while we look is not missed.
            change.as_mut().enable();
            if let Some(mut connection) = self.pool.take() {
                if connection.reset(self.target.timeouts.reset).await {
                    progress.reused = true;
                    return Ok(connection);
                }
                debug!(smtp.relay = %self.name, "an idle connection had gone stale");
            }
            let (full_until, reply) = match self.connection_limit.enter() {
                Err(full) => full,
                Ok(permit) => match Connection::open(&self.target, progress).await {
                    Ok(mut connection) => {
                        connection.keep(permit);
                        return Ok(connection);
                    }
                    Err(End::Refused(reply))
                        if ConnectionLimit::is_denied_by(progress.stage(), &reply)
                            && permit.was_denied(&reply) =>
                    {
                        continue;
                    }
                    Err(end) => return Err(end),
                },
            };
            progress.waits();
            if timeout_at(deadline.min(full_until), change).await.is_err()
                && tokio::time::Instant::now() >= deadline
            {
                progress.reach(Stage::Greeting);
                return Err(End::Refused(reply));
            }
        }
    }

    /// The attempt's result, fit to be kept and shown. Until here texts are as the relay sent them.
    fn tell(
        &self,
        progress: &Progress,
        end: End,
        begun: Instant,
        mail: Option<&Envelope>,
    ) -> Attempt {
        let strike = |text: &str| {
            let text = match &self.login {
                Some(login) => login.strike(text),
                None => text.to_owned(),
            };
            match mail {
                Some(mail) => mail.secrets.strike(Some(&mail.to), &text),
                None => text,
            }
        };
        let attempt = Attempt {
            relay: self.name.clone(),
            reused: progress.reused,
            stage: progress.stage(),
            end: end.cleaned(strike),
            end_of_data_written: progress.end_of_data_written(),
            duration: begun.elapsed(),
        };
        debug!(
            smtp.stage = attempt.stage.as_str(),
            smtp.code = attempt.reply().map(|reply| reply.code),
            smtp.reused = attempt.reused,
            duration_ms = attempt.duration.as_millis(),
            "{attempt}"
        );
        attempt
    }
}

/// Whether the next mail may use the connection: the relay took this one, or clearly refused its
/// recipient or its content.
fn still_in_step(stage: Stage, end: &Result<Reply, End>) -> bool {
    match end {
        Ok(_) => true,
        Err(End::Refused(reply)) => {
            stage >= Stage::Rcpt && (400..600).contains(&reply.code) && reply.code != 421
        }
        Err(_) => false,
    }
}

/// What EHLO says (RFC 5321 §4.1.1.1). Checked, as it stands in a command line.
fn client_id(name: String) -> Result<ClientId, RelayError> {
    // An address literal (RFC 5321, section 4.1.3) may be written with its brackets, and IPv6 with its tag.
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
    match bare.parse() {
        Ok(IpAddr::V4(address)) => Ok(ClientId::Ipv4(address)),
        Ok(IpAddr::V6(address)) => Ok(ClientId::Ipv6(address)),
        Err(_) => {
            let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            if !name.is_empty() && name.len() <= 255 && name.chars().all(part) {
                Ok(ClientId::Domain(name))
            } else {
                Err(RelayError::HelloName(name))
            }
        }
    }
}

#[cfg(test)]
mod tests;
