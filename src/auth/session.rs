//! Authentication: the `Authorization` header as a user and a session.
//!
//! A protected handler extracts [`Authenticated`] first, so that a 401 precedes every error of the
//! body. Public handlers ignore the header, so that a stale token does no harm.

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
use crate::request::RequestContext;

/// The interval at which the use of a session is recorded: short enough that a session in use does
/// not become idle.
#[must_use]
pub fn noted_every(idle: Duration) -> Duration {
    const SELDOM: Duration = Duration::from_mins(5);
    SELDOM.min(idle / 4)
}

/// A request with a valid token.
#[derive(Clone, Debug)]
pub struct Authenticated(pub SessionUser);

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let context = parts.extensions.get();
        let token = bearer_token(&parts.headers).map_err(|none| anonymous(none, context, state))?;
        // A known token waits before it is looked up, so that a refused request costs no look-up.
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

/// Waits for a free slot of the user.
async fn enter(parts: &mut Parts, user: UserId, state: &AppState) -> Result<(), ApiError> {
    if let Some(context) = parts.extensions.get_mut::<RequestContext>() {
        let slot = state.in_flight.enter(user, context.ticket.deadline).await?;
        if state.policies.limits.is_none() {
            // It may have waited for a long time.
            context.ticket.deadline = Instant::now() + state.write_within;
        }
        is_in_flight(context, user, slot);
    }
    Ok(())
}

/// Marks a user's request as in flight until the database work is done and a long response is sent.
fn is_in_flight(context: &mut RequestContext, user: UserId, slot: Slot) {
    let slot: Arc<dyn Any + Send + Sync> = Arc::new(slot);
    let _ = context.holder.set((user, Arc::clone(&slot)));
    context.ticket = Ticket {
        caller: Caller::User(user),
        deadline: context.ticket.deadline,
        slot: Some(slot),
    };
}

impl Authenticated {
    /// Looks up the user of a token.
    pub async fn by(
        token: SecretHash,
        context: Option<&RequestContext>,
        state: &AppState,
    ) -> Result<Self, ApiError> {
        let ticket = look_up(&token, context, state);
        match Self::find(token, ticket, state).await {
            Err(ApiError::Unauthorized(bad)) => {
                state.bearers.forget(&token);
                Err(anonymous(bad, context, state))
            }
            Ok(found) => {
                state.bearers.remember(token, found.0.user.id);
                Ok(found)
            }
            Err(error) => Err(error),
        }
    }

    /// Looks up the user of the token in these headers. Counts nothing.
    pub async fn known(
        headers: &HeaderMap,
        context: Option<&RequestContext>,
        state: &AppState,
    ) -> Result<Self, ApiError> {
        let token = bearer_token(headers)?;
        // The time of the upload does not count against the request.
        let ticket = Ticket {
            deadline: Instant::now() + state.write_within,
            ..look_up(&token, context, state)
        };
        Self::find(token, ticket, state).await
    }

    async fn find(token: SecretHash, ticket: Ticket, state: &AppState) -> Result<Self, ApiError> {
        let now = state.clock.now();
        let mut reader = state.store.reader_by(&ticket).await?;
        let found = reader.session(&token).await?;
        reader.done();
        let session = found.ok_or(Unauthorized::InvalidToken)?;
        if session.expires <= now || session.last_used + state.policies.session.idle <= now {
            return Err(Unauthorized::InvalidToken.into());
        }
        if !session.user.active {
            return Err(Unauthorized::Inactive.into());
        }
        if session.last_used + noted_every(state.policies.session.idle) <= now {
            let (store, id) = (state.store.clone(), session.id);
            let ticket = Ticket {
                caller: Caller::User(session.user.id),
                ..ticket
            };
            tokio::spawn(async move {
                if let Err(error) = store.write_by(&ticket, TouchSession { id, now }).await {
                    tracing::debug!(%error, "could not record the use of a session");
                }
            });
        }
        Ok(Self(session))
    }
}

/// The queue for looking up a token: that of its known user, else that of the client.
fn look_up(token: &SecretHash, context: Option<&RequestContext>, state: &AppState) -> Ticket {
    let deadline = context.map_or_else(
        || Instant::now() + state.write_within,
        |context| context.ticket.deadline,
    );
    match (state.bearers.user_of(token), context) {
        (Some(user), Some(context)) => Ticket {
            caller: Caller::User(user),
            ..context.ticket.clone()
        },
        (Some(user), None) => Ticket::new(Caller::User(user), deadline),
        (None, Some(context)) => context.ticket.clone(),
        (None, None) => Ticket::new(Caller::Process, deadline),
    }
}

/// The maximum length of a short body, in bytes.
const SHORT: usize = 8 * 1024;

/// A bearer token that is checked later, by the statement that writes.
///
/// It was already looked up if it is new to this process, if the client is being rate-limited, or
/// if the body is long: requests without a valid token must stay cheap, and a long body costs more
/// than the look-up.
pub struct BearerToken {
    /// The hash of the token.
    pub token: SecretHash,
    /// The user at the last look-up.
    pub user: UserId,
}

impl FromRequestParts<AppState> for BearerToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let context = parts.extensions.get::<RequestContext>();
        let token = bearer_token(&parts.headers).map_err(|none| anonymous(none, context, state))?;
        let is_cut =
            context.is_some_and(|context| state.client_rate_limit.cuts(&context.actor.client));
        let is_short = extract::length(&parts.extensions) <= SHORT;
        let user = match state.bearers.user_of(&token) {
            Some(user) if is_short && !is_cut => user,
            _ => Authenticated::by(token, context, state).await?.0.user.id,
        };
        if !is_short {
            enter(parts, user, state).await?;
        } else if let Some(context) = parts.extensions.get_mut::<RequestContext>() {
            // Short writes share a transaction, so together they take no more of the writer's time
            // than one.
            let slot = state.in_flight.pass(user)?;
            is_in_flight(context, user, slot);
        }
        Ok(Self { token, user })
    }
}

/// A request without a valid token counts as anonymous.
fn anonymous(why: Unauthorized, context: Option<&RequestContext>, state: &AppState) -> ApiError {
    match context.map(|context| state.client_rate_limit.count(&context.actor.client)) {
        Some(Err(cut)) => cut,
        _ => why.into(),
    }
}

/// The hash of the request's token, valid or not.
fn bearer_token(headers: &HeaderMap) -> Result<SecretHash, Unauthorized> {
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
