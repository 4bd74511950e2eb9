//! `[smtp]`: the relays and the sender of mail. Read by the worker; the API only checks them, so
//! that both refuse the same mistakes.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use super::check::Checks;
use super::relay_url::{RelaySecurity, RelayUrl};
use super::sender::Sender;
use super::serde_formats;

/// The default sender in development.
const DEVELOPMENT_SENDER: &str = "Smart Notes <no-reply@example.com>";

/// The relays and how to connect to them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Smtp {
    /// The relays, at least one. Mail is sent to the first that works.
    #[serde(with = "serde_formats::list")]
    pub relays: Vec<RelayUrl>,
    /// The sender of all mail.
    #[serde(
        serialize_with = "serde_formats::text::serialize",
        deserialize_with = "sender_or_default"
    )]
    pub from: Sender,
    /// The name given in EHLO (RFC 5321 §4.1.1.1).
    #[serde(deserialize_with = "name_or_host_name")]
    pub hello_name: String,
    /// A PEM file with a certificate authority to trust in addition to the public ones.
    #[serde(with = "serde_formats::optional_path")]
    pub ca_file: Option<PathBuf>,
    /// Whether the certificates of relays are checked.
    pub verify: bool,
    /// Whether plaintext to another machine is allowed; must not be true in production.
    pub allow_plaintext: bool,
    /// The maximum number of connections to each relay.
    pub max_connections: usize,
}

impl Smtp {
    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        checks.range("smtp.max_connections", self.max_connections, 1..=1024);
        checks.require(
            !self.relays.is_empty(),
            "smtp.relays",
            "there is no relay. Set one, like smtp://user:password@mail.example.com:587",
        );
        checks.require(
            is_hello_name(&self.hello_name),
            "smtp.hello_name",
            "only letters, digits, dots and hyphens, or an address in brackets, are allowed in \
             EHLO. Write the machine's name, like notes.example.com",
        );
        for relay in self.plaintext_elsewhere().filter(|_| !self.allow_plaintext) {
            checks.refuse(
                "smtp.relays",
                format!(
                    "`{relay}` would send codes and the password unencrypted to another machine. \
                     Remove tls=none, or set smtp.allow_plaintext = true in development"
                ),
            );
        }
    }

    /// The relays on other machines with a plaintext connection.
    pub(super) fn plaintext_elsewhere(&self) -> impl Iterator<Item = &RelayUrl> {
        let plaintext = |relay: &&RelayUrl| relay.security == RelaySecurity::Plaintext;
        self.relays
            .iter()
            .filter(plaintext)
            .filter(|relay| !relay.is_loopback())
    }
}

/// Whether the text is a name, or an address literal like `[192.0.2.1]` (RFC 5321 §4.1.3). In
/// particular it must contain no line break, which would start the next SMTP command.
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
