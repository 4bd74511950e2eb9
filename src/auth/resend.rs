//! `POST /api/auth/resend-otp/`: mails the code again. The same response for every address.

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
use crate::request::RequestContext;
use crate::route::{Routes, padded};

pub(super) fn router() -> Routes {
    padded(Routes::new(), routes!(resend))
}

/// Mail the code again
///
/// Mails the same code if it is valid for long enough, else a new one. The response is the same for
/// every address, including invalid ones.
#[utoipa::path(
    post,
    path = "/api/auth/resend-otp/",
    operation_id = "resendCode",
    tag = "Registration",
    request_body = ResendRequest,
    responses(
        (status = 200, description = "If the address has a pending registration, a code was mailed.", body = Message),
        (status = 400, description = "`email_required`."),
    ),
)]
async fn resend(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    fields: Fields,
) -> Result<Json<Message>, ApiError> {
    let form = Form::readable(fields, &["email", "challenge"])?;
    if let Some(email) = codes::email_of_anybody(&form)? {
        let request = ResendCode {
            email,
            token: form.challenge(),
            request: state.code_request(&context),
        };
        codes::ask(&state, &context, request).await?;
    }
    Ok(Json(Message {
        message: "New OTP sent to your email.",
    }))
}
