//! Logout, and the list of sessions: `logout/`, `logout-all/`, `sessions/`, `sessions/{id}/`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use domain::accounts::sessions::{EndSessions, Session};
use domain::id::{SessionId, UserId};
use domain::store::Ticket;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::session::Authenticated;
use crate::AppState;
use crate::error::ApiError;
use crate::request::{ReadTicket, RequestContext};
use crate::route::{Routes, protected};

pub(super) fn router() -> Routes {
    let routes = protected(Routes::new(), routes!(log_out));
    let routes = protected(routes, routes!(log_out_all));
    let routes = protected(routes, routes!(list));
    protected(routes, routes!(revoke))
}

/// A session of the user.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionEntry {
    /// The id of the session.
    #[schema(value_type = String, pattern = "^[0-9A-HJKMNP-TV-Z]{26}$")]
    id: SessionId,
    /// When the session was created, UTC.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last used, to within a few minutes.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
    /// When it expires at the latest, UTC.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The user agent of the client.
    user_agent: String,
    /// The network address that opened it; for IPv6 the network.
    ip: String,
    /// Whether it is the session of this request.
    current: bool,
}

impl SessionEntry {
    /// A session without its token and hash.
    fn new(session: Session, current: SessionId) -> Self {
        Self {
            current: session.id == current,
            id: session.id,
            created_at: session.created,
            last_used_at: session.last_used,
            expires_at: session.expires,
            user_agent: session.user_agent,
            ip: session.client.to_string(),
        }
    }
}

/// At most the newest 1,000 sessions, all on one page.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SessionList {
    /// The number of sessions.
    count: usize,
    /// Always `null`, because there is only one page.
    #[schema(value_type = (), nullable)]
    next: Option<()>,
    /// Always `null`, because there is only one page.
    #[schema(value_type = (), nullable)]
    previous: Option<()>,
    /// The sessions.
    results: Vec<SessionEntry>,
}

/// Log out
///
/// Ends the session of the token.
#[utoipa::path(
    post,
    path = "/api/auth/logout/",
    operation_id = "logOut",
    tag = "Sessions",
    responses(
        (status = 204, description = "The session was ended."),
    ),
)]
async fn log_out(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
) -> Result<StatusCode, ApiError> {
    end(&state, context, session.user.id, Some(session.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Log out everywhere
///
/// Ends every session of the user.
#[utoipa::path(
    post,
    path = "/api/auth/logout-all/",
    operation_id = "logOutEverywhere",
    tag = "Sessions",
    responses(
        (status = 204, description = "All sessions were ended."),
    ),
)]
async fn log_out_all(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
) -> Result<StatusCode, ApiError> {
    end(&state, context, session.user.id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List sessions
///
/// The user's live sessions, newest first, without their tokens.
#[utoipa::path(
    get,
    path = "/api/auth/sessions/",
    operation_id = "listSessions",
    tag = "Sessions",
    responses(
        (status = 200, description = "The sessions.", body = SessionList),
    ),
)]
async fn list(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    ReadTicket(ticket): ReadTicket,
) -> Result<Json<SessionList>, ApiError> {
    let results = live(&state, &ticket, &session).await?;
    Ok(Json(SessionList {
        count: results.len(),
        next: None,
        previous: None,
        results,
    }))
}

/// The user's sessions that have not ended, newest first.
pub(super) async fn live(
    state: &AppState,
    ticket: &Ticket,
    session: &domain::accounts::SessionUser,
) -> Result<Vec<SessionEntry>, ApiError> {
    let now = state.clock.now();
    let idle_since = now - state.policies.session.idle;
    let mut reader = state.store.reader_by(ticket).await?;
    let sessions = reader.sessions(session.user.id, now, idle_since).await?;
    Ok(sessions
        .into_iter()
        .map(|one| SessionEntry::new(one, session.id))
        .collect())
}

/// End a session
///
/// Ends this session or another session of the user.
#[utoipa::path(
    delete,
    path = "/api/auth/sessions/{id}/",
    operation_id = "endSession",
    tag = "Sessions",
    params(("id" = String, Path, description = "The `id` of a session in the list.", example = "01JD3M0Q5S8R7V9T2X4Y6Z8A0B")),
    responses(
        (status = 204, description = "The session was ended."),
        (status = 404, description = "`not_found`: the user has no such session."),
    ),
)]
async fn revoke(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let id: SessionId = id.parse().map_err(|_| ApiError::NotFound)?;
    match end(&state, context, session.user.id, Some(id)).await? {
        0 => Err(ApiError::NotFound),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// Ends one session of a user, or all. Returns their number.
async fn end(
    state: &AppState,
    context: RequestContext,
    user: UserId,
    session: Option<SessionId>,
) -> Result<u64, ApiError> {
    let end = EndSessions {
        user,
        session,
        actor: context.actor,
        now: state.clock.now(),
    };
    Ok(state.store.write_by(&context.ticket, end).await?)
}
