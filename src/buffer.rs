//! Requests' bodies on their way into memory: how much is read, for whom, and for how long.
//!
//! A body is read to its end before anything is answered, as long as it is short: an answer to a body that is still on
//! its way makes the server close the connection under the client's next request. What goes wrong is kept for the
//! handler that wants the body, so that 401, 404 and 405 still come first.
//!
//! A long body is read only if the route takes one and the client may send it, and what is held of all of them together
//! is bounded ([`crate::budget`]). The answer to one that is not read ends the connection ([`crate::linger`]).

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use domain::client::ClientKey;
use domain::id::UserId;
use domain::store::Caller;
use futures_util::FutureExt;
use futures_util::future::Either;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::{self, timeout, timeout_at};

use crate::AppState;
use crate::auth::session::Authenticated;
use crate::budget::{Budget, Held};
use crate::error::ApiError;
use crate::extract;
use crate::request::Origin;

/// The most bytes of a body that are read without a budget: about as much as a connection's own buffer holds.
pub const SHORT: usize = 8 * 1024;

/// The most bytes of a body that are read for anybody.
const UNCHECKED: usize = 64 * 1024;

/// The most bytes of a body where notes are sent: the longest content, each of its characters written as a
/// surrogate pair of `\u` escapes, twelve bytes.
const NOTES_LIMIT: usize = 2 * 1024 * 1024;

/// The same where Stripe sends events, which hold the whole object that they are about.
const STRIPE_LIMIT: usize = 256 * 1024;

/// What one user may hold of long bodies: two of the largest on their way at once.
const SHARE: usize = 2 * NOTES_LIMIT;

/// What one client may hold of bodies that may be anybody's: those of 64 connections.
const SHARE_OF_STRANGERS: usize = 64 * UNCHECKED;

/// How much is held of bodies. Apart, so that nobody takes the room of those who have a token without one.
pub struct Budgets {
    users: Arc<Budget>,
    /// Events that bring a signature, which is looked at when all of them is there.
    signed: Arc<Budget>,
    strangers: Arc<Budget>,
}

impl Budgets {
    /// With these settings' `body_limit_bytes`, a body of which finds room in any case.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            users: Budget::new(12, SHARE.max(limit)),
            signed: Budget::new(4, STRIPE_LIMIT.max(limit)),
            strangers: Budget::new(4, SHARE_OF_STRANGERS.max(limit)),
        }
    }
}

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
        let read = timeout(state.http.body_timeout, body.collect());
        Either::Left(read.then(move |read| {
            let body = match read {
                Ok(Ok(body)) => Ok(body.to_bytes()),
                Ok(Err(_)) => Err(incomplete()),
                Err(_) => Err(ApiError::BodyTimeout),
            };
            proceed(&state, head, body, next)
        }))
    } else {
        // In a box: it is rare, and its room would be every request's.
        Either::Right(Box::pin(long(state, head, body, limit, next)))
    }
}

/// The same for one that is not short, or may not be.
async fn long(state: AppState, head: Parts, body: Body, limit: usize, next: Next) -> Response {
    let received = receive(&state, &head, body, limit).await;
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

async fn receive(
    state: &AppState,
    head: &Parts,
    mut body: Body,
    limit: usize,
) -> Result<(Bytes, Held), ApiError> {
    let announced = body.size_hint().exact();
    let announced = announced.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    let too_large = ApiError::BodyTooLarge { limit };
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(too_large);
    }
    let mut room = Room::new(state, head, announced.unwrap_or(limit));
    if announced.is_some_and(|bytes| bytes > UNCHECKED) {
        room.let_in().await?;
    }
    let mut read = BytesMut::new();
    loop {
        let frame = timeout_at(room.until, body.frame()).await;
        let Some(frame) = frame.map_err(|_| ApiError::BodyTimeout)? else {
            return Ok((read.freeze(), room.held));
        };
        let Ok(data) = frame.map_err(|_| incomplete())?.into_data() else {
            continue;
        };
        let length = read.len() + data.len();
        if length > limit {
            return Err(too_large);
        }
        room.make(length).await?;
        if length > read.capacity() {
            // Twice as much each time, but no more than is to come.
            let most = announced.unwrap_or(limit) - read.len();
            read.reserve(length.min(most).max(data.len()));
        }
        read.extend_from_slice(&data);
    }
}

