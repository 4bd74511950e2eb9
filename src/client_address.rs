//! The network address behind a request (OWASP ASVS 5.0 4.1.3): the socket's, or the one that
//! trusted proxies report.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};
use runtime::settings::{ForwardedHeader, Http};

use crate::forwarded::{self, Hops};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The peer, or behind trusted proxies the last address in their header that is not a trusted
/// proxy: the client may have forged everything before it. If the walk from the end meets an
/// invalid address, it stops at the last valid one, at worst the peer's.
pub fn client_address(headers: &HeaderMap, peer: IpAddr, http: &Http) -> IpAddr {
    let hops_of: fn(&str) -> Hops = match http.forwarded_header {
        ForwardedHeader::XForwardedFor => x_forwarded_for,
        ForwardedHeader::Forwarded => forwarded::hops,
    };
    let lines: Vec<_> = headers.get_all(forwarded_header(http)).iter().collect();
    let hops = lines.iter().rev().flat_map(|line| {
        // A line that is not text still counts: if it were skipped, a forged line before it would
        // be used.
        let line = String::from_utf8_lossy(line.as_bytes());
        hops_of(&line).into_iter().rev()
    });
    let mut client = peer;
    for hop in hops {
        let (true, Some(address)) = (http.trusts(client), hop) else {
            break;
        };
        client = address;
    }
    client
}

/// The header in which proxies name their clients.
pub fn forwarded_header(http: &Http) -> HeaderName {
    match http.forwarded_header {
        ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
        ForwardedHeader::Forwarded => header::FORWARDED,
    }
}

/// The addresses in a line of `X-Forwarded-For`.
fn x_forwarded_for(line: &str) -> Hops {
    line.split(',').map(|hop| address(hop.trim())).collect()
}

/// An address with or without a port, an IPv6 one with or without brackets.
fn address(hop: &str) -> Option<IpAddr> {
    let address = hop
        .parse::<IpAddr>()
        .ok()
        .or_else(|| {
            hop.parse::<SocketAddr>()
                .ok()
                .map(|with_port| with_port.ip())
        })
        .or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(address.to_canonical())
}
