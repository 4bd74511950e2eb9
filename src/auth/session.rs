//! Who is asking: the `Authorization` header as a user and a session.
//!
//! A protected handler takes [`Authenticated`] first, so that 401 comes before everything that is wrong
//! with the body; public handlers don't look at the header at all, so a stale token blocks nobody.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use domain::accounts::SessionUser;
use domain::accounts::sessions::TouchSession;
use domain::token::SecretHash;

use crate::AppState;
use crate::error::{ApiError, Unauthorized};
use crate::extract;
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
        Self::by(token, origin, state).await
    }
}

impl Authenticated {
    /// Whoever has a token.
    pub async fn by(
        token: SecretHash,
        origin: Option<&Origin>,
        state: &AppState,
    ) -> Result<Self, ApiError> {
        match Self::find(token, state).await {
            Err(ApiError::Unauthorized(bad)) => Err(anonymous(bad, origin, state)),
            found => found,
        }
    }

    /// Whoever has the token of a request with these headers; counts nothing.
    pub async fn known(headers: &HeaderMap, state: &AppState) -> Result<Self, ApiError> {
        Self::find(presented(headers)?, state).await
    }

    async fn find(token: SecretHash, state: &AppState) -> Result<Self, ApiError> {
        let now = state.clock.now();
        let mut view = state.store.view().await?;
        let found = view.session(&token).await?;
        drop(view);
        let session = found.ok_or(Unauthorized::InvalidToken)?;
        if session.expires <= now || session.last_used + state.rules.session.idle <= now {
            return Err(Unauthorized::InvalidToken.into());
        }
        if !session.user.active {
            return Err(Unauthorized::Inactive.into());
        }
        if session.last_used + noted_every(state.rules.session.idle) <= now {
            let (store, id) = (state.store.clone(), session.id);
            tokio::spawn(async move {
                if let Err(error) = store.write(TouchSession { id, now }).await {
                    tracing::debug!(%error, "a session's use was not noted");
                }
            });
        }
        Ok(Self(session))
    }
}

/// A token that a request presents, for who looks it up together with something else.
///
/// It has been looked up already where the client has just been cut for bad ones, and where the body is long: who is
/// nobody is to cost little, and a long body costs more than the look.
pub struct Presented(pub SecretHash);

/// The most bytes of a body that are read for who presents a token, good or not.
const SHORT: usize = 8 * 1024;

impl FromRequestParts<AppState> for Presented {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let origin = parts.extensions.get::<Origin>();
        let token = presented(&parts.headers).map_err(|none| anonymous(none, origin, state))?;
        let is_cut = origin.is_some_and(|origin| state.flood.cuts(&origin.actor.client));
        if is_cut || extract::length(&parts.extensions) > SHORT {
            Authenticated::by(token, origin, state).await?;
        }
        Ok(Self(token))
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
