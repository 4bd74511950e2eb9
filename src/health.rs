//! Whether the process lives, and whether it can do its work. The relay plays no part in either:
//! the API answers whatever it does.

use axum::extract::State;
use axum::routing::MethodFilter;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::AppState;
use crate::error::ApiError;
use crate::route::endpoint;

/// The routes of this file.
pub fn router() -> Router<AppState> {
    let (get, allow) = (MethodFilter::GET, "GET, HEAD, OPTIONS");
    let router = endpoint(Router::new(), "/health/live", get, allow, live);
    endpoint(router, "/health/ready", get, allow, ready)
}

async fn live() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

async fn ready(State(state): State<AppState>) -> Result<Json<Value>, ApiError> {
    state.store.check().await?;
    Ok(Json(json!({"status": "ok", "database": "ok"})))
}
