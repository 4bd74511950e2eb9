//! The HTTP side: the web inbox, its live events, and part of Mailpit's API.
//!
//! Separate from SMTP because a catcher can run without it. Started by [`crate::Catcher::start`].
//! It has no login, so it serves only requests whose Host names this machine ([`host`]), and no
//! other page can read or frame it.

mod events;
mod host;
mod mailpit;
mod page;
mod problem;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware;
use axum::response::Response;
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::inbox::Inbox;
use problem::Problem;

/// The state of all handlers.
#[derive(Clone)]
struct Site {
    inbox: Inbox,
    /// The address of the SMTP server, which the page shows.
    smtp: SocketAddr,
    /// The address of the HTTP server, for the check of the Host field.
    address: SocketAddr,
}

/// Serves until dropped, which also closes its connections and event streams.
pub(crate) async fn run(
    listener: TcpListener,
    address: SocketAddr,
    smtp: SocketAddr,
    inbox: Inbox,
) {
    let app = router(Site {
        inbox,
        smtp,
        address,
    });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            taken = listener.accept() => match taken {
                Ok((stream, _client)) => {
                    let service = TowerToHyperService::new(app.clone());
                    let connection = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service);
                    // An error here means that the client disconnected or did not send HTTP.
                    connections.spawn(async { let _ = connection.await; });
                }
                Err(error) => {
                    tracing::warn!(%error, "web inbox: could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

fn router(site: Site) -> Router {
    Router::new()
        .merge(page::router())
        .route("/events", get(events::stream))
        .nest("/api/v1", mailpit::router())
        .fallback(async || Problem::NotFound("no such page"))
        .method_not_allowed_fallback(async || Problem::Method)
        .layer(middleware::from_fn_with_state(site.clone(), host::check))
        .layer(middleware::map_response(harden))
        .with_state(site)
}

/// Adds the headers that every response carries. A page that needs a wider policy sets its own.
async fn harden(mut response: Response) -> Response {
    const FIELDS: [(HeaderName, &str); 5] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in FIELDS {
        let fields = response.headers_mut();
        fields
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}
