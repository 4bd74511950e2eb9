//! A body that is not short, on its way: whether it is read on, for whom, and in whose room.
//!
//! Its first 64 KiB are anybody's. What is longer is read once its sender is known, and once there is room for all of it:
//! what is announced is not believed to come, so that room is taken when that much has arrived.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::MatchedPath;
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use domain::client::ClientKey;
use domain::id::UserId;
use domain::store::Caller;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::time::sleep;

use super::{NOTES_LIMIT, STRIPE_LIMIT, incomplete};
use crate::AppState;
use crate::auth::session::Authenticated;
use crate::budget::{Arrival, Budget, Held};
use crate::error::ApiError;
use crate::request::RequestContext;

/// The most bytes of a body that are read for anybody.
const UNCHECKED: usize = 64 * 1024;

/// The bytes for which there is room before they are read: what a connection reads at once.
const STEP: usize = 16 * 1024;

/// How many chunks a body may come in, however small they are; beyond that they have [`LEAST`] bytes on average. Each
/// costs half a microsecond.
const CHUNKS: usize = 4096;
const LEAST: usize = 16;

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
    /// With these settings' `body_limit_bytes`, a body of which finds room in any case, and `body_timeout`.
    #[must_use]
    pub fn new(limit: usize, time: Duration) -> Self {
        Self {
            users: Budget::new(12, SHARE.max(limit), time),
            signed: Budget::new(4, STRIPE_LIMIT.max(limit), time),
            strangers: Budget::new(4, SHARE_OF_STRANGERS.max(limit), time),
        }
    }
}

/// Reads a body of at most `limit` bytes. With it comes the room that it takes.
pub async fn receive(
    state: &AppState,
    head: &Parts,
    body: Body,
    limit: usize,
) -> Result<(Bytes, Held), ApiError> {
    let announced = body.size_hint().exact();
    let announced = announced.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(ApiError::BodyTooLarge { limit });
    }
    let arrival = Arc::<Arrival>::default();
    let mut room = Room::new(state, head, announced.unwrap_or(limit), &arrival);
    let read = async {
        if announced.is_some_and(|bytes| bytes > UNCHECKED) {
            room.identify().await?;
        }
        let body = read(body, &mut room, announced, limit).await?;
        Ok((body, room.held))
    };
    tokio::select! {
        biased;
        read = read => read,
        () = arrival.cut() => Err(ApiError::BodyTimeout),
        () = sleep(state.http.body_timeout) => Err(if arrival.waits() {
            ApiError::BodiesHeld
        } else {
            ApiError::BodyTimeout
        }),
    }
}

async fn read(
    mut body: Body,
    room: &mut Room<'_>,
    announced: Option<usize>,
    limit: usize,
) -> Result<Bytes, ApiError> {
    let mut read = BytesMut::new();
    let mut chunks = 0;
    loop {
        // Before it is read: what waits for room is to take none.
        room.make(room.most.min(read.len() + STEP)).await?;
        let Some(frame) = body.frame().await else {
            return Ok(read.freeze());
        };
        let Ok(data) = frame.map_err(|_| incomplete())?.into_data() else {
            continue;
        };
        let length = read.len() + data.len();
        if length > limit {
            return Err(ApiError::BodyTooLarge { limit });
        }
        chunks += 1;
        if announced.is_none() && chunks > CHUNKS + length / LEAST {
            return Err(chopped());
        }
        if length > read.capacity() {
            // Twice as much each time, but no more than is to come.
            let most = room.most - read.len();
            read.reserve(length.min(most).max(data.len()));
        }
        read.extend_from_slice(&data);
        room.arrival.has(length);
    }
}

/// Room for one body.
struct Room<'a> {
    state: &'a AppState,
    head: &'a Parts,
    client: ClientKey,
    arrival: &'a Arc<Arrival>,
    held: Held,
    /// The most bytes that may come.
    most: usize,
    /// Who sends it, once that was asked.
    sender: Option<Sender>,
}

impl<'a> Room<'a> {
    /// None yet.
    fn new(state: &'a AppState, head: &'a Parts, most: usize, arrival: &'a Arc<Arrival>) -> Self {
        let context = head.extensions.get::<RequestContext>();
        let client = context.map_or_else(
            || ClientKey::from(String::new()),
            |context| context.actor.client.clone(),
        );
        let strangers = &state.bodies.strangers;
        Self {
            state,
            head,
            held: strangers.room_for(Caller::Client(client.clone()), arrival),
            client,
            arrival,
            most,
            sender: None,
        }
    }

    /// Finds out who sends it.
    async fn identify(&mut self) -> Result<Sender, ApiError> {
        if let Some(known) = self.sender {
            return Ok(known);
        }
        let sender = sender(self.state, self.head).await?;
        self.sender = Some(sender);
        Ok(sender)
    }

    /// Makes it so many bytes: among strangers, as long as there is room and it is short, else among those of its sender
    /// for all of it.
    async fn make(&mut self, bytes: usize) -> Result<(), ApiError> {
        if bytes <= self.held.bytes() {
            return Ok(());
        }
        let is_short = bytes <= UNCHECKED;
        if is_short && self.held.hold(bytes).now_or_never().is_some() {
            return Ok(());
        }
        let budgets = &self.state.bodies;
        let client = Caller::Client(self.client.clone());
        let (budget, caller) = match self.identify().await {
            Ok(Sender::User(user)) => (&budgets.users, Caller::User(user)),
            Ok(Sender::Signed) => (&budgets.signed, client),
            Err(refused) if !is_short => return Err(refused),
            // What is wrong is for the handler to say.
            Ok(Sender::Stranger) | Err(_) if is_short => {
                self.held.hold(bytes).await;
                return Ok(());
            }
            Ok(Sender::Stranger) | Err(_) => {
                // Not beside what it holds: strangers that all hold some would wait for each other.
                self.held = budgets.strangers.room_for(client, self.arrival);
                self.held.hold(self.most).await;
                return Ok(());
            }
        };
        let mut held = budget.room_for(caller, self.arrival);
        held.hold(self.most).await;
        // Only now, since what has come is in memory meanwhile.
        self.held = held;
        Ok(())
    }
}

/// Who sends a long body.
#[derive(Clone, Copy)]
enum Sender {
    User(UserId),
    /// Whoever it is brings a signature.
    Signed,
    Stranger,
}

/// Whether a long body is read, and for whom. What is found wrong is for the handler to answer, which finds the same.
async fn sender(state: &AppState, head: &Parts) -> Result<Sender, ApiError> {
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
    match head.extensions.get::<RequestContext>() {
        Some(context) if state.client_rate_limit.cuts(&context.actor.client) => {
            state.client_rate_limit.count(&context.actor.client)?;
        }
        _ => {}
    }
    Ok(Sender::Stranger)
}

fn chopped() -> ApiError {
    ApiError::UnreadableBody {
        detail: "The request's body comes in too many chunks that are too small.".to_owned(),
        code: "chunks_too_small",
    }
}
