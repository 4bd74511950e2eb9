//! `[worker]`: the process that sends mail. The API reads `shutdown_grace` as well.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Checks;
use super::units;

/// How much a worker does at once, and how others notice that it died.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Worker {
    /// Where metrics are served, if anywhere: without a token.
    #[serde(with = "units::optional_listen")]
    pub metrics_listen: Option<SocketAddr>,
    /// Mails in hand at once; a worker takes no more than it has connections to a relay.
    pub concurrency: usize,
    /// `heartbeat_seconds`: how often a worker says that it is alive.
    #[serde(rename = "heartbeat_seconds", with = "units::seconds")]
    pub heartbeat: Duration,
    /// `lease_seconds`: a worker silent for so long loses its mails to another; three
    /// heartbeats at least, so that one that came late costs nothing.
    #[serde(rename = "lease_seconds", with = "units::seconds")]
    pub lease: Duration,
    /// `shutdown_grace_seconds`: for what is in hand when a process is told to stop; 20 at
    /// most, because what is then still to be written down needs a few seconds more, and after
    /// 30 a process that was told to stop has promised to be gone.
    #[serde(rename = "shutdown_grace_seconds", with = "units::seconds")]
    pub shutdown_grace: Duration,
    /// `keep_mails_days`: how long mails that are over are kept, with their tries.
    #[serde(rename = "keep_mails_days", with = "units::days")]
    pub keep_mails: Duration,
    /// `suppress_refused_hours`: for how long no relay is asked again about an address that one has
    /// refused for good; 0: every mail is tried.
    #[serde(rename = "suppress_refused_hours", with = "units::hours")]
    pub suppress_refused: Duration,
}

impl Worker {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        let (heartbeat, lease) = (self.heartbeat.as_secs(), self.lease.as_secs());
        checks.range("worker.concurrency", self.concurrency, 1..=1024);
        checks.range("worker.heartbeat_seconds", heartbeat, 1..=3600);
        checks.range(
            "worker.shutdown_grace_seconds",
            self.shutdown_grace.as_secs(),
            1..=20,
        );
        checks.range(
            "worker.keep_mails_days",
            self.keep_mails.as_secs() / 86_400,
            1..=3650,
        );
        checks.range(
            "worker.suppress_refused_hours",
            self.suppress_refused.as_secs() / 3600,
            0..=24 * 365,
        );
        checks.require(
            lease >= heartbeat.saturating_mul(3),
            "worker.lease_seconds",
            format!(
                "{lease} s is less than three times worker.heartbeat_seconds ({heartbeat} s): a \
                 living worker would lose its mails. Raise it, or lower the other"
            ),
        );
    }
}
