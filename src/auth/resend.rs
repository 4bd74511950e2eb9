//! `POST /api/auth/resend-otp/`: the code again. One answer for every address.

use axum::extract::State;
use axum::{Extension, Json};
use domain::accounts::resend::{ResendCode, Resent};
use domain::email::EmailAddress;
use utoipa_axum::routes;

use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::answers::Message;
use crate::openapi::requests::ResendRequest;
use crate::request::Origin;
use crate::route::{Routes, public};

pub(super) fn router() -> Routes {
    public(Routes::new(), routes!(resend))
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
    let given = form.given("email").ok_or(ApiError::Refused {
        error: "Email is required",
        code: "email_required",
    })?;
    // Something that is no address has no account, and hears what every address hears.
    let email = given
        .as_str()
        .and_then(|text| EmailAddress::parse(text).ok());
    let now = state.clock.now();
    if let Some(email) = email {
        let request = ResendCode::new(
            email,
            form.challenge(),
            origin.actor,
            state.keys.current().clone(),
            state.rules.register.codes,
            state.rules.limits,
            now,
        );
        if let Resent::Limited(refusal) = state.store.write_by(origin.write_by, request).await? {
            return Err(ApiError::throttled(refusal, now));
        }
    }
    Ok(Json(Message {
        message: "New OTP sent to your email.",
    }))
}
