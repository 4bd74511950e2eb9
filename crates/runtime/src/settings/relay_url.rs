//! A relay's URL: where it is, how the connection is protected, who logs in.
//!
//! Apart from `[smtp]` because the rules are strict on purpose. Mail libraries read
//! `smtp://host:587` as clear text and send the password over it; here no spelling does
//! so by omission: clear text has to be asked for with `tls=none`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, Url};

/// One relay. `Display` and `Debug` never show the password.
#[derive(Clone, Debug)]
pub struct RelayUrl {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// 587 (STARTTLS), 465 (implicit TLS) or 25 (clear text) unless given.
    pub port: u16,
    /// How the connection is protected.
    pub security: RelaySecurity,
    /// Whom to log in as; nobody if the URL names nobody.
    pub credentials: Option<Credentials>,
}

/// How the connection to a relay is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelaySecurity {
    /// `smtp://…?tls=none`: not at all.
    Plaintext,
    /// `smtp://`: by STARTTLS, and no mail without it (RFC 3207).
    StartTls,
    /// `smtps://`: TLS from the first byte (RFC 8314 §3.3).
    ImplicitTls,
}

/// A user of the relay.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// As in the URL, percent-decoded.
    pub user: String,
    /// As in the URL, percent-decoded.
    pub password: SecretString,
}

/// Why a relay's URL can't be used. Holds no part of the URL: a password may be anywhere
/// in one that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayUrlError {
    /// Not a URL, often because of a character that must be percent-encoded.
    #[error(
        "a relay is no URL ({0}). Write {FORMS}; percent-encode @ / # ? % and the comma in user and password"
    )]
    Malformed(String),
    /// Neither `smtp` nor `smtps`.
    #[error("a relay's URL begins with smtp:// or smtps://. Write {FORMS}")]
    Scheme,
    /// No host, or one with characters that no host has.
    #[error(
        "a relay's URL has no usable host. Write {FORMS}; a name outside ASCII in its xn-- form"
    )]
    Host,
    /// Port 0.
    #[error("port 0 can't be connected to. Leave the port out for the usual one")]
    Port,
    /// A path or a fragment.
    #[error(
        "a relay's URL ends after host and port. Take out what follows; percent-encode / and # in a password"
    )]
    Trailing,
    /// A query other than `tls=none`.
    #[error(
        "after `?` in a relay's URL only tls=none is known, for clear text. Take the rest out; percent-encode ? in a password"
    )]
    Query,
    /// `smtps` and `tls=none`.
    #[error("smtps:// is TLS from the first byte, which tls=none contradicts. Keep one of them")]
    Contradiction,
    /// Only one of user and password.
    #[error("a relay's URL has only one of user and password. Write user:password@ or neither")]
    HalfCredentials,
    /// A user or password that is not text once decoded.
    #[error("user or password is not UTF-8 once percent-decoded. Encode it as UTF-8")]
    Encoding,
}

const FORMS: &str = "smtp://host:587 or smtps://host:465";

impl RelayUrl {
    /// Whether the relay is this machine, by name or by address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let by_name = self.host.eq_ignore_ascii_case("localhost");
        by_name
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for RelayUrl {
    type Err = RelayUrlError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(written.trim())
            .map_err(|error| RelayUrlError::Malformed(error.to_string()))?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(RelayUrlError::Trailing);
        }
        let security = security(&url)?;
        Ok(Self {
            host: host(&url)?,
            port: match url.port() {
                Some(0) => return Err(RelayUrlError::Port),
                Some(port) => port,
                None => security.default_port(),
            },
            security,
            credentials: credentials(&url)?,
        })
    }
}

impl RelaySecurity {
    fn default_port(self) -> u16 {
        match self {
            Self::Plaintext => 25,
            Self::StartTls => 587,
            Self::ImplicitTls => 465,
        }
    }
}

fn security(url: &Url) -> Result<RelaySecurity, RelayUrlError> {
    let mut plaintext = false;
    for (name, value) in url.query_pairs() {
        if plaintext || name != "tls" || value != "none" {
            return Err(RelayUrlError::Query);
        }
        plaintext = true;
    }
    match (url.scheme(), plaintext) {
        ("smtp", true) => Ok(RelaySecurity::Plaintext),
        ("smtp", false) => Ok(RelaySecurity::StartTls),
        ("smtps", false) => Ok(RelaySecurity::ImplicitTls),
        ("smtps", true) => Err(RelayUrlError::Contradiction),
        _ => Err(RelayUrlError::Scheme),
    }
}

fn host(url: &Url) -> Result<String, RelayUrlError> {
    match url.host() {
        Some(Host::Domain(name)) if is_host_name(name) => Ok(name.to_ascii_lowercase()),
        Some(Host::Ipv4(address)) => Ok(address.to_string()),
        Some(Host::Ipv6(address)) => Ok(address.to_string()),
        Some(Host::Domain(_)) | None => Err(RelayUrlError::Host),
    }
}

/// Letters, digits, hyphens, dots; underscores too, which container networks use.
fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

fn credentials(url: &Url) -> Result<Option<Credentials>, RelayUrlError> {
    let decode = |text| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| RelayUrlError::Encoding)
    };
    match (url.username(), url.password().unwrap_or_default()) {
        ("", "") => Ok(None),
        ("", _) | (_, "") => Err(RelayUrlError::HalfCredentials),
        (user, password) => Ok(Some(Credentials {
            user: decode(user)?,
            password: decode(password)?.into(),
        })),
    }
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.security {
            RelaySecurity::ImplicitTls => "smtps://",
            RelaySecurity::StartTls | RelaySecurity::Plaintext => "smtp://",
        })?;
        if let Some(credentials) = &self.credentials {
            write!(f, "{}:***@", credentials.user.escape_default())?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)?;
        } else {
            write!(f, "{}:{}", self.host, self.port)?;
        }
        match self.security {
            RelaySecurity::Plaintext => f.write_str("?tls=none"),
            RelaySecurity::StartTls | RelaySecurity::ImplicitTls => Ok(()),
        }
    }
}
