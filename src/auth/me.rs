//! `me/`: shows the profile and changes the username.

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
use crate::request::{ReadTicket, RequestContext};
use crate::route::{Routes, protected};
use crate::subscription;

pub(super) fn router() -> Routes {
    protected(Routes::new(), routes!(show, rename))
}

/// The profile of the user.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// The account's number.
    user_id: i64,
    /// The username as typed.
    username: String,
    /// The mail address as typed.
    email: String,
    /// Whether the address is verified.
    is_email_verified: bool,
    /// The plan of the user.
    #[schema(value_type = crate::openapi::notes::PlanName)]
    plan: &'static str,
    /// When the account was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl Profile {
    pub(super) fn new(user: User, plan: Plan) -> Self {
        Self {
            user_id: user.id.0,
            username: user.username,
            email: user.email,
            // A user's row is created by the verification of its address.
            is_email_verified: true,
            plan: plan.as_str(),
            created_at: user.created,
        }
    }
}

/// Show the profile
///
/// The profile of the token's user.
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
        (status = 200, description = "The profile after the change.", body = Profile),
        (status = 400, description = "The name is refused or taken: `Fields`."),
    ),
)]
async fn rename(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
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
            // Nothing changes, so nothing is recorded.
            return profile(&state, &context.ticket, user).await;
        }
        state.writes.account(user.id)?;
        let rename = Rename {
            user: user.clone(),
            username,
            actor: context.actor,
            now: state.clock.now(),
        };
        if !state.store.write_by(&context.ticket, rename).await? {
            return Err(Form::taken(true, false));
        }
        user.username = shown;
    }
    profile(&state, &context.ticket, user).await
}

/// The current profile.
async fn profile(state: &AppState, ticket: &Ticket, user: User) -> Result<Json<Profile>, ApiError> {
    let PlanUsage { plan, .. } = subscription::standing(state, ticket, user.id).await?;
    Ok(Json(Profile::new(user, plan)))
}
