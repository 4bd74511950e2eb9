//! Handing mails to a relay over SMTP (RFC 5321), stage by stage.
//!
//! A mail service learns most about its relay from *where* a try ended and *what* was said
//! there, so a try here is always one labelled fact ([`Try`]), never just an error, and one
//! table says what it means ([`classify()`]). The delivery calls [`Relay::send`];
//! nobody else speaks SMTP. [`Relay::probe`] says whether a relay would take mail, without one.
//!
//! The conversation is lettre's `AsyncSmtpConnection` (not its transports: `connection.rs` says
//! why), driven one command at a time over a stream of our own: every stage has a time limit,
//! `TCP_NODELAY` is set, and a connection is dropped on any doubt.

mod attempt;
mod classify;
mod connection;
mod options;
mod pool;
mod relay;
mod reply;
mod tls;
mod trail;
mod wire;

use std::fmt;

use lettre::Address;

pub use attempt::{End, Mark, Stage, Try};
pub use classify::{Verdict, classify};
pub use options::{RelayOptions, Timeouts};
pub use relay::{Relay, RelayError};
pub use reply::Reply;
pub use runtime::settings::{Credentials, RelaySecurity, RelayUrl};

/// Who sends and who receives, as MAIL and RCPT say it: always one of each, so that a refusal
/// is about exactly one recipient.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The address bounces go to.
    pub from: Address,
    /// The one recipient. In ASCII: SMTPUTF8 is not asked for.
    pub to: Address,
}

impl fmt::Debug for Envelope {
    /// The recipient is a person: masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("from", &self.from)
            .field("to", &reply::clean(self.to.as_ref()))
            .finish()
    }
}
