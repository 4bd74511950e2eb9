//! Reads request bodies into memory, with limits of size, memory and time.
//!
//! A short body is read to its end before the response, because a response to an unread body makes
//! the server close the connection under the client's next request. An error is kept for the
//! handler that needs the body, so that 401, 404 and 405 still come first.
//!
//! A longer body is read as far as there is memory for it ([`arrival`]), and a long one only if the
//! route accepts it and the client is allowed to send it. The response to an unread body ends the
//! connection ([`crate::linger`]).

mod arrival;

use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::Either;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::timeout;

pub use arrival::Budgets;

use crate::AppState;
use crate::error::ApiError;
use crate::exchange::Exchange;
use crate::extract;
use crate::request::RequestContext;

/// The maximum length of a body that needs no budget, in bytes.
const SHORT: usize = 2 * 1024;

/// The maximum length of a body with notes, in bytes: the longest content, with each character
/// written as a surrogate pair of `\u` escapes (twelve bytes).
const NOTES_LIMIT: usize = 2 * 1024 * 1024;

/// The same for Stripe's events, which contain the whole object.
const STRIPE_LIMIT: usize = 256 * 1024;

/// Reads the body of a request.
pub fn buffer(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> impl Future<Output = Response> {
    let (head, body) = request.into_parts();
    let limit = limit_of(&head, state.http.body_limit_bytes);
    let is_short = |length| length <= SHORT.min(limit) as u64;
    if body.size_hint().exact().is_some_and(is_short) {
        let read = timeout(state.http.body_timeout, short(body));
        Either::Left(read.then(move |read| {
            let body = read.unwrap_or(Err(ApiError::BodyTimeout));
            proceed(&state, head, body, next)
        }))
    } else {
        // Boxed, because it is rare and would otherwise enlarge every request's future.
        Either::Right(Box::pin(long(state, head, body, limit, next)))
    }
}

/// Reads a short body. Several frames are copied, because each one holds the connection's whole
/// buffer.
async fn short(mut body: Body) -> Result<Bytes, ApiError> {
    let length = body.size_hint().lower();
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| incomplete())?.into_data() else {
            continue;
        };
        if read.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        if read.is_empty() {
            read.reserve(usize::try_from(length).unwrap_or(SHORT));
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

/// The same for a body that is or may be longer.
async fn long(state: AppState, head: Parts, body: Body, limit: usize, next: Next) -> Response {
    let received = arrival::receive(&state, &head, body, limit).await;
    // Held until the response is complete, because the parsed body is as large.
    let (body, _room) = match received {
        Ok((body, room)) => (Ok(body), Some(room)),
        Err(error) => (Err(error), None),
    };
    proceed(&state, head, body, next).await
}

/// Passes the body to the handler.
fn proceed(
    state: &AppState,
    mut head: Parts,
    body: Result<Bytes, ApiError>,
    next: Next,
) -> impl Future<Output = Response> + use<> {
    if let Some(context) = head.extensions.get_mut::<RequestContext>() {
        // The time of the upload does not count against the request.
        context.ticket.deadline = Instant::now() + state.write_within;
    }
    let complete = body.is_ok();
    if let Some(exchange) = head.extensions.get::<Exchange>()
        && complete
    {
        exchange.has_body();
    }
    head.extensions.insert(extract::Body::new(body));
    let request = Request::from_parts(head, Body::empty());
    next.run(request).map(move |mut response| {
        if !complete {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    })
}

fn incomplete() -> ApiError {
    ApiError::UnreadableBody {
        detail: "The request's body ended early or is not well formed.".to_owned(),
        code: "body_incomplete",
    }
}

/// The maximum length of a request's body; `limit` is the default.
fn limit_of(head: &Parts, limit: usize) -> usize {
    let Some(path) = head.extensions.get::<MatchedPath>() else {
        return limit;
    };
    let path = path.as_str();
    match (&head.method, path.strip_suffix('/').unwrap_or(path)) {
        (&Method::POST, "/api/notes" | "/api/notes/batch")
        | (&Method::PUT | &Method::PATCH, "/api/notes/{id}") => limit.max(NOTES_LIMIT),
        (&Method::POST, "/api/webhooks/stripe") => limit.max(STRIPE_LIMIT),
        _ => limit,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::StreamExt;
    use futures_util::stream;

    use super::*;

    /// A buffer that counts itself as held memory.
    struct Buffer(Arc<AtomicUsize>);

    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            b"x"
        }
    }

    impl Drop for Buffer {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn a_body_that_comes_byte_by_byte_holds_no_buffer_for_each() {
        let held = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (buffers, seen) = (Arc::clone(&held), Arc::clone(&most));
        let frames = stream::iter(0..1000).map(move |_| {
            let now = buffers.fetch_add(1, Ordering::Relaxed) + 1;
            seen.fetch_max(now, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_owner(Buffer(Arc::clone(&buffers))))
        });

        let read = short(Body::from_stream(frames)).await.unwrap();

        assert_eq!(read, "x".repeat(1000));
        assert_eq!(held.load(Ordering::Relaxed), 0);
        assert!(most.load(Ordering::Relaxed) <= 2);
    }
}
