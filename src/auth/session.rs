//! Who is asking: the `Authorization` header as a user and a session.
//!
//! A protected handler takes [`Authenticated`] first, so that 401 comes before everything that is wrong
//! with the body; public handlers don't look at the header at all, so a stale token blocks nobody.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use domain::accounts::SessionUser;
use domain::accounts::sessions::TouchSession;
use domain::id::UserId;
use domain::store::{Caller, Ticket};
use domain::token::SecretHash;

use crate::AppState;
use crate::error::{ApiError, Unauthorized};
use crate::extract;
use crate::in_flight::Slot;
use crate::request::Origin;

/// How often it is noted that a session is used: often enough that one in use does not count as idle.
#[must_use]
pub fn noted_every(idle: Duration) -> Duration {
    const SELDOM: Duration = Duration::from_mins(5);
    SELDOM.min(idle / 4)
}

/// A request with a token that is good.
#[derive(Clone, Debug)]
pub struct Authenticated(pub SessionUser);

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let origin = parts.extensions.get();
        let token = presented(&parts.headers).map_err(|none| anonymous(none, origin, state))?;
        // Whose token has been seen waits before it is looked up: what is one too many costs no look.
        let seen = state.bearers.user_of(&token);
        if let Some(user) = seen {
            enter(parts, user, state).await?;
        }
        let found = Self::by(token, parts.extensions.get(), state).await?;
        if seen.is_none() {
            enter(parts, found.0.user.id, state).await?;
        }
        Ok(found)
    }
}

/// Waits for the turn of a user's request.
async fn enter(parts: &mut Parts, user: UserId, state: &AppState) -> Result<(), ApiError> {
    if let Some(origin) = parts.extensions.get_mut::<Origin>() {
        let slot = state.in_flight.enter(user, origin.ticket.deadline).await?;
        if state.rules.limits.is_none() {
            // It may have waited for long.
            origin.ticket.deadline = Instant::now() + state.write_within;
        }
        is_in_flight(origin, user, slot);
    }
    Ok(())
}

/// A user's request, which is in flight until the database has done its work and a long answer is sent.
fn is_in_flight(origin: &mut Origin, user: UserId, slot: Slot) {
    let slot: Arc<dyn Any + Send + Sync> = Arc::new(slot);
    let _ = origin.holder.set((user, Arc::clone(&slot)));
    origin.ticket = Ticket {
        caller: Caller::User(user),
        deadline: origin.ticket.deadline,
        slot: Some(slot),
    };
}

impl Authenticated {
    /// Whoever has a token.
    pub async fn by(
        token: SecretHash,
        origin: Option<&Origin>,
        state: &AppState,
    ) -> Result<Self, ApiError> {
        let ticket = look_up(&token, origin, state);
        match Self::find(token, ticket, state).await {
            Err(ApiError::Unauthorized(bad)) => {
                state.bearers.forget(&token);
                Err(anonymous(bad, origin, state))
            }
            Ok(found) => {
                state.bearers.remember(token, found.0.user.id);
                Ok(found)
            }
            Err(error) => Err(error),
        }
    }

    /// Whoever has the token of a request with these headers; counts nothing.
    pub async fn known(
        headers: &HeaderMap,
        origin: Option<&Origin>,
        state: &AppState,
    ) -> Result<Self, ApiError> {
        let token = presented(headers)?;
        // A slow network is not held against the request.
        let ticket = Ticket {
            deadline: Instant::now() + state.write_within,
            ..look_up(&token, origin, state)
        };
        Self::find(token, ticket, state).await
    }

