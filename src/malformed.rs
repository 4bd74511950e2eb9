//! Rewrites hyper's responses to malformed requests and too long heads, which it refuses before any
//! handler runs.
//!
//! hyper's responses have no body and can't be configured (hyper 1: `Http1Transaction::on_error`).
//! So the connection's stream compares what hyper writes, and replaces exactly such a response with
//! one that has a body, the common headers, an `X-Request-Id`, and a log line. No other response
//! can match: each has its id in the head, and no body ends in an empty line. If hyper's text
//! changes, its own response is sent.

use std::io::{self, ErrorKind, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use domain::client::ClientKey;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ulid::Ulid;

use crate::access_log::AccessLog;
use crate::error::ApiError;
use crate::forward::forward;
use crate::headers;
use crate::linger::Unread;
use crate::request::REQUEST_ID;

/// A stream that rewrites the responses to malformed requests.
pub struct ErrorRewriter<S> {
    stream: S,
    /// Whether the last write was partial, so that the next one starts inside a response.
    inside: bool,
    /// Whether a line end was read since the last response.
    line_read: bool,
    /// The replacement of hyper's response, and how much of it is written.
    instead: Option<(Vec<u8>, usize)>,
    unread: Unread,
    log: AccessLog,
    peer: ClientKey,
}

impl<S> ErrorRewriter<S> {
    /// Wraps a stream of that peer. Input after a malformed request is recorded as unread.
    pub fn new(stream: S, unread: Unread, log: AccessLog, peer: IpAddr) -> Self {
        Self {
            log,
            peer: ClientKey::of(peer),
            stream,
            inside: false,
            line_read: false,
            instead: None,
            unread,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ErrorRewriter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if !self.line_read {
            self.line_read = buf.filled()[before..].contains(&b'\n');
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> ErrorRewriter<S> {
    /// Writes these bytes with `write`, or the replacement if they are one of hyper's responses.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        all: usize,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() && !self.inside {
            if let Some((error, date)) = refused(first, self.line_read) {
                self.unread.note();
                let (response, id) = identified(error);
                self.log.malformed(response.status(), &id, &self.peer);
                self.instead = written(response, date).map(|answer| (answer, 0));
            }
            self.line_read = false;
        }
        let stream = &mut self.stream;
        let Some((answer, written)) = &mut self.instead else {
            let taken = ready!(write(Pin::new(stream), cx))?;
            self.inside = taken < all;
            return Poll::Ready(Ok(taken));
        };
        while *written < answer.len() {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &answer[*written..]))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        self.instead = None;
        Poll::Ready(Ok(first.len()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ErrorRewriter<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, buf, buf.len(), |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bufs.first().map_or(&[][..], |buf| buf);
        let all = bufs.iter().map(|buf| buf.len()).sum();
        self.write(cx, first, all, |stream, cx| {
            stream.poll_write_vectored(cx, bufs)
        })
    }

    forward!(flush, shutdown);
}

/// The error that hyper reports with these bytes, if they are one of its responses, and their date.
/// `line_read`: whether the request line was read to its end.
fn refused(bytes: &[u8], line_read: bool) -> Option<(ApiError, &str)> {
    let bare = std::str::from_utf8(bytes).ok()?.strip_prefix("HTTP/1.1 ")?;
    let (status, date) = bare.split_once("\r\nconnection: close\r\ncontent-length: 0\r\ndate: ")?;
    let date = date.strip_suffix("\r\n\r\n")?;
    let error = match status.get(..3)? {
        "400" => ApiError::MalformedRequest,
        "414" => ApiError::TargetTooLong,
        "431" if !line_read => ApiError::TargetTooLong,
        "431" => ApiError::HeadersTooLarge,
        _ => return None,
    };
    Some((error, date))
}

/// The replacement, with the common headers and an id.
fn identified(error: ApiError) -> (Response, String) {
    let id = Ulid::generate().to_string();
    let mut response = error.into_response();
    headers::add(response.headers_mut());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    (response, id)
}

/// A response as bytes on the wire.
fn written(response: Response, date: &str) -> Option<Vec<u8>> {
    let (head, body) = response.into_parts();
    let body = body.collect().now_or_never()?.ok()?.to_bytes();
    let status = head.status;
    let length = body.len();
    let mut bytes = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\ndate: {date}\r\n"
    )
    .into_bytes();
    for (name, value) in &head.headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, join};

    use super::*;

    const BARE: &str = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
                        content-length: 0\r\ndate: Sun, 22 Nov 2026 22:42:15 GMT\r\n\r\n";

    /// What comes out where these are written, each after a line was read, into a stream that takes a few bytes at a time.
    async fn through(writes: &[&str]) -> String {
        let (ours, mut theirs) = duplex(7);
        let writing = async {
            let lines = join(&b"\n\n\n"[..], ours);
            let peer = IpAddr::from([192, 0, 2, 1]);
            let log = AccessLog::default();
            let mut stream = ErrorRewriter::new(lines, Unread::default(), log, peer);
            for bytes in writes {
                stream.read_u8().await.unwrap();
                stream.write_all(bytes.as_bytes()).await.unwrap();
            }
        };
        let mut out = String::new();
        let (read, ()) = tokio::join!(theirs.read_to_string(&mut out), writing);
        read.unwrap();
        out
    }

    #[tokio::test]
    async fn a_bare_answer_is_replaced_whole_and_once() {
        let out = through(&["before", BARE, "after"]).await;

        assert!(out.starts_with("beforeHTTP/1.1 431 Request"), "{out}");
        assert!(out.contains("date: Sun, 22 Nov 2026 22:42:15 GMT\r\n"));
        assert!(
            out.ends_with(r#""code":"headers_too_large"}after"#),
            "{out}"
        );
        assert_eq!(out.matches("x-request-id: ").count(), 1);
    }

    #[tokio::test]
    async fn what_is_not_exactly_that_stays_as_it_is() {
        let one_of_ours = BARE.replace("date:", "x-request-id: 1\r\ndate:");
        let with_a_body = format!("{BARE}{{}}");
        let behind_another = format!("HTTP/1.1 200 OK\r\n\r\n{{}}{BARE}");
        let of_another_status = BARE.replace("431", "404");

        for bytes in [one_of_ours, with_a_body, behind_another, of_another_status] {
            assert_eq!(through(&[&bytes]).await, bytes);
        }
    }
}
