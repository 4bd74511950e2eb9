//! Liveness and readiness probes. Neither depends on the relay, because the API works without it.

use axum::Json;
use axum::extract::State;
use domain::store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::AppState;
use crate::error::ApiError;
use crate::route::{Routes, public, unlimited};

/// The routes of this file.
#[must_use]
pub fn router() -> Routes {
    let routes = unlimited(Routes::new(), routes!(live));
    public(routes, routes!(ready))
}

/// The response of a live process.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Alive {
    /// Always `ok`.
    status: &'static str,
}

/// The response of a ready process.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Ready {
    /// Always `ok`.
    status: &'static str,
    /// Always `ok`.
    database: &'static str,
}

/// Check liveness
///
/// Whether the process responds. Uses no other resource and has no rate limit.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "getLiveness",
    tag = "Health",
    responses((status = 200, description = "It is.", body = Alive)),
)]
async fn live() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Check readiness
///
/// Whether the process can serve: its database exists, is the one that was opened, has the right
/// schema, and can be written. Does not wait for other requests and does not depend on the mail
/// relay.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "getReadiness",
    tag = "Health",
    responses(
        (status = 200, description = "It is.", body = Ready),
        (
            status = 503,
            description = "Not ready: `disk_full` and `not_writable` if the database can be read but not written, \
                           `database_moved` if its file is not the one that was opened, else `busy`.",
        ),
    ),
)]
async fn ready(State(state): State<AppState>) -> Result<Json<Ready>, ApiError> {
    state.store.check().await.map_err(|error| match error {
        StoreError::Moved(name) => ApiError::DatabaseMoved(name),
        error => error.into(),
    })?;
    state.store.writable().await.map_err(|error| match error {
        StoreError::Full => ApiError::DiskFull,
        error => ApiError::NotWritable(error),
    })?;
    Ok(Json(Ready {
        status: "ok",
        database: "ok",
    }))
}
