//! `POST /api/auth/resend-otp/`: the code again. One answer for every address.

use axum::extract::State;
use axum::{Extension, Json};
use domain::accounts::resend::ResendCode;
use utoipa_axum::routes;

use super::codes;
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::answers::Message;
use crate::openapi::requests::ResendRequest;
use crate::request::Origin;
use crate::route::{Routes, padded};

pub(super) fn router() -> Routes {
    padded(Routes::new(), routes!(resend))
}

/// Mail the code again
///
/// The same code, while it lives long enough, else a new one. The answer is the same for every address, and for a text
/// that is none.
#[utoipa::path(
    post,
    path = "/api/auth/resend-otp/",
    operation_id = "resendCode",
    tag = "Registration",
    request_body = ResendRequest,
    responses(
        (status = 200, description = "If the address registers, a code is on its way.", body = Message),
        (status = 400, description = "`email_required`."),
    ),
)]
async fn resend(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    fields: Fields,
) -> Result<Json<Message>, ApiError> {
    let form = Form::readable(fields, &["email", "challenge"])?;
    if let Some(email) = codes::email_of_anybody(&form)? {
        let request = ResendCode {
            email,
            token: form.challenge(),
            request: state.code_request(&origin),
        };
        codes::ask(&state, &origin, request).await?;
    }
    Ok(Json(Message {
        message: "New OTP sent to your email.",
    }))
}
