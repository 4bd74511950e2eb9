//! `POST /api/auth/otp-login-request/` and `…-confirm/`: opens a session with a mailed code. Only
//! served if `accounts.otp_login` is true.

use axum::extract::State;
use axum::{Extension, Json};
use domain::accounts::code_login::{ByCode, LoginByCode};
use domain::otp::Purpose;
use utoipa_axum::routes;

use super::codes::{self, AskedCode};
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::answers::LoggedIn;
use crate::openapi::requests::{AddressRequest, CodeLoginRequest};
use crate::request::RequestContext;
use crate::route::{Routes, padded};

pub(super) fn router() -> Routes {
    let routes = padded(Routes::new(), routes!(request));
    padded(routes, routes!(confirm))
}

/// Request a code for logging in
///
/// The response is the same for every address, including invalid ones.
#[utoipa::path(
    post,
    path = "/api/auth/otp-login-request/",
    operation_id = "requestLoginCode",
    tag = "Sessions",
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
    let message = "Login OTP sent to email.";
    codes::ask_by_email(&state, &context, &form, Purpose::LogIn, message).await
}

/// Log in with a code
///
/// Opens a session. An unknown address gets the same answer as a wrong code. This is not a second
/// factor.
#[utoipa::path(
    post,
    path = "/api/auth/otp-login-confirm/",
    operation_id = "logInWithCode",
    tag = "Sessions",
    request_body = CodeLoginRequest,
    responses(
        (status = 200, description = "A session.", body = LoggedIn),
        (status = 400, description = "A field is missing or refused: `Fields`; or `invalid_otp`."),
    ),
)]
async fn confirm(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    fields: Fields,
) -> Result<Json<LoggedIn>, ApiError> {
    let mut form = Form::readable(fields, &["email", "otp", "challenge"])?;
    let (email, code) = (form.email("email"), form.otp("otp"));
    let (Some(email), Some(code)) = (email, code) else {
        return Err(form.into_error());
    };
    let submitted = state.submitted_code(&code, &context);
    let now = submitted.now;
    let login = LoginByCode::new(email, form.challenge(), submitted, state.policies.session);
    match state.store.write_by(&context.ticket, login).await? {
        ByCode::Welcome { user, email, token } => Ok(Json(LoggedIn {
            token: token.expose().to_owned(),
            user_id: user.0,
            email,
        })),
        ByCode::Wrong => Err(codes::WRONG),
        ByCode::Limited(refusal) => Err(ApiError::throttled(refusal, now)),
    }
}
