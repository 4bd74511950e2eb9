//! `POST /api/auth/register/`: an attempt to register, and a code on its way.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json, Router};
use domain::accounts::register::{Register, Registered};
use serde_json::{Value, json};

use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::request::Origin;
use crate::route::post;

pub(super) fn router() -> Router<AppState> {
    post(Router::new(), "/api/auth/register/", register)
}

async fn register(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut form = Form::from(fields);
    let username = form.username("username");
    let email = form.email("email");
    let password = form.new_password("password", "confirm_password", state.rules.password);
    let (Some(username), Some(email), Some(password)) = (username, email, password) else {
        return Err(form.into_error());
    };
    let shown = email.as_typed().to_owned();
    let hash = state.hashing.hash(password).await?;
    let now = state.clock.now();
    let registration = Register::new(
        username,
        email,
        hash,
        origin.client,
        origin.request_id,
        state.keys.current().clone(),
        state.rules.register,
        now,
    );
    match state.store.write_by(origin.write_by, registration).await? {
        Registered::Accepted { handle } => {
            let body = json!({
                "message": "Registration successful. Check email for OTP.",
                "email": shown,
                "challenge": handle.expose(),
            });
            Ok((StatusCode::CREATED, Json(body)))
        }
        Registered::Taken { username, email } => Err(Form::taken(username, email)),
        Registered::TooMany { retry_at } => Err(ApiError::throttled(retry_at, now)),
    }
}
