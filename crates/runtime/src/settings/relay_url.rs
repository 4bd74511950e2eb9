//! The URL of a relay: its address, the security of the connection, and the credentials.
//!
//! Separate from `[smtp]` because the rules are deliberately strict. Mail libraries read
//! `smtp://host:587` as plaintext and send the password unencrypted. Here plaintext must be
//! requested with `tls=none`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, Url};

/// One relay. `Display` and `Debug` never show the password.
#[derive(Clone, Debug)]
pub struct RelayUrl {
    /// The host name or address; an IPv6 address without brackets.
    pub host: String,
    /// The port; by default 587 (STARTTLS), 465 (implicit TLS) or 25 (plaintext).
    pub port: u16,
    /// The security of the connection.
    pub security: RelaySecurity,
    /// The credentials for the relay, if the URL has any.
    pub credentials: Option<Credentials>,
}

/// The security of the connection to a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelaySecurity {
    /// `smtp://…?tls=none`: plaintext.
    Plaintext,
    /// `smtp://`: STARTTLS required; no mail is sent without it (RFC 3207).
    StartTls,
    /// `smtps://`: TLS from the first byte (RFC 8314 §3.3).
    ImplicitTls,
}

/// The credentials of a user of the relay.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user name, percent-decoded.
    pub user: String,
    /// The password, percent-decoded.
    pub password: SecretString,
}

/// The reason why a relay's URL is invalid. Contains no part of the URL, because a password may be
/// anywhere in a URL that does not parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayUrlError {
    /// Not a URL, often because of a character that must be percent-encoded.
    #[error(
        "a relay is not a URL ({0}). Write {FORMS}; percent-encode @ / # ? % and the comma in user and password"
    )]
    Malformed(String),
    /// The scheme is neither `smtp` nor `smtps`.
    #[error("a relay's URL must begin with smtp:// or smtps://. Write {FORMS}")]
    Scheme,
    /// The host is missing, or has characters that are invalid in a host name.
    #[error(
        "a relay's URL has no usable host. Write {FORMS}; a name outside ASCII in its xn-- form"
    )]
    Host,
    /// The port is 0.
    #[error("port 0 is not a valid port. Omit the port to use the default")]
    Port,
    /// The URL has a path or a fragment.
    #[error(
        "a relay's URL must end after host and port. Remove the rest; percent-encode / and # in a password"
    )]
    Trailing,
    /// The URL has a query other than `tls=none`.
    #[error(
        "only tls=none (plaintext) may follow `?` in a relay's URL. Remove the rest; percent-encode ? in a password"
    )]
    Query,
    /// The URL has both `smtps` and `tls=none`.
    #[error("smtps:// is TLS from the first byte, which tls=none contradicts. Keep one of them")]
    Contradiction,
    /// The URL has only a user or only a password.
    #[error("a relay's URL has only a user or only a password. Write user:password@ or neither")]
    HalfCredentials,
    /// The user or password is not UTF-8 after percent-decoding.
    #[error("user or password is not UTF-8 after percent-decoding. Encode it as UTF-8")]
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

/// Whether the name has only letters, digits, hyphens, dots and underscores, which container
/// networks use.
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
