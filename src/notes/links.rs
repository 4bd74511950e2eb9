//! Links to other pages, as absolute URLs.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderName, header};
use runtime::settings::ForwardedHeader;
use url::form_urlencoded;

use crate::AppState;
use crate::forwarded;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The base URL of this server for the client, like `https://notes.example.com`. Empty if unknown;
/// then links are relative.
pub struct Base(String);

impl FromRequestParts<AppState> for Base {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        if !state.http.public_url.is_empty() {
            return Ok(Self(state.http.public_url.clone()));
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let by_proxy = peer.is_some_and(|peer| state.http.trusts(peer.0.ip().to_canonical()));
        let said = |name: &HeaderName, parameter| {
            let header = state.http.forwarded_header;
            by_proxy.then(|| of_proxies(parts, header, name, parameter))?
        };
        let secure = said(&X_FORWARDED_PROTO, "proto")
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        let scheme = if secure { "https" } else { "http" };
        let host = said(&X_FORWARDED_HOST, "host")
            .and_then(|host| host.parse::<Authority>().ok())
            .or_else(|| of_client(parts));
        Ok(Self(
            host.map(|host| format!("{scheme}://{host}"))
                .unwrap_or_default(),
        ))
    }
}

/// A value that the outermost proxy reports, in the configured header: each proxy appends to the
/// end of a list.
fn of_proxies(
    parts: &Parts,
    header: ForwardedHeader,
    name: &HeaderName,
    parameter: &str,
) -> Option<String> {
    let line = |name| parts.headers.get(name)?.to_str().ok();
    match header {
        ForwardedHeader::Forwarded => forwarded::outermost(line(&header::FORWARDED)?, parameter),
        ForwardedHeader::XForwardedFor => {
            let first = line(name)?.split(',').next()?.trim();
            Some(first.to_owned())
        }
    }
}

/// The host in the request. A host in the target overrides the header (RFC 9112, section 3.2.2).
fn of_client(parts: &Parts) -> Option<Authority> {
    let target = parts.uri.authority().cloned();
    target.or_else(|| {
        let host = parts.headers.get(header::HOST)?;
        host.to_str().ok()?.parse().ok()
    })
}

impl Base {
    /// The link to a page of a list: the same query with another or no cursor.
    pub fn page<'a>(
        &self,
        path: &str,
        query: impl Iterator<Item = (&'a str, &'a str)>,
        cursor: Option<&str>,
    ) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(cursor.map(|cursor| ("cursor", cursor)))
            .extend_pairs(query)
            .finish();
        format!("{}{path}?{query}", self.0)
    }
}
