//! `POST /api/auth/verify-otp/`: verifies the mailed code and creates the account.

use axum::extract::State;
use axum::{Extension, Json};
use domain::accounts::verify::{Verified, VerifyCode};
use utoipa_axum::routes;

use super::codes;
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::answers::Message;
use crate::openapi::requests::VerifyRequest;
use crate::request::RequestContext;
use crate::route::{Routes, padded};

pub(super) fn router() -> Routes {
    padded(Routes::new(), routes!(verify))
}

/// Verify an address
///
/// Creates the account of the pending registration with this code, with its username and password.
/// A code is valid for ten minutes and one use. An unknown address gets the same answer as a wrong
/// code.
#[utoipa::path(
    post,
    path = "/api/auth/verify-otp/",
    operation_id = "verify",
    tag = "Registration",
    request_body = VerifyRequest,
    responses(
        (status = 200, description = "The account was created.", body = Message),
        (status = 400, description = "A field is missing or refused: `Fields`; or `invalid_otp`: wrong, used, expired, or invalid after too many wrong tries."),
    ),
)]
async fn verify(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    fields: Fields,
) -> Result<Json<Message>, ApiError> {
    let mut form = Form::readable(fields, &["email", "otp", "challenge"])?;
    let (email, code) = (form.email("email"), form.otp("otp"));
    let (Some(email), Some(code)) = (email, code) else {
        return Err(form.into_error());
    };
    let submitted = state.submitted_code(&code, &context);
    let now = submitted.now;
    let attempt = VerifyCode {
        email,
        token: form.challenge(),
        submitted,
    };
    match state.store.write_by(&context.ticket, attempt).await? {
        Verified::Welcome(user) => {
            tracing::info!(user.id = user.0, "address verified");
            Ok(Json(Message {
                message: "Account verified! You can now login.",
            }))
        }
        Verified::Limited(refusal) => Err(ApiError::throttled(refusal, now)),
        Verified::Wrong => Err(codes::WRONG),
    }
}
