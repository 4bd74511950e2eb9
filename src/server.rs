//! Accepts connections up to a limit, applies timeouts, and shuts down gracefully.
//!
//! Built on hyper-util because `axum::serve` has no timeout for a request's headers and sleeps a
//! second after a failed accept. A reverse proxy terminates TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, header};
use futures_util::TryFutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use runtime::settings::Settings;
use runtime::shutdown::Shutdown;
use runtime::systemd::Liveness;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use crate::AppState;
use crate::access_log::AccessLog;
use crate::addresses::Addresses;
use crate::exchange::{Exchange, Exchanges, Exchanging};
use crate::linger::{Lingering, Unread};
use crate::malformed::ErrorRewriter;
use crate::pace::Paced;

/// The maximum size of a request's line and headers together, in bytes, as in Node.js. Also about
/// the size of a connection's read and write buffers.
const BUFFER_LIMIT: usize = 16 * 1024;

/// The pause after a failed accept, for example when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The configuration shared by all connections.
struct Serving {
    http: http1::Builder,
    router: Router,
    log: AccessLog,
    exchanges: Exchanges,
    /// The timeout for the first byte of a client.
    first_byte_timeout: Duration,
    shutdown: Shutdown,
}

impl Serving {
    fn new(state: AppState, settings: &Settings, shutdown: &Shutdown) -> Self {
        let first_byte_timeout = settings.http.header_timeout;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(first_byte_timeout)
            .max_buf_size(BUFFER_LIMIT);
        Self {
            http,
            log: state.access_log.clone(),
            router: crate::router(state),
            exchanges: Exchanges::default(),
            first_byte_timeout,
            shutdown: shutdown.clone(),
        }
    }

    /// Whether a client sends a byte in time, or disconnects, which hyper handles. Until then a
    /// connection costs 1 KiB of memory; hyper would allocate its buffers at once.
    async fn begins(&self, stream: &TcpStream) -> bool {
        // Not `readable`: tokio takes a new connection for that until somebody has tried.
        let mut first = [0];
        tokio::select! {
            biased;
            _ = stream.peek(&mut first) => true,
            () = self.shutdown.cancelled() => false,
            () = sleep(self.first_byte_timeout) => false,
        }
    }

    /// Serves the requests of a connection, one after the other.
    async fn converse(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let (unread, exchange) = (Unread::default(), self.exchanges.with(peer.ip()));
        let stream = Lingering::new(Paced::new(stream), unread.clone());
        let stream = ErrorRewriter::new(stream, unread.clone(), self.log.clone(), peer.ip());
        let stream = Exchanging::new(stream, exchange.clone());
        let service = service(self.router.clone(), peer, unread, exchange);
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended early");
        }
    }
}

/// Serves until `shutdown`, then finishes the requests in flight. `accepting` is the liveness of
/// the accept loop.
pub async fn run(
    listener: TcpListener,
    state: AppState,
    settings: &Settings,
    shutdown: &Shutdown,
    accepting: &Liveness,
) {
    let graceful = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(settings.http.max_connections));
    let addresses = Addresses::new(&settings.http, &state.access_log);
    let serving = Arc::new(Serving::new(state, settings, shutdown));
    let mut accepts = true;
    loop {
        let accept = async {
            let permit = Arc::clone(&free).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            accepted = accept => accepted,
            () = accepting.pinged() => {
                accepting.pong();
                continue;
            }
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                accepts = true;
                let Some(admitted) = addresses.admit(peer.ip()) else {
                    continue;
                };
                // Responses are small: waiting to fill a packet would only delay them.
                let _ = stream.set_nodelay(true);
                let (serving, watcher) = (Arc::clone(&serving), graceful.watcher());
                tokio::spawn(async move {
                    if serving.begins(&stream).await {
                        // Boxed, so that silent connections do not cost its memory.
                        Box::pin(serving.converse(stream, peer, watcher)).await;
                    }
                    drop((permit, admitted));
                });
            }
            Err(error) => {
                if std::mem::take(&mut accepts) {
                    tracing::warn!(%error, "could not accept a connection");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let ended = timeout(settings.worker.shutdown_grace, graceful.shutdown()).await;
    if ended.is_err() {
        tracing::warn!("closing connections that did not end in time");
    }
}

/// The router as a hyper service, with the peer's address for [`crate::request`]. A response that
/// closes the connection may leave input unread.
fn service(
    router: Router,
    peer: SocketAddr,
    unread: Unread,
    exchange: Exchange,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = axum::response::Response,
    Error = Infallible,
    Future: Send,
> {
    service_fn(move |mut request: Request<Incoming>| {
        exchange.has_head();
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(exchange.clone());
        let (unread, exchange) = (unread.clone(), exchange.clone());
        let answered = router.clone().oneshot(request);
        answered.map_ok(move |mut response| {
            if exchange.answers() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            if response.headers().contains_key(header::CONNECTION) {
                unread.note();
            }
            response
        })
    })
}
