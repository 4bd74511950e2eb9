//! One request over a connection of its own, with nothing added that the test did not ask for.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Answer, PATIENCE};

/// What a request carries.
type Body = BoxBody<Bytes, Infallible>;

/// A request being put together.
pub struct Request {
    address: SocketAddr,
    request: hyper::Request<Body>,
}

impl Request {
    /// A request without a body.
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, address.to_string())
            .body(Full::default().boxed())
            .unwrap();
        Self { address, request }
    }

    /// Adds a header; another `Host` takes the place of the one there is.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name: HeaderName = name.parse().unwrap();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        let headers = self.request.headers_mut();
        if name == header::HOST {
            headers.remove(&name);
        }
        headers.append(name, value);
        self
    }

    /// Sets the body, sent with its length.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Full::new(body.into()).boxed();
        self
    }

    /// Sets the body, sent in these chunks and without a length.
    pub fn chunks(mut self, chunks: &[&str]) -> Self {
        let frames: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk.as_bytes()))))
            .collect();
        *self.request.body_mut() = BodyExt::boxed(StreamBody::new(stream::iter(frames)));
        self
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Answer {
        let address = self.address;
        self.try_send()
            .await
            .unwrap_or_else(|error| panic!("no answer from {address}: {error:?}"))
    }

    /// Sends it, for tests in which the server may go away meanwhile.
    pub async fn try_send(self) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        tokio::time::timeout(PATIENCE, async {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let connection = tokio::spawn(connection);
            let response = sender.send_request(self.request).await?;
            let (head, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            connection.abort();
            Ok(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            })
        })
        .await?
    }
}
