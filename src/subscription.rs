//! `GET /api/subscription/`: the plan of the user and its usage.

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

/// The routes of this file.
#[must_use]
pub fn router() -> Routes {
    protected(Routes::new(), routes!(show))
}

/// The plan of the user and its usage.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// The name of the plan.
    #[schema(value_type = crate::openapi::notes::PlanName)]
    plan: &'static str,
    /// The maximum number of notes outside the trash; `null` means unlimited.
    #[schema(required)]
    limit: Option<u32>,
    /// The current number. It may exceed the limit after a change of plan; then no more can be
    /// added.
    used: u64,
    /// The maximum size of notes in bytes, including the trash; `null` means unlimited.
    #[schema(required)]
    storage_limit: Option<u64>,
    /// The current size: a note counts as its texts, their copy for search, and 512 bytes.
    storage_used: u64,
    /// When premium ends; `null` if it never ends, and on the free plan.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    premium_until: Option<Timestamp>,
}

impl Subscription {
    /// The usage of a plan with these limits.
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

/// The current usage of a user.
pub(crate) async fn standing(
    state: &AppState,
    ticket: &Ticket,
    user: UserId,
) -> Result<PlanUsage, ApiError> {
    let now = state.clock.now();
    let mut reader = state.store.reader_by(ticket).await?;
    Ok(reader.plan_standing(user, now).await?)
}

/// Show the plan
///
/// The limits of the plan and their usage.
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
    Ok(Json(Subscription::new(standing, state.policies.notes)))
}
