//! Links to other pages, as clients have them from before: whole URLs.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderName, header, uri::Authority};
use std::convert::Infallible;
use url::form_urlencoded;

use crate::AppState;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What the client calls this server: `https://notes.example.com`. Empty if it does not say; a link is relative then.
pub struct Base(String);

impl FromRequestParts<AppState> for Base {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let text = |name: &HeaderName| parts.headers.get(name)?.to_str().ok();
        // A target that names the host itself outweighs the header (RFC 9112, section 3.2.2).
        let target = parts.uri.authority().cloned();
        let host = target.or_else(|| text(&header::HOST)?.parse::<Authority>().ok());
        let by_proxy = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .is_some_and(|peer| state.http.trusts(peer.0.ip().to_canonical()));
        let secure = by_proxy && text(&X_FORWARDED_PROTO) == Some("https");
        let scheme = if secure { "https" } else { "http" };
        Ok(Self(
            host.map(|host| format!("{scheme}://{host}"))
                .unwrap_or_default(),
        ))
    }
}

impl Base {
    /// The link to a page of a list: the same query with another cursor, or with none.
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
