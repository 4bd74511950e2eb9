//! `me/` and `export/`: what is held about the user, and the name to be changed.

use axum::extract::State;
use axum::{Extension, Json};
use domain::accounts::User;
use domain::accounts::profile::Rename;
use domain::audit::Recorded;
use domain::plans::{Plan, Standing};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::session::Authenticated;
use super::sessions::{self, SessionEntry};
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::notes::{self, NoteBody};
use crate::openapi::requests::ProfileRequest;
use crate::request::Origin;
use crate::route::{Routes, protected};
use crate::subscription::{self, Subscription};

pub(super) fn router() -> Routes {
    let routes = protected(Routes::new(), routes!(show, rename));
    protected(routes, routes!(export))
}

/// Who one is.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Profile {
    /// The account's number.
    user_id: i64,
    /// The username, as it was typed.
    username: String,
    /// The mail address, as it was typed.
    email: String,
    /// Whether a code confirmed the address.
    is_email_verified: bool,
    /// What may be used.
    #[schema(pattern = "^(free|premium)$")]
    plan: &'static str,
    /// When the account was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl Profile {
    fn new(user: User, plan: Plan) -> Self {
        Self {
            user_id: user.id.0,
            username: user.username,
            email: user.email,
            // A user's row is made by the verification of its address.
            is_email_verified: true,
            plan: plan.as_str(),
            created_at: user.created,
        }
    }
}

/// Show the profile
///
/// Who the token belongs to.
#[utoipa::path(
    get,
    path = "/api/auth/me/",
    operation_id = "showProfile",
    tag = "Account",
    responses((status = 200, description = "The profile.", body = Profile)),
)]
async fn show(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
) -> Result<Json<Profile>, ApiError> {
    let Standing { plan, .. } = subscription::standing(&state, session.user.id).await?;
    Ok(Json(Profile::new(session.user, plan)))
}

/// Change the profile
///
/// The username can change; other fields are ignored.
#[utoipa::path(
    patch,
    path = "/api/auth/me/",
    operation_id = "changeProfile",
    tag = "Account",
    request_body = Option<ProfileRequest>,
    responses(
        (status = 200, description = "The profile as it is now.", body = Profile),
        (status = 400, description = "The name is refused or taken: `Fields`."),
    ),
)]
async fn rename(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    fields: Fields,
) -> Result<Json<Profile>, ApiError> {
    let mut user = session.user;
    let mut form = Form::from(fields);
    if form.has("username") {
        let Some(username) = form.username("username") else {
            return Err(form.into_error());
        };
        let shown = username.as_str().to_owned();
        let rename = Rename {
            user: user.clone(),
            username,
            actor: origin.actor,
            now: state.clock.now(),
        };
        if !state.store.write_by(origin.write_by, rename).await? {
            return Err(Form::taken(true, false));
        }
        user.username = shown;
    }
    let Standing { plan, .. } = subscription::standing(&state, user.id).await?;
    Ok(Json(Profile::new(user, plan)))
}

/// Everything held about the user: no token, no hash, no code.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Export {
    /// When this was put together.
    #[schema(value_type = String, format = DateTime)]
    exported_at: Timestamp,
    /// Who one is.
    profile: Profile,
    /// What one may use, and does.
    subscription: Subscription,
    /// The sessions that have not ended.
    sessions: Vec<SessionEntry>,
    /// The notes, those in the trash last.
    notes: Vec<NoteBody>,
    /// What happened to the account, newest first, as far back as it is kept.
    security_events: Vec<SecurityEvent>,
}

/// Something that happened to the account.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecurityEvent {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What, as a stable word.
    event: String,
    /// The network address it came from.
    ip: Option<String>,
    /// What the client called itself.
    user_agent: Option<String>,
}

impl From<Recorded> for SecurityEvent {
    fn from(event: Recorded) -> Self {
        Self {
            at: event.at,
            event: event.event,
            ip: event.client,
            user_agent: event.user_agent,
        }
    }
}

/// The most events in one document.
const MOST_EVENTS: u32 = 10_000;

/// Export everything
///
/// Everything held about the user, as one document.
#[utoipa::path(
    get,
    path = "/api/auth/export/",
    operation_id = "export",
    tag = "Account",
    responses((status = 200, description = "The document.", body = Export)),
)]
async fn export(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
) -> Result<Json<Export>, ApiError> {
    let mut view = state.store.view().await?;
    let events = view.records(session.user.id, MOST_EVENTS).await?;
    let notes = notes::everything(view.as_mut(), session.user.id).await?;
    drop(view);
    let standing = subscription::standing(&state, session.user.id).await?;
    Ok(Json(Export {
        notes,
        security_events: events.into_iter().map(Into::into).collect(),
        exported_at: state.clock.now(),
        sessions: sessions::live(&state, &session).await?,
        profile: Profile::new(session.user, standing.plan),
        subscription: Subscription::new(standing, state.rules.notes),
    }))
}
