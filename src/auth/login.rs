//! `POST /api/auth/login/`: a session for a name or address and its password.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::{Extension, Json, Router};
use domain::accounts::login::{self, Checked, OpenSession};
use domain::password::Password;
use serde_json::{Value, json};

use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::request::Origin;
use crate::route::post;

/// Said of everything that is not right: unknown, wrong, or not allowed.
const REFUSED: ApiError = ApiError::Refused {
    error: "Invalid Credentials",
    code: "invalid_credentials",
};

pub(super) fn router() -> Router<AppState> {
    post(Router::new(), "/api/auth/login/", log_in)
}

async fn log_in(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let form = Form::from(fields);
    let (Some(login), Some(password)) = (form.given("login"), form.given("password")) else {
        return Err(ApiError::Refused {
            error: "Please provide both login and password",
            code: "login_fields_required",
        });
    };
    let (Some(login), Some(password)) = (login.as_str(), password.as_str()) else {
        return Err(REFUSED);
    };
    let now = state.clock.now();
    let found = login::account(&state.store, login, now).await?;
    let hash = found.hash_to_check(&state.dummy);
    let right = state.hashing.verify(Password::new(password), hash).await?;
    match found.checked(right) {
        Checked::Refused => Err(REFUSED),
        Checked::Unverified => Err(ApiError::Unverified),
        Checked::Allowed {
            user,
            email,
            credential_version,
        } => {
            let agent = headers
                .get(header::USER_AGENT)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .unwrap_or_default();
            let (session, token) = OpenSession::new(
                user,
                credential_version,
                origin.client,
                &agent,
                state.rules.session,
                now,
            );
            if !state.store.write_by(origin.write_by, session).await? {
                return Err(REFUSED);
            }
            Ok(Json(
                json!({"token": token.expose(), "user_id": user, "email": email}),
            ))
        }
    }
}
