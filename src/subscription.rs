//! `GET /api/subscription/`: the plan of the user, and how much of it is used.

use axum::Json;
use axum::extract::State;
use domain::id::UserId;
use domain::plans::{NoteLimits, PlanUsage};
use domain::store::Ticket;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::AppState;
use crate::auth::session::Authenticated;
use crate::error::ApiError;
use crate::request::ReadTicket;
use crate::route::{Routes, protected};

/// The route of this file.
#[must_use]
pub fn router() -> Routes {
    protected(Routes::new(), routes!(show))
}

/// What one may use, and does.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// What may be used.
    #[schema(value_type = crate::openapi::notes::PlanName)]
    plan: &'static str,
    /// How many notes there may be outside of the trash; `null`: any number.
    #[schema(required)]
    limit: Option<u32>,
    /// How many there are. It may be more than the limit, after a change of plan: then no more can be added.
    used: u64,
    /// How many bytes of notes there may be, those in the trash included; `null`: any number.
    #[schema(required)]
    storage_limit: Option<u64>,
    /// How many there are: a note counts as its texts, what search keeps of them, and 512 bytes.
    storage_used: u64,
    /// When premium ends; `null` if it does not, and on the free plan.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    premium_until: Option<Timestamp>,
}

impl Subscription {
    /// Where somebody stands, under these limits.
    #[must_use]
    pub fn new(standing: PlanUsage, limits: NoteLimits) -> Self {
        Self {
            plan: standing.plan.as_str(),
            limit: limits.of(standing.plan),
            used: standing.used,
            storage_limit: limits.storage.of(standing.plan),
            storage_used: standing.bytes,
            premium_until: standing.premium_until,
        }
    }
}

/// Where a user stands now.
pub(crate) async fn standing(
    state: &AppState,
    ticket: &Ticket,
    user: UserId,
) -> Result<PlanUsage, ApiError> {
    let now = state.clock.now();
    let mut view = state.store.view_by(ticket).await?;
    Ok(view.plan_standing(user, now).await?)
}

/// Show the plan
///
/// What the plan allows, and how much of it is used.
#[utoipa::path(
    get,
    path = "/api/subscription/",
    operation_id = "showSubscription",
    tag = "Account",
    responses((status = 200, description = "The plan.", body = Subscription)),
)]
async fn show(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    ReadTicket(ticket): ReadTicket,
) -> Result<Json<Subscription>, ApiError> {
    let standing = standing(&state, &ticket, session.user.id).await?;
    Ok(Json(Subscription::new(standing, state.rules.notes)))
}
