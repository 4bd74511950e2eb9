//! `[http]`: the API's socket, timeouts and connection limits. Read by the API only.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};

use super::check::Checks;
use super::serde_formats;

/// The API's socket, and its limits for slow or large requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Http {
    /// The address to listen on; port 0 selects any free port.
    #[serde(
        serialize_with = "serde_formats::text::serialize",
        deserialize_with = "listen"
    )]
    pub listen: SocketAddr,
    /// The address of the metrics listener, if any: a separate socket, without a token.
    #[serde(with = "serde_formats::optional_listen")]
    pub metrics_listen: Option<SocketAddr>,
    /// Proxies that are trusted to name their client (ASVS 4.1.3). A single address is a network
    /// with one member.
    #[serde(
        serialize_with = "serde_formats::list::serialize",
        deserialize_with = "networks"
    )]
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which these proxies name their client. The other header is never read, because
    /// a proxy forwards a header that it does not write.
    pub forwarded_header: ForwardedHeader,
    /// Origins of web pages that may call the API from a browser, exactly as browsers send them. If
    /// empty, no CORS header is ever sent.
    #[serde(deserialize_with = "origins")]
    pub cors_origins: Vec<String>,
    /// Headers that these pages may send, in addition to those that the API and common libraries
    /// need.
    #[serde(deserialize_with = "header_names")]
    pub cors_headers: Vec<String>,
    /// The public address of this API, for links in its responses: scheme, host, and the path that
    /// a proxy adds, without a trailing slash. If empty, the headers of the client or of a trusted
    /// proxy decide.
    #[serde(deserialize_with = "public_url")]
    pub public_url: String,
    /// The maximum number of open connections.
    pub max_connections: usize,
    /// The maximum number of open connections of one network address, or IPv6 /64. Connections from
    /// this machine and from `trusted_proxies` don't count.
    pub max_connections_per_address: usize,
    /// `request_timeout_seconds`: the deadline of a write, counted from the end of the request's
    /// body. A write that can't start in time is answered 503.
    #[serde(rename = "request_timeout_seconds", with = "serde_formats::seconds")]
    pub request_timeout: Duration,
    /// `header_timeout_seconds`: the time limit for a request to start, and then for its headers to
    /// arrive.
    #[serde(rename = "header_timeout_seconds", with = "serde_formats::seconds")]
    pub header_timeout: Duration,
    /// `body_timeout_seconds`: the time limit for a request's body to arrive.
    #[serde(rename = "body_timeout_seconds", with = "serde_formats::seconds")]
    pub body_timeout: Duration,
    /// The maximum size of a body in bytes, except on the routes that store notes.
    pub body_limit_bytes: usize,
}

/// A header in which a proxy names its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: a list of addresses, without a standard.
    XForwardedFor,
    /// `Forwarded` (RFC 7239), its parameter `for`.
    Forwarded,
}

impl Http {
    /// Whether an address belongs to the trusted proxies.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|net| net.contains(&address))
    }

    pub(super) fn check(&self, checks: &mut Checks<'_>) {
        checks.range("http.max_connections", self.max_connections, 1..=1_000_000);
        checks.range(
            "http.max_connections_per_address",
            self.max_connections_per_address,
            1..=1_000_000,
        );
        checks.range(
            "http.request_timeout_seconds",
            self.request_timeout.as_secs(),
            1..=3600,
        );
        checks.range(
            "http.header_timeout_seconds",
            self.header_timeout.as_secs(),
            1..=3600,
        );
        checks.range(
            "http.body_timeout_seconds",
            self.body_timeout.as_secs(),
            1..=3600,
        );
        checks.range(
            "http.body_limit_bytes",
            self.body_limit_bytes,
            1024..=64 * 1024 * 1024,
        );
    }
}

fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let written = String::deserialize(from)?;
    written.trim().parse().map_err(|_| {
        serde::de::Error::custom(format!(
            "`{}` is not an address with a port. Write digits, not a name, like 127.0.0.1:8000, \
             0.0.0.0:8000 or [::]:8000",
            written.escape_debug()
        ))
    })
}

fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    serde_formats::texts(from)?
        .iter()
        .map(|item| network(item).map_err(serde::de::Error::custom))
        .collect()
}

fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let written = serde_formats::texts(from)?;
    match written.iter().find(|item| !is_origin(item)) {
        None => Ok(written),
        Some(item) => Err(serde::de::Error::custom(format!(
            "`{}` is not an origin as browsers send it. Write scheme and host in lower case, a port only \
             if it is not the scheme's own, and nothing after it, like https://app.example.com or \
             http://localhost:5173",
            item.escape_debug()
        ))),
    }
}

/// Reads a URL without its trailing slash, because paths begin with one.
fn public_url<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let written = String::deserialize(from)?;
    let written = written.trim().trim_end_matches('/');
    let is_base = |url: url::Url| {
        let bare = url.query().is_none() && url.fragment().is_none();
        let nameless = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "http" | "https") && url.has_host() && bare && nameless
    };
    if written.is_empty() || url::Url::parse(written).is_ok_and(is_base) {
        return Ok(written.to_owned());
    }
    Err(serde::de::Error::custom(format!(
        "`{}` is not the address of a service. Write scheme and host, and a path if a proxy adds one, like \
         https://notes.example.com or https://example.com/notes",
        written.escape_debug()
    )))
}

fn header_names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let written = serde_formats::texts(from)?;
    let is_token = |name: &str| {
        let of_tokens =
            |sign: u8| sign.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&sign);
        !name.is_empty() && name != "*" && name.bytes().all(of_tokens)
    };
    match written.iter().find(|name| !is_token(name)) {
        None => Ok(written),
        Some(name) => Err(serde::de::Error::custom(format!(
            "`{}` is not a header name. Write names like x-app-version; there is no wildcard",
            name.escape_debug()
        ))),
    }
}

/// Browsers compare bytes (RFC 6454 section 6.2): another spelling would never match.
fn is_origin(written: &str) -> bool {
    url::Url::parse(written).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == written
    })
}

fn network(written: &str) -> Result<IpNet, String> {
    let address = || written.parse::<IpAddr>().map(IpNet::from).ok();
    written.parse().ok().or_else(address).ok_or_else(|| {
        format!(
            "`{written}` is not a network. Write an address like 10.0.0.7 or a network like 10.0.0.0/8"
        )
    })
}
