//! Handing mails to a relay over SMTP (RFC 5321), stage by stage.
//!
//! Where an attempt ended and what the relay said there matters most, so the result of an attempt is always an
//! [`Attempt`], never just an error, and one table says what it means ([`classify()`]).
//!
//! A [`Relay`] sends one mail ([`Relay::send`]) or finds out whether it would
//! ([`Relay::probe`]). [`Relays`] are several in the operator's order, each with a
//! [`breaker`]: the delivery calls [`Relays::hand_over`], and no other module speaks SMTP.
//!
//! The conversation is lettre's `AsyncSmtpConnection` (not its transports: `connection.rs` says
//! why), driven one command at a time over a stream of our own: every stage has a time limit,
//! `TCP_NODELAY` is set, and a connection is dropped on any doubt.

mod attempt;
pub mod breaker;
mod classify;
mod connection;
mod connection_limit;
mod dial;
mod options;
mod pool;
mod progress;
mod relay;
mod relays;
mod reply;
mod secrets;
mod slow_lane;
mod tls;
mod wire;

use std::fmt;

use lettre::Address;

pub use attempt::{Attempt, End};
pub use classify::{classify, fails_at_recipient, refuses_the_address};
pub use domain::delivery::{AttemptOutcome, Stage};
pub use options::{RelayOptions, Timeouts};
pub use relay::{Connections, Inspected, Relay, RelayError, Slot};
pub use relays::{LONGEST_HAND_OVER, Permits, RelayAttempt, Relays};
pub use reply::Reply;
pub use runtime::settings::{Credentials, RelaySecurity, RelayUrl};
pub use secrets::Secrets;
pub use slow_lane::{SlowLane, Stay};

/// Who sends and who receives, as MAIL and RCPT say it: always one of each, so that a refusal
/// is about exactly one recipient.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The address bounces go to.
    pub from: Address,
    /// The one recipient. In ASCII: SMTPUTF8 is not asked for.
    pub to: Address,
    /// What the mail says that no record of a relay's reply may hold.
    pub secrets: Secrets,
}

impl fmt::Debug for Envelope {
    /// The recipient is a person: masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("from", &self.from)
            .field("to", &reply::clean(self.to.as_ref()))
            .field("secrets", &self.secrets)
            .finish()
    }
}
