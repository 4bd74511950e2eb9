//! `[smtp]`: who carries the mail, and as whom it is sent. Read by the worker; the API
//! only checks it, so that both refuse the same mistakes.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use super::check::Checks;
use super::relay_url::{RelaySecurity, RelayUrl};
use super::sender::Sender;
use super::units;

/// The sender where none is set, in development.
const DEVELOPMENT_SENDER: &str = "Smart Notes <no-reply@example.com>";

/// The relays and how to speak to them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Smtp {
    /// At least one. Mail goes to the first that works.
    #[serde(with = "units::list")]
    pub relays: Vec<RelayUrl>,
    /// The sender of all mail.
    #[serde(
        serialize_with = "units::text::serialize",
        deserialize_with = "sender_or_default"
    )]
    pub from: Sender,
    /// The name given in EHLO (RFC 5321 §4.1.1.1).
    #[serde(deserialize_with = "name_or_host_name")]
    pub hello_name: String,
    /// A PEM file with an authority to trust beside the public ones.
    #[serde(with = "units::optional_path")]
    pub ca_file: Option<PathBuf>,
    /// Whether a relay's certificate is checked.
    pub verify: bool,
    /// Whether clear text may go to another machine; never true in production.
    pub allow_plaintext: bool,
    /// Connections to each relay at once.
    pub max_connections: usize,
}

impl Smtp {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        checks.range("smtp.max_connections", self.max_connections, 1..=1024);
        checks.require(
            !self.relays.is_empty(),
            "smtp.relays",
            "there is no relay. Write one, like smtp://user:password@mail.example.com:587",
        );
        checks.require(
            is_hello_name(&self.hello_name),
            "smtp.hello_name",
            "only letters, digits, dots and hyphens, or an address in brackets, can be said in \
             EHLO. Write the machine's name, like notes.example.com",
        );
        for relay in self.plaintext_elsewhere().filter(|_| !self.allow_plaintext) {
            checks.refuse(
                "smtp.relays",
                format!(
                    "`{relay}` would send codes and password in clear text to another machine. \
                     Leave tls=none out, or set smtp.allow_plaintext = true in development"
                ),
            );
        }
    }

    /// Relays on other machines that are spoken to in clear text.
    pub(super) fn plaintext_elsewhere(&self) -> impl Iterator<Item = &RelayUrl> {
        let plaintext = |relay: &&RelayUrl| relay.security == RelaySecurity::Plaintext;
        self.relays
            .iter()
            .filter(plaintext)
            .filter(|relay| !relay.is_loopback())
    }
}

/// A name, or an address literal like `[192.0.2.1]` (RFC 5321 §4.1.3). Nothing else, above
/// all no line break: what follows one would be the relay's next command.
fn is_hello_name(name: &str) -> bool {
    let literal = name
        .strip_prefix('[')
        .and_then(|n| n.strip_suffix(']'))
        .unwrap_or(name);
    let literal = literal.strip_prefix("IPv6:").unwrap_or(literal);
    let domain = (1..=255).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    domain || literal.parse::<std::net::IpAddr>().is_ok()
}

fn sender_or_default<'de, D: Deserializer<'de>>(from: D) -> Result<Sender, D::Error> {
    let written = String::deserialize(from)?;
    let written = Some(written.trim()).filter(|text| !text.is_empty());
    written
        .unwrap_or(DEVELOPMENT_SENDER)
        .parse()
        .map_err(serde::de::Error::custom)
}

fn name_or_host_name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let written = String::deserialize(from)?;
    if !written.is_empty() {
        return Ok(written);
    }
    let machine = gethostname::gethostname().to_string_lossy().into_owned();
    Ok(if is_hello_name(&machine) {
        machine
    } else {
        "localhost".to_owned()
    })
}
