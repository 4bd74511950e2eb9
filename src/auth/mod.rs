//! `/api/auth/`: one file for each thing a client does, each with its own route.

mod login;
mod register;
mod resend;
mod verify;

use axum::Router;

use crate::AppState;

/// The routes of this folder.
pub fn router() -> Router<AppState> {
    Router::new()
        .merge(register::router())
        .merge(verify::router())
        .merge(resend::router())
        .merge(login::router())
}
