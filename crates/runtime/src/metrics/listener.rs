//! The socket that serves the metrics: HTTP/1.1, one path, no token. Every client that can connect
//! can read them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Collect, text, upkeep};

/// Prometheus uses one connection; more than a few at once come from other clients.
const CONNECTIONS: usize = 16;

/// The time limit for the headers of a request, and then for a connection as a whole.
const HEADERS: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_mins(10);

/// The pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The text format (Prometheus, "Exposition formats").
const FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// The address can't be bound.
#[derive(Debug, thiserror::Error)]
#[error("can't serve metrics on {address}. Choose another address in {setting}, or leave it empty")]
pub struct BindError {
    address: SocketAddr,
    setting: &'static str,
    #[source]
    source: std::io::Error,
}

/// The running listener. Dropping it stops the listener.
#[derive(Debug)]
pub struct Listening([JoinHandle<()>; 2]);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Starts serving the metrics. `setting` is the key of the address, for the error message.
pub async fn serve(
    address: SocketAddr,
    setting: &'static str,
    collect: Arc<dyn Collect>,
) -> Result<Listening, BindError> {
    let failed = |source| BindError {
        address,
        setting,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(http.listen = %address, "serving metrics");
    if !address.ip().is_loopback() {
        tracing::warn!(
            http.listen = %address,
            "every client that can reach this address can read the metrics; they need no token"
        );
    }
    Ok(Listening([
        tokio::spawn(accept(listener, collect)),
        tokio::spawn(upkeep()),
    ]))
}

async fn accept(listener: TcpListener, collect: Arc<dyn Collect>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = Arc::clone(&free).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let collect = Arc::clone(&collect);
                tokio::spawn(async move {
                    let _ = timeout(CONNECTION, converse(stream, collect)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection for metrics");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, collect: Arc<dyn Collect>) {
    let service = service_fn(move |request| {
        let collect = Arc::clone(&collect);
        async move { Ok::<_, Infallible>(answer(&request, collect.as_ref()).await) }
    });
    let ended = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection for metrics ended early");
    }
}

async fn answer(request: &Request<Incoming>, collect: &dyn Collect) -> Response<Full<Bytes>> {
    let plain = |status, text: String| {
        let mut answer = Response::new(Full::new(Bytes::from(text)));
        *answer.status_mut() = status;
        answer.headers_mut().insert(CONTENT_TYPE, FORMAT);
        answer
    };
    match (request.uri().path(), request.method()) {
        ("/metrics", &Method::GET | &Method::HEAD) => plain(StatusCode::OK, text(collect).await),
        ("/metrics", _) => {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, String::new());
            let allowed = HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(ALLOW, allowed);
            answer
        }
        _ => plain(
            StatusCode::NOT_FOUND,
            "metrics are at /metrics\n".to_owned(),
        ),
    }
}
