//! `POST /api/auth/delete-account-request/` and `DELETE` or `POST …-confirm/`: the end of an account.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use domain::accounts::code::{RequestCode, Whose};
use domain::accounts::deletion::{DeleteAccount, Deletion};
use domain::id::MailId;
use domain::otp::Purpose;
use utoipa_axum::routes;

use super::codes;
use super::session::Authenticated;
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::answers::Message;
use crate::openapi::requests::CodeRequest;
use crate::request::Origin;
use crate::route::{Routes, protected};

pub(super) fn router() -> Routes {
    let routes = protected(Routes::new(), routes!(request));
    protected(routes, routes!(confirm, confirm_by_post))
}

/// Ask for a code to delete the account with
///
/// The body is never read.
#[utoipa::path(
    post,
    path = "/api/auth/delete-account-request/",
    operation_id = "requestDeletion",
    tag = "Account",
    responses(
        (status = 200, description = "A code is on its way.", body = Message),
    ),
)]
async fn request(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
) -> Result<Json<Message>, ApiError> {
    let request = RequestCode {
        whose: Whose::User(session.user),
        purpose: Purpose::DeleteAccount,
        holder: None,
        request: state.code_request(&origin),
    };
    codes::ask(&state, &origin, request).await?;
    Ok(Json(Message {
        message: "OTP sent to your email. Please verify to confirm deletion.",
    }))
}

/// Delete the account
///
/// Ends the account and everything that belongs to it, for good. Name and address are free again at once, and a last
/// mail says so.
#[utoipa::path(
    delete,
    path = "/api/auth/delete-account-confirm/",
    operation_id = "deleteAccount",
    tag = "Account",
    request_body = CodeRequest,
    responses(
        (status = 204, description = "The account is gone."),
        (status = 400, description = "`otp_required`, or `invalid_otp`."),
    ),
)]
async fn confirm(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    fields: Fields,
) -> Result<StatusCode, ApiError> {
    let mut form = Form::readable(fields, &["otp"])?;
    if !form.code_given("otp") {
        return Err(ApiError::Refused {
            error: "OTP is required",
            code: "otp_required",
        });
    }
    let user = session.user.id;
    let submitted = state.submitted_code(&form.code("otp").unwrap_or_default(), &origin);
    let now = submitted.now;
    let deletion = DeleteAccount {
        user: session.user,
        submitted,
        mail: MailId::generate(),
    };
    match state.store.write_by(&origin.ticket, deletion).await? {
        Deletion::Limited(refusal) => Err(ApiError::throttled(refusal, now)),
        Deletion::Wrong => Err(ApiError::Refused {
            error: "Invalid OTP.",
            code: "invalid_otp",
        }),
        Deletion::Done => {
            tracing::info!(user.id = user.0, "an account was deleted");
            Ok(StatusCode::NO_CONTENT)
        }
    }
}

/// Delete the account, by `POST`
///
/// The same as by `DELETE`, for clients and proxies that drop the body of a `DELETE` (RFC 9110, section 9.3.5, gives it
/// no meaning).
#[utoipa::path(
    post,
    path = "/api/auth/delete-account-confirm/",
    operation_id = "deleteAccountByPost",
    tag = "Account",
    request_body = CodeRequest,
    responses(
        (status = 204, description = "The account is gone."),
        (status = 400, description = "`otp_required`, or `invalid_otp`."),
    ),
)]
async fn confirm_by_post(
    session: Authenticated,
    state: State<AppState>,
    origin: Extension<Origin>,
    fields: Fields,
) -> Result<StatusCode, ApiError> {
    confirm(session, state, origin, fields).await
}
