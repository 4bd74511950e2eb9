//! Requests' bodies on their way into memory: how much is read, for whom, and for how long.
//!
//! A body is read to its end before anything is answered, as long as it is short: an answer to a body that is still on
//! its way makes the server close the connection under the client's next request. What goes wrong is kept for the
//! handler that wants the body, so that 401, 404 and 405 still come first.
//!
//! One that is not short is read as far as there is room for it ([`arrival`]), and a long one only if the route takes one
//! and the client may send it. The answer to one that is not read ends the connection ([`crate::linger`]).

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
use crate::request::Origin;

/// The most bytes of a body that are read without a budget.
const SHORT: usize = 2 * 1024;

/// The most bytes of a body where notes are sent: the longest content, each of its characters written as a
/// surrogate pair of `\u` escapes, twelve bytes.
const NOTES_LIMIT: usize = 2 * 1024 * 1024;

/// The same where Stripe sends events, which hold the whole object that they are about.
const STRIPE_LIMIT: usize = 256 * 1024;

/// Reads a request's body.
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
        // In a box: it is rare, and its room would be every request's.
        Either::Right(Box::pin(long(state, head, body, limit, next)))
    }
}

/// Reads a short body. Where it comes in several frames they are copied: each holds the connection's whole buffer.
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

/// The same for one that is not short, or may not be.
async fn long(state: AppState, head: Parts, body: Body, limit: usize, next: Next) -> Response {
    let received = arrival::receive(&state, &head, body, limit).await;
    // Held until all is answered: what is made of a body is as large.
    let (body, _room) = match received {
        Ok((body, room)) => (Ok(body), Some(room)),
        Err(error) => (Err(error), None),
    };
    proceed(&state, head, body, next).await
}

/// Goes on with what was read.
fn proceed(
    state: &AppState,
    mut head: Parts,
    body: Result<Bytes, ApiError>,
    next: Next,
) -> impl Future<Output = Response> + use<> {
    if let Some(origin) = head.extensions.get_mut::<Origin>() {
        // A slow network is not held against the request.
        origin.ticket.deadline = Instant::now() + state.write_within;
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
    ApiError::Malformed {
        detail: "The request's body ended early or is not well formed.".to_owned(),
        code: "body_incomplete",
    }
}

/// The most bytes that are read of a request's body; `limit`: where nothing else holds.
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

    /// A byte in a buffer that counts itself as held.
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