    async fn find(token: SecretHash, ticket: Ticket, state: &AppState) -> Result<Self, ApiError> {
        let now = state.clock.now();
        let mut view = state.store.view_by(&ticket).await?;
        let found = view.session(&token).await?;
        view.done();
        let session = found.ok_or(Unauthorized::InvalidToken)?;
        if session.expires <= now || session.last_used + state.rules.session.idle <= now {
            return Err(Unauthorized::InvalidToken.into());
        }
        if !session.user.active {
            return Err(Unauthorized::Inactive.into());
        }
        if session.last_used + noted_every(state.rules.session.idle) <= now {
            let (store, id) = (state.store.clone(), session.id);
            let ticket = Ticket {
                caller: Caller::User(session.user.id),
                ..ticket
            };
            tokio::spawn(async move {
                if let Err(error) = store.write_by(&ticket, TouchSession { id, now }).await {
                    tracing::debug!(%error, "a session's use was not noted");
                }
            });
        }
        Ok(Self(session))
    }
}

/// In whose turn a token is looked up: the user's whose it was, else the client's.
fn look_up(token: &SecretHash, origin: Option<&Origin>, state: &AppState) -> Ticket {
    let deadline = origin.map_or_else(
        || Instant::now() + state.write_within,
        |origin| origin.ticket.deadline,
    );
    match (state.bearers.user_of(token), origin) {
        (Some(user), Some(origin)) => Ticket {
            caller: Caller::User(user),
            ..origin.ticket.clone()
        },
        (Some(user), None) => Ticket::new(Caller::User(user), deadline),
        (None, Some(origin)) => origin.ticket.clone(),
        (None, None) => Ticket::new(Caller::Process, deadline),
    }
}

/// The most bytes of a body that is short.
const SHORT: usize = 8 * 1024;

/// A token that a request presents, for who looks it up together with something else.
///
/// It has been looked up already where it is new to this process, where the client has just been cut for bad ones, and
/// where the body is long: who is nobody is to cost little, and a long body costs more than the look.
pub struct Presented {
    /// What of it is stored.
    pub token: SecretHash,
    /// Whose it was when it was looked up last.
    pub user: UserId,
}

impl FromRequestParts<AppState> for Presented {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let origin = parts.extensions.get::<Origin>();
        let token = presented(&parts.headers).map_err(|none| anonymous(none, origin, state))?;
        let is_cut = origin.is_some_and(|origin| state.flood.cuts(&origin.actor.client));
        let is_short = extract::length(&parts.extensions) <= SHORT;
        let user = match state.bearers.user_of(&token) {
            Some(user) if is_short && !is_cut => user,
            _ => Authenticated::by(token, origin, state).await?.0.user.id,
        };
        if !is_short {
            enter(parts, user, state).await?;
        } else if let Some(origin) = parts.extensions.get_mut::<Origin>() {
            // Short ones share a transaction: together they take no more of the writer's time than one.
            let slot = state.in_flight.pass(user)?;
            is_in_flight(origin, user, slot);
        }
        Ok(Self { token, user })
    }
}

/// A request without a good token is an anonymous one, and counts as such.
fn anonymous(why: Unauthorized, origin: Option<&Origin>, state: &AppState) -> ApiError {
    match origin.map(|origin| state.flood.count(&origin.actor.client)) {
        Some(Err(cut)) => cut,
        _ => why.into(),
    }
}

/// The hash of the token that a request presents, good or not.
fn presented(headers: &HeaderMap) -> Result<SecretHash, Unauthorized> {
    let header = headers
        .get(header::AUTHORIZATION)
        .map_or(&b""[..], HeaderValue::as_bytes);
    token(header).map(SecretHash::of)
}

/// The token of the header: `Token x` or `Bearer x`, the scheme in any case.
fn token(header: &[u8]) -> Result<&str, Unauthorized> {
    let mut parts = header
        .split(u8::is_ascii_whitespace)
        .filter(|part| !part.is_empty());
    let known = parts.next().is_some_and(|scheme| {
        scheme.eq_ignore_ascii_case(b"token") || scheme.eq_ignore_ascii_case(b"bearer")
    });
    if !known {
        return Err(Unauthorized::NotProvided);
    }
    let token = parts.next().ok_or(Unauthorized::NoCredentials)?;
    if parts.next().is_some() {
        return Err(Unauthorized::Spaces);
    }
    std::str::from_utf8(token).map_err(|_| Unauthorized::InvalidCharacters)
}
