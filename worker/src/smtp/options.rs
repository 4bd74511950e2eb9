//! The knobs of a [`Relay`](super::Relay), with the numbers it runs with by default.

use std::{path::PathBuf, time::Duration};

/// How a [`Relay`](super::Relay) introduces itself, whom it trusts, and its limits.
#[derive(Clone, Debug)]
pub struct RelayOptions {
    /// What EHLO says we are: a domain name, or an IP address (sent as a literal, RFC 5321 §4.1.3).
    pub hello_name: String,
    /// PEM file of certificate authorities to trust beside the usual web roots.
    pub ca_file: Option<PathBuf>,
    /// Whether the relay's certificate is checked. `false` is for trying things out.
    pub verify: bool,
    /// Connections to the relay at once, idle ones included.
    pub max_connections: usize,
    /// Mails after which a connection is not used again.
    pub max_mails: u32,
    /// Refused mails after which a connection is not used again. Postfix waits before each of its answers from the
    /// tenth error on a connection on, and hangs up at the twentieth (`smtpd_soft_error_limit`, `…_hard_…`).
    pub max_refusals: u32,
    /// How long an unused connection is kept.
    pub max_idle: Duration,
    /// How old a connection may be when it is used again. A relay's name may lead elsewhere by then.
    pub max_age: Duration,
    /// The longest each stage may take.
    pub timeouts: Timeouts,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            hello_name: String::from("localhost"),
            ca_file: None,
            verify: true,
            max_connections: 32,
            max_mails: 100,
            max_refusals: 5,
            max_idle: Duration::from_secs(8),
            max_age: Duration::from_mins(5),
            timeouts: Timeouts::default(),
        }
    }
}

/// The longest each stage of an attempt may take.
///
/// Near those of RFC 5321 §4.5.3.2, since a relay may ask the recipient's own server, or scan the message, before it
/// answers. The [slow lane](super::SlowLane) keeps such mails from holding up others. Before the relay knows a
/// recipient the limits are shorter: what hangs there hangs for every mail, and a code lives ten minutes.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Finding the addresses of the relay's name, and then each address that is tried.
    pub connect: Duration,
    /// TLS (with the STARTTLS command), and then AUTH.
    pub tls_and_auth: Duration,
    /// The greeting with EHLO (and EHLO again under STARTTLS).
    pub greeting: Duration,
    /// RSET, by which an idle connection shows that it still works.
    pub reset: Duration,
    /// MAIL and RCPT each.
    pub envelope: Duration,
    /// DATA.
    pub data: Duration,
    /// Sending the message and waiting for the answer to the end of data. Relays scan here.
    pub end_of_data: Duration,
    /// Waiting for a connection to be free. A mail that waits longer goes back as it came: they all hang, and it
    /// must not be given up half-way for having waited. Less, if it may set out only for less time.
    pub slot: Duration,
    /// All stages of one attempt together. Waiting for a free connection is not part of it.
    pub whole_try: Duration,
    /// All stages of a probe together.
    pub probe: Duration,
}

impl Timeouts {
    /// Those that a relay of the settings has.
    pub const USUAL: Self = Self {
        connect: Duration::from_secs(5),
        tls_and_auth: Duration::from_secs(30),
        greeting: Duration::from_mins(1),
        reset: Duration::from_secs(10),
        envelope: Duration::from_mins(5),
        data: Duration::from_mins(2),
        end_of_data: Duration::from_mins(10),
        slot: Duration::from_secs(20),
        whole_try: Duration::from_mins(20),
        probe: Duration::from_secs(30),
    };
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::USUAL
    }
}
