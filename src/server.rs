//! Connections: accepted up to a limit, given time-outs, and let go in good order.
//!
//! Built on hyper-util because `axum::serve` has no timeout for a request's headers and sleeps a
//! second after a failed accept. TLS is the proxy's work.

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
use crate::pace::Paced;
use crate::unreadable::Answering;

/// The most bytes that a request's line and headers may have together, as in Node.js. Also about the most that a
/// connection reads, and that it has ready to be written, at once.
const BUFFER_LIMIT: usize = 16 * 1024;

/// The pause after a failed accept, when file descriptors have run out for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What every connection is served with.
struct Serving {
    http: http1::Builder,
    router: Router,
    log: AccessLog,
    exchanges: Exchanges,
    /// How long a client may say nothing at first.
    patience: Duration,
    shutdown: Shutdown,
}

impl Serving {
    fn new(state: AppState, settings: &Settings, shutdown: &Shutdown) -> Self {
        let patience = settings.http.header_timeout;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(patience)
            .max_buf_size(BUFFER_LIMIT);
        Self {
            http,
            log: state.access_log.clone(),
            router: crate::router(state),
            exchanges: Exchanges::default(),
            patience,
            shutdown: shutdown.clone(),
        }
    }

    /// Whether a client says something in time, or leaves, which is for hyper to see. Until then its connection costs
    /// 1 KiB of memory; hyper would take its buffers at once.
    async fn begins(&self, stream: &TcpStream) -> bool {
        // Not `readable`: tokio takes a new connection for that until somebody has tried.
        let mut first = [0];
        tokio::select! {
            biased;
            _ = stream.peek(&mut first) => true,
            () = self.shutdown.cancelled() => false,
            () = sleep(self.patience) => false,
        }
    }

    /// Answers a connection's requests, one after the other.
    async fn converse(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let (unread, exchange) = (Unread::default(), self.exchanges.with(peer.ip()));
        let stream = Lingering::new(Paced::new(stream), unread.clone());
        let stream = Answering::new(stream, unread.clone(), self.log.clone(), peer.ip());
        let stream = Exchanging::new(stream, exchange.clone());
        let service = service(self.router.clone(), peer, unread, exchange);
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// Serves until `shutdown`, then finishes the requests in hand. `accepting`: that connections are accepted.
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
                // Answers are small: waiting to fill a packet would only delay them.
                let _ = stream.set_nodelay(true);
                let (serving, watcher) = (Arc::clone(&serving), graceful.watcher());
                tokio::spawn(async move {
                    if serving.begins(&stream).await {
                        // In a box, so that who says nothing does not cost its room.
                        Box::pin(serving.converse(stream, peer, watcher)).await;
                    }
                    drop((permit, admitted));
                });
            }
            Err(error) => {
                if std::mem::take(&mut accepts) {
                    tracing::warn!(%error, "a connection could not be accepted");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let ended = timeout(settings.worker.shutdown_grace, graceful.shutdown()).await;
    if ended.is_err() {
        tracing::warn!("some connections did not end in time and are cut");
    }
}

/// The router as hyper wants it, with the peer's address for [`crate::request`]. Who answers that the connection is to
/// be closed may have left something unread.
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
