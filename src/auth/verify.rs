//! `POST /api/auth/verify-otp/`: the code that was mailed, and with it an account.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json, Router};
use domain::accounts::verify::{Verified, VerifyCode};
use serde_json::{Value, json};

use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::request::Origin;
use crate::route::post;

pub(super) fn router() -> Router<AppState> {
    post(Router::new(), "/api/auth/verify-otp/", verify)
}

async fn verify(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let mut form = Form::from(fields);
    let (email, code) = (form.email("email"), form.otp("otp"));
    let (Some(email), Some(code)) = (email, code) else {
        return Err(form.into_error());
    };
    let attempt = VerifyCode {
        email,
        code,
        handle: form.challenge(),
        client: origin.client,
        keys: Arc::clone(&state.keys),
        policy: state.rules.register.codes,
        now: state.clock.now(),
    };
    match state.store.write_by(origin.write_by, attempt).await? {
        Verified::Welcome(user) => {
            tracing::info!(user.id = user.0, "an address was verified");
            Ok(Json(
                json!({"message": "Account verified! You can now login."}),
            ))
        }
        Verified::Wrong => Err(ApiError::Refused {
            error: "Invalid OTP",
            code: "invalid_otp",
        }),
    }
}
