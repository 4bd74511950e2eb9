//! The context of a request before its handler runs: its id and its client.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::audit::Actor;
use domain::client::ClientKey;
use domain::store::{Caller, Ticket};
use futures_util::FutureExt;
use futures_util::future::{Either, ready};
use runtime::process_registration;
use runtime::settings::Http;
use tracing::Instrument;
use ulid::Ulid;

use crate::AppState;
use crate::access_log::Answered;
use crate::client_address::{client_address, forwarded_header};
use crate::unsent::Holder;
use crate::{framing, headers};

/// The header with the request id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The context of a request, which handlers extract as `Extension<RequestContext>`.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The request id, which is unique and the same in the response, the logs and the mail's row;
    /// the client that limits count; and its user agent.
    pub actor: Actor,
    /// The queue and deadline of the request's database work. A write must start before the
    /// deadline, counted from the end of the body, so that it finishes within the request timeout:
    /// a 503 guarantees that nothing was changed.
    pub ticket: Ticket,
    /// The holder of a long response until it is sent.
    pub(crate) holder: Holder,
}

/// The ticket of a request, for handlers that only read.
#[derive(Clone, Debug)]
pub struct ReadTicket(pub Ticket);

impl FromRequestParts<AppState> for ReadTicket {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let ticket = parts
            .extensions
            .get()
            .map(|context: &RequestContext| context.ticket.clone());
        Ok(Self(ticket.unwrap_or_else(|| {
            Ticket::new(Caller::Process, Instant::now() + state.write_within)
        })))
    }
}

/// Gives the request its [`RequestContext`], the response its `X-Request-Id` and the common
/// headers, and the log its line.
pub fn identify(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> impl Future<Output = Response> {
    let started = Instant::now();
    let (mut head, body) = request.into_parts();
    let peer = head
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::from([0, 0, 0, 0]), |info| {
            info.0.ip().to_canonical()
        });
    warn_of_untrusted_proxy(&head.headers, peer, &state.http);
    let client = ClientKey::of(client_address(&head.headers, peer, &state.http));
    let context = RequestContext {
        ticket: Ticket::new(Caller::Client(client.clone()), started + state.write_within),
        actor: Actor {
            request_id: request_id(&head.headers, peer, &state.http),
            client: client.clone(),
            user_agent: user_agent(&head.headers),
        },
        holder: Holder::default(),
    };
    let holder = context.holder.clone();
    let id = context.actor.request_id.clone();
    let method = head.method.clone();
    let route = head.extensions.get::<MatchedPath>().cloned();
    let span = tracing::info_span!("request", request.id = id);
    head.extensions.insert(context);

    // A combined future takes only the memory it needs, for each request in flight.
    let answered = match framing::check(&head) {
        Ok(()) => Either::Left(next.run(Request::from_parts(head, body))),
        Err(refused) => {
            // The following input may not be a request.
            let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
            Either::Right(ready((close, refused).into_response()))
        }
    };
    answered.instrument(span).map(move |mut response| {
        headers::add(response.headers_mut());
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
        let (status, took) = (response.status(), started.elapsed());
        state.metrics.answered(&method, route, status, took);
        state.access_log.answered(&Answered {
            method: &method,
            route,
            status,
            took,
            id: &id,
            client: &client,
            is_users: holder.get().is_some(),
            reason: response.extensions().get().copied(),
        });
        state.unsent.keep(response, &holder)
    })
}

/// Warns once about an untrusted proxy that names clients: all of them count as one client and
/// share its limits.
fn warn_of_untrusted_proxy(headers: &HeaderMap, peer: IpAddr, http: &Http) {
    let header = forwarded_header(http);
    if !headers.contains_key(&header) || http.trusts(peer) {
        return;
    }
    let remark = || {
        format!(
            "{peer} sends {header} and is not among http.trusted_proxies: all clients behind it count as one for every limit, and get 429. \
             If it is your proxy, add it there; if not, it is a client that pretends to have others"
        )
    };
    if process_registration::remark(remark) {
        tracing::warn!("{}", remark());
    }
}

fn user_agent(headers: &HeaderMap) -> String {
    headers
        .get(header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .map(|agent| agent.chars().take(500).collect())
        .unwrap_or_default()
}

/// An external id is used only if it comes from a trusted proxy and has a valid format.
fn request_id(headers: &HeaderMap, peer: IpAddr, http: &Http) -> String {
    let brought = headers
        .get(REQUEST_ID)
        .filter(|_| http.trusts(peer))
        .and_then(|value| value.to_str().ok())
        .filter(|id| (8..=128).contains(&id.len()))
        .filter(|id| {
            id.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))
        });
    brought.map_or_else(|| Ulid::generate().to_string(), str::to_owned)
}
