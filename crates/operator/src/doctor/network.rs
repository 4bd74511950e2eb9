//! What the checks ask of the network. The program provides it: an SMTP client and a DNS resolver don't belong in this
//! library.

use async_trait::async_trait;
use jiff::Timestamp;
use runtime::settings::{RelayUrl, Smtp};

/// Relays and name servers.
#[async_trait]
pub trait Network: Send + Sync {
    /// Sets up a relay of the settings without connecting to it. The error says why that is not possible.
    fn relay(&self, url: &RelayUrl, smtp: &Smtp) -> Result<Box<dyn RelayProbe>, String>;
    /// The TXT records of a name; none if there is no such name. The error says why the lookup failed.
    async fn txt(&self, name: &str) -> Result<Vec<String>, String>;
}

/// One relay.
#[async_trait]
pub trait RelayProbe: Send + Sync {
    /// The relay as `host:port`.
    fn name(&self) -> &str;
    /// Whether it would accept a mail from the sender of the settings. No mail is sent.
    async fn inspect(&self) -> Result<RelayAnswer, RelayFailure>;
}

/// A relay that would accept mail.
pub struct RelayAnswer {
    /// How the connection is protected.
    pub security: Security,
    /// Whether it accepted a user and a password.
    pub logged_in: bool,
}

/// How a connection is protected.
pub enum Security {
    /// Not at all.
    None,
    /// By TLS.
    Tls {
        /// When the relay's certificate expires; `None` if it can't be read.
        until: Option<Timestamp>,
    },
}

/// A relay that would not accept mail.
pub struct RelayFailure {
    /// What happened, in a sentence.
    pub message: String,
    /// How to fix it.
    pub fix: &'static str,
}
