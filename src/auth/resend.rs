//! `POST /api/auth/resend-otp/`: the code again. One answer for every address.

use axum::extract::State;
use axum::{Extension, Json, Router};
use domain::accounts::resend::ResendCode;
use domain::email::EmailAddress;
use serde_json::{Value, json};

use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::request::Origin;
use crate::route::post;

pub(super) fn router() -> Router<AppState> {
    post(Router::new(), "/api/auth/resend-otp/", resend)
}

async fn resend(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let form = Form::from(fields);
    let given = form.given("email").ok_or(ApiError::Refused {
        error: "Email is required",
        code: "email_required",
    })?;
    // Something that is no address has no account, and hears what every address hears.
    let email = given
        .as_str()
        .and_then(|text| EmailAddress::parse(text).ok());
    if let Some(email) = email {
        let request = ResendCode::new(
            email,
            form.challenge(),
            origin.client,
            origin.request_id,
            state.keys.current().clone(),
            state.rules.register.codes,
            state.clock.now(),
        );
        state.store.write_by(origin.write_by, request).await?;
    }
    Ok(Json(json!({"message": "New OTP sent to your email."})))
}
