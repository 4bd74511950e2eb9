//! `[worker]`: the process that sends mail. The API reads `shutdown_grace` as well.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::Checks;
use super::serde_formats;

/// The concurrency of a worker, and how its death is detected.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Worker {
    /// The address of the metrics listener, if any; it needs no token.
    #[serde(with = "serde_formats::optional_listen")]
    pub metrics_listen: Option<SocketAddr>,
    /// The maximum number of mails in flight; never more than the connections to a relay.
    pub concurrency: usize,
    /// `heartbeat_seconds`: the interval of a worker's heartbeat.
    #[serde(rename = "heartbeat_seconds", with = "serde_formats::seconds")]
    pub heartbeat: Duration,
    /// `lease_seconds`: after this time without a heartbeat, another worker takes over the mails.
    /// At least three heartbeats, so that a single late one has no effect.
    #[serde(rename = "lease_seconds", with = "serde_formats::seconds")]
    pub lease: Duration,
    /// `shutdown_grace_seconds`: how long work in flight may continue after the signal to stop. At
    /// most 20, because recording the results takes a few more seconds and a process must have
    /// exited after 30.
    #[serde(rename = "shutdown_grace_seconds", with = "serde_formats::seconds")]
    pub shutdown_grace: Duration,
    /// `keep_mails_days`: how long finished mails and their attempts are kept.
    #[serde(rename = "keep_mails_days", with = "serde_formats::days")]
    pub keep_mails: Duration,
    /// `suppress_refused_hours`: how long no mail is sent to an address that a relay has refused
    /// permanently; 0 means that every mail is sent.
    #[serde(rename = "suppress_refused_hours", with = "serde_formats::hours")]
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
