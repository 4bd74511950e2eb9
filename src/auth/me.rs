//! `me/`: who one is, and the name to be changed.

use axum::extract::State;
use axum::{Extension, Json};
use domain::accounts::User;
use domain::accounts::profile::Rename;
use domain::plans::{Plan, PlanUsage};
use domain::store::Ticket;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::session::Authenticated;
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::requests::ProfileRequest;
use crate::request::{Origin, ReadTicket};
use crate::route::{Routes, protected};
use crate::subscription;

pub(super) fn router() -> Routes {
    protected(Routes::new(), routes!(show, rename))
}

/// Who one is.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// The account's number.
    user_id: i64,
    /// The username, as it was typed.
    username: String,
    /// The mail address, as it was typed.
    email: String,
    /// Whether a code confirmed the address.
    is_email_verified: bool,
    /// What may be used.
    #[schema(value_type = crate::openapi::notes::PlanName)]
    plan: &'static str,
    /// When the account was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl Profile {
    pub(super) fn new(user: User, plan: Plan) -> Self {
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
    ReadTicket(ticket): ReadTicket,
) -> Result<Json<Profile>, ApiError> {
    profile(&state, &ticket, session.user).await
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
        let username = form.username("username");
        let own = &user.email_key;
        let username = username.and_then(|name| form.beside_address("username", name, own));
        let Some(username) = username else {
            return Err(form.into_error());
        };
        let shown = username.as_str().to_owned();
        if shown == user.username {
            // Nothing would change, and nothing is recorded.
            return profile(&state, &origin.ticket, user).await;
        }
        state.writes.account(user.id)?;
        let rename = Rename {
            user: user.clone(),
            username,
            actor: origin.actor,
            now: state.clock.now(),
        };
        if !state.store.write_by(&origin.ticket, rename).await? {
            return Err(Form::taken(true, false));
        }
        user.username = shown;
    }
    profile(&state, &origin.ticket, user).await
}

/// The profile as it is now.
async fn profile(state: &AppState, ticket: &Ticket, user: User) -> Result<Json<Profile>, ApiError> {
    let PlanUsage { plan, .. } = subscription::standing(state, ticket, user.id).await?;
    Ok(Json(Profile::new(user, plan)))
}
