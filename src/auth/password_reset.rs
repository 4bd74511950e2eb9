//! `POST /api/auth/password-reset-request/` and `…-confirm/`: sets a new password with a mailed
//! code.

use axum::extract::State;
use axum::{Extension, Json};
use domain::accounts::code::CodeTarget;
use domain::accounts::password::{Reset, ResetPassword};
use domain::id::MailId;
use domain::otp::Purpose;
use utoipa_axum::routes;

use super::codes::{self, AskedCode};
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::answers::Message;
use crate::openapi::requests::{AddressRequest, ResetRequest};
use crate::request::RequestContext;
use crate::route::{Routes, padded};

pub(super) fn router() -> Routes {
    let routes = padded(Routes::new(), routes!(request));
    padded(routes, routes!(confirm))
}

/// Request a code for resetting the password
///
/// The response is the same for every address, including invalid ones.
#[utoipa::path(
    post,
    path = "/api/auth/password-reset-request/",
    operation_id = "requestPasswordReset",
    tag = "Account",
    request_body = AddressRequest,
    responses(
        (status = 200, description = "If the address has an account, a code was mailed.", body = AskedCode),
        (status = 400, description = "`email_required`."),
    ),
)]
async fn request(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    fields: Fields,
) -> Result<Json<AskedCode>, ApiError> {
    let form = Form::readable(fields, &["email"])?;
    let message = "Password reset OTP sent to email.";
    codes::ask_by_email(&state, &context, &form, Purpose::ResetPassword, message).await
}

/// Reset the password
///
/// Sets a new password and ends every session; it does not open one. An unknown address gets the
/// same answer as a wrong code. The new password is checked before the code, except for its
/// similarity to the account, which is only checked with a correct code.
#[utoipa::path(
    post,
    path = "/api/auth/password-reset-confirm/",
    operation_id = "resetPassword",
    tag = "Account",
    request_body = ResetRequest,
    responses(
        (status = 200, description = "The password was changed.", body = Message),
        (status = 400, description = "The new password is refused: `Fields`; or `reset_fields_required`, or `invalid_otp`."),
    ),
)]
async fn confirm(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    fields: Fields,
) -> Result<Json<Message>, ApiError> {
    let mut form = Form::readable(fields, &["email", "otp", "new_password", "challenge"])?;
    let given = |field| form.given(field).is_some();
    if !(given("email") && form.code_given("otp") && given("new_password")) {
        return Err(ApiError::Refused {
            error: "Email, OTP, and New Password are required",
            code: "reset_fields_required",
        });
    }
    let Some(password) = form.password("new_password", state.policies.password, &[]) else {
        return Err(form.into_error());
    };
    // An invalid address or code needs no hash, because the answer reveals nothing about any
    // account.
    let (Some(email), Some(code)) = (form.email("email"), form.code("otp")) else {
        return Err(codes::WRONG);
    };
    let mut submitted = state.submitted_code(&code, &context);
    let holder = form.challenge();
    let at = CodeTarget {
        email: email.key(),
        purpose: Purpose::ResetPassword,
        holder: holder.as_ref(),
    };
    codes::refuse_early(&state, &context, &submitted, &at).await?;
    let hash = state.hashed(password.clone(), &context).await?;
    let now = state.clock.now();
    submitted.now = now;
    let reset = ResetPassword {
        email,
        holder,
        submitted,
        password,
        hash,
        mail: MailId::generate(),
    };
    match state.store.write_by(&context.ticket, reset).await? {
        Reset::Limited(refusal) => Err(ApiError::throttled(refusal, now)),
        Reset::Wrong => Err(codes::WRONG),
        Reset::TooSimilar(reasons) => Err(Form::refused_password("new_password", &reasons)),
        Reset::Done(user) => {
            tracing::info!(user.id = user.0, "password reset");
            Ok(Json(Message {
                message: "Password has been reset successfully. Please login.",
            }))
        }
    }
}
