//! What the doctor asks of the network, and by whom it has that asked: an SMTP client and a resolver are the program's, not
//! this library's.

use async_trait::async_trait;
use jiff::Timestamp;
use runtime::settings::{RelayUrl, Smtp};

/// Relays and name servers.
#[async_trait]
pub trait Network: Send + Sync {
    /// Sets a relay of the settings up, and does not connect to it yet. The error says why that can't be.
    fn relay(&self, url: &RelayUrl, smtp: &Smtp) -> Result<Box<dyn RelayProbe>, String>;
    /// The TXT records of a name; none if there is no such name. The error says why that is not known.
    async fn txt(&self, name: &str) -> Result<Vec<String>, String>;
}

/// One relay.
#[async_trait]
pub trait RelayProbe: Send + Sync {
    /// The relay as `host:port`.
    fn name(&self) -> &str;
    /// Whether it would take a mail from the sender of the settings. No mail is sent.
    async fn inspect(&self) -> Result<RelayAnswer, RelayFailure>;
}

/// A relay that would take mail.
pub struct RelayAnswer {
    /// How the connection is protected.
    pub security: Security,
    /// Whether it took a user and a password.
    pub logged_in: bool,
}

/// How a connection is protected.
pub enum Security {
    /// Not at all.
    None,
    /// By TLS.
    Tls {
        /// Until when the relay's certificate is good; `None` if it can't be read.
        until: Option<Timestamp>,
    },
}

/// A relay that would not.
pub struct RelayFailure {
    /// What happened, in a sentence.
    pub message: String,
    /// How it is mended.
    pub mend: &'static str,
}
