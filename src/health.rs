//! Whether the process lives, and whether it can do its work. The relay plays no part in either:
//! the API answers whatever it does.

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

/// The process answers.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Alive {
    /// `ok`.
    status: &'static str,
}

/// The process can work.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Ready {
    /// `ok`.
    status: &'static str,
    /// `ok`.
    database: &'static str,
}

/// Is it alive?
///
/// Whether the process answers. Touches nothing, and no limit holds here.
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

/// Is it ready?
///
/// Whether the process can work: its database is there, is the one that was opened, has the right schema, and can be
/// written. Waits for no other
/// request, however many there are. The mail relay plays no part.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "getReadiness",
    tag = "Health",
    responses(
        (status = 200, description = "It is.", body = Ready),
        (
            status = 503,
            description = "It is not: `disk_full` and `not_writable` if the database can be read but not written, \
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
