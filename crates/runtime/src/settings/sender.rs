//! The sender of mail: `Name <address>`.
//!
//! Separate from `[smtp]` because it has its own grammar. Its rules protect the mail header; the
//! rules for users' addresses are in the domain crate.

use std::fmt;
use std::str::FromStr;

/// The sender of all mail. `Display` writes `Name <address>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The display name, if any; without control characters.
    pub name: Option<String>,
    /// The address without the name: ASCII, with one `@` and text on both sides.
    pub address: String,
}

/// The reason why a sender is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a sender. Write Name <user@host>, or user@host; a domain outside ASCII in its xn-- form", .0.escape_debug())]
pub struct SenderError(String);

impl Sender {
    /// The part after the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.address
            .rsplit_once('@')
            .map_or("", |(_, domain)| domain)
    }

    /// Whether the domain is reserved for examples (RFC 2606 §2 and §3). Names under `.test` don't
    /// count, because a rehearsal of production may use them.
    #[must_use]
    pub fn is_example(&self) -> bool {
        let domain = self.domain().to_ascii_lowercase();
        ["example.com", "example.net", "example.org", "example"]
            .iter()
            .any(|kept| domain == *kept || domain.ends_with(&format!(".{kept}")))
    }
}

impl FromStr for Sender {
    type Err = SenderError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let refused = || SenderError(written.to_owned());
        let (name, address) = match written.strip_suffix('>').map(|rest| rest.rsplit_once('<')) {
            Some(Some((name, address))) => (name.trim(), address),
            Some(None) => return Err(refused()),
            None => ("", written),
        };
        let name = name
            .strip_prefix('"')
            .and_then(|n| n.strip_suffix('"'))
            .unwrap_or(name);
        let (local, domain) = address.split_once('@').ok_or_else(refused)?;
        let clean = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && !b"@<>\"\\(),:;".contains(&b))
        };
        if !clean(local) || !clean(domain) || name.chars().any(char::is_control) {
            return Err(refused());
        }
        Ok(Self {
            name: (!name.is_empty()).then(|| name.to_owned()),
            address: address.to_owned(),
        })
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => f.write_str(&self.address),
        }
    }
}