/// Room for one body.
struct Room<'a> {
    state: &'a AppState,
    head: &'a Parts,
    client: ClientKey,
    held: Held,
    /// The most bytes that may come.
    most: usize,
    is_let_in: bool,
    /// When the body must have come.
    until: time::Instant,
}

impl<'a> Room<'a> {
    /// None yet.
    fn new(state: &'a AppState, head: &'a Parts, most: usize) -> Self {
        let origin = head.extensions.get::<Origin>();
        let client = origin.map_or_else(
            || ClientKey::from(String::new()),
            |origin| origin.actor.client.clone(),
        );
        let stranger = Caller::Client(client.clone());
        Self {
            state,
            head,
            held: state.bodies.strangers.body_of(stranger),
            client,
            most,
            is_let_in: false,
            until: time::Instant::now() + state.http.body_timeout,
        }
    }

    /// Finds out for whom the body is read, and waits until there is room for all of it. A stranger's stays with those of
    /// strangers.
    async fn let_in(&mut self) -> Result<(), ApiError> {
        let budgets = &self.state.bodies;
        let held = match let_in(self.state, self.head).await? {
            Sender::User(user) => budgets.users.body_of(Caller::User(user)),
            Sender::Signed => budgets.signed.body_of(Caller::Client(self.client.clone())),
            Sender::Stranger => return Ok(()),
        };
        self.held = held;
        self.is_let_in = true;
        self.hold(self.most).await
    }

    /// For so many bytes. Who finds none among strangers is let in, or waits.
    async fn make(&mut self, bytes: usize) -> Result<(), ApiError> {
        if self.is_let_in {
            return Ok(());
        }
        let is_short = bytes <= UNCHECKED;
        if is_short && self.held.hold(bytes).now_or_never().is_some() {
            return Ok(());
        }
        match self.let_in().await {
            Err(refused) if !is_short => Err(refused),
            _ if self.is_let_in => Ok(()),
            _ => self.hold(bytes).await,
        }
    }

    async fn hold(&mut self, bytes: usize) -> Result<(), ApiError> {
        let held = timeout_at(self.until, self.held.hold(bytes)).await;
        held.map_err(|_| ApiError::BodiesHeld)
    }
}

/// Who sends a long body.
enum Sender {
    User(UserId),
    /// Whoever it is brings a signature.
    Signed,
    Stranger,
}

/// Whether a long body is read, and for whom. What is found wrong is for the handler to answer, which finds the same.
async fn let_in(state: &AppState, head: &Parts) -> Result<Sender, ApiError> {
    let path = head.extensions.get::<MatchedPath>();
    let path = path.ok_or(ApiError::NotFound)?.as_str();
    let token = Authenticated::known(&head.headers, head.extensions.get(), state).await;
    match token {
        Ok(Authenticated(session)) => return Ok(Sender::User(session.user.id)),
        Err(refused) if path.starts_with("/api/notes") => return Err(refused),
        Err(_) => {}
    }
    if path.starts_with("/api/webhooks/stripe") {
        let is_signed = head.headers.contains_key("stripe-signature");
        return is_signed
            .then_some(Sender::Signed)
            .ok_or(ApiError::NotFound);
    }
    match head.extensions.get::<Origin>() {
        Some(origin) if state.flood.cuts(&origin.actor.client) => {
            state.flood.count(&origin.actor.client)?;
        }
        _ => {}
    }
    Ok(Sender::Stranger)
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
