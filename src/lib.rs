//! The HTTP API of Smart Notes, and an overview of the whole system.
//!
//! Two processes share one database. This one serves requests and never waits for SMTP: a request
//! that causes a mail writes its rows and the mail's job in one transaction. The other,
//! `smart-notes-worker`, processes the queue.
//!
//! | Crate | What lives there |
//! |---|---|
//! | `domain` | rules, use cases, and the ports that a database implements |
//! | `store-sqlite` | those ports on `SQLite`: statements |
//! | `runtime` | settings, logs, signals, the pool that hashes passwords, which database |
//! | `smart-notes-api` (here) | HTTP and nothing else |
//! | `smart-notes-worker` | the queue's consumer, SMTP, the mails' texts |
//! | `smart-notes-cli` | `smart-notes`: everything an operator or developer types |
//! | `malloc_trim` | memory that is free, given back to the system: the one crate with `unsafe` |
//! | `devmail` | an SMTP catcher with a web inbox, for development and tests |
//!
//! One request: [`server`] accepts the connection, [`request`] gives the request an id and a
//! client, `buffer` reads the body, [`extract`] parses it to [`json`] values, [`fields`] converts
//! them to values of the domain, a handler in [`auth`] or [`notes`] runs a use case of
//! `domain::accounts` or `domain::notes` on the store, and [`error`] knows which status a refusal
//! has.

pub mod access_log;
mod addresses;
pub mod auth;
mod budget;
mod buffer;
mod client_address;
pub mod client_rate_limit;
pub mod cors;
pub mod docs;
pub mod dummies;
pub mod error;
mod exchange;
pub mod extract;
pub mod fields;
mod forward;
mod forwarded;
mod framing;
pub mod headers;
pub mod health;
pub mod in_flight;
pub mod json;
mod linger;
mod long;
pub mod malformed;
pub mod metrics;
pub mod notes;
pub mod openapi;
mod pace;
mod padding;
pub mod request;
pub mod route;
pub mod server;
pub mod state;
pub mod subscription;
mod unsent;
pub mod webhooks;
pub mod writes;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use domain::clock::Clock;
use domain::store::Store;
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;
use runtime::systemd::{self, Liveness};
use tokio::net::{TcpListener, TcpSocket};
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;

pub use state::AppState;

use docs::Document;
use route::{Features, Routes};

/// The reason why the API could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can't be bound.
    #[error(
        "can't listen on {address}. Choose another address with --listen, PORT or SMART_NOTES__HTTP__LISTEN"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The hash pool could not be created with these settings or on this machine.
    #[error(transparent)]
    NoHashing(#[from] runtime::hashing::HashPoolError),
    /// The pool of hashing threads is unusable.
    #[error(transparent)]
    Hashing(#[from] runtime::hashing::NotHashed),
    /// The metrics address can't be bound.
    #[error(transparent)]
    Metrics(#[from] runtime::metrics::BindError),
}

/// The length of the accept queue. The usual 128 overflow in a burst, and the clients beyond it
/// retry only after a second.
const BACKLOG: u32 = 4096;

/// Binds an address and listens on it.
pub fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // As `TcpListener::bind` does, so that the port can be reused at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| StartError::Bind { address, source })
}

/// Serves requests until `shutdown`, then finishes those in flight.
pub async fn serve(
    settings: &Settings,
    store: &Store,
    clock: Arc<dyn Clock>,
    listener: TcpListener,
    shutdown: &Shutdown,
) -> Result<(), StartError> {
    let state = AppState::new(settings, store.clone(), clock).await?;
    let _metrics = metrics::serve(settings, &state).await?;
    let [accepting, writing] = ["the listener", "the database's writer"].map(Liveness::of);
    let _watched = systemd::watchdog(vec![accepting.clone(), writing.clone()], shutdown.token());
    if let Ok(address) = listener.local_addr() {
        tracing::info!(http.listen = %address, "API listening");
        systemd::ready(&format!("serving on {address}"));
    }
    let log = state.access_log.clone();
    tokio::select! {
        () = server::run(listener, state, settings, shutdown, &accepting) => {}
        () = answer_for_the_writer(store, &writing) => {}
        () = log.sum_up_regularly() => {}
    }
    log.sum_up();
    tracing::info!("API stopped");
    Ok(())
}

/// Answers the watchdog's pings for the database writer. Never returns.
async fn answer_for_the_writer(store: &Store, writing: &Liveness) {
    while let ((), Ok(())) = (writing.pinged().await, store.ping().await) {
        writing.pong();
    }
    std::future::pending::<()>().await;
}

/// Every route of the API, with its description.
#[must_use]
pub fn routes(features: Features) -> Routes {
    auth::router(features.otp_login)
        .merge(notes::router())
        .merge(subscription::router())
        .merge(webhooks::router(features))
        .merge(health::router())
        .merge(docs::routes())
}

/// Every route, with the layers that all of them share.
pub fn router(state: AppState) -> Router {
    let (routes, described) = routes(state.policies.features).split_for_parts();
    let document = Document::new(&openapi::finished(described, state.policies.password));
    // The first layer is the outermost. They are added together, because each call of `layer` costs
    // every request a few boxes.
    let layers = (
        from_fn_with_state(state.clone(), request::identify),
        option_layer(cors::rules(&state.http).map(|rules| from_fn_with_state(rules, cors::apply))),
        from_fn_with_state(state.clone(), buffer::buffer),
        CatchPanicLayer::custom(error::panicked),
        Extension(state.client_rate_limit.clone()),
        Extension(document),
    );
    routes
        .merge(docs::files())
        .fallback(route::not_found)
        .layer(layers)
        .with_state(state)
}
