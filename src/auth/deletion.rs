//! `POST /api/auth/delete-account-request/` and `DELETE` or `POST …-confirm/`: deletion of an
//! account.

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
use crate::request::RequestContext;
use crate::route::{Routes, protected};

pub(super) fn router() -> Routes {
    let routes = protected(Routes::new(), routes!(request));
    protected(routes, routes!(confirm, confirm_by_post))
}

/// Request a code for deleting the account
///
/// The body is ignored.
#[utoipa::path(
    post,
    path = "/api/auth/delete-account-request/",
    operation_id = "requestDeletion",
    tag = "Account",
    responses(
        (status = 200, description = "A code was mailed.", body = Message),
    ),
)]
async fn request(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
) -> Result<Json<Message>, ApiError> {
    let request = RequestCode {
        whose: Whose::User(session.user),
        purpose: Purpose::DeleteAccount,
        holder: None,
        request: state.code_request(&context),
    };
    codes::ask(&state, &context, request).await?;
    Ok(Json(Message {
        message: "OTP sent to your email. Please verify to confirm deletion.",
    }))
}

/// Delete the account
///
/// Permanently deletes the account and everything that belongs to it. Username and address are free
/// again at once, and a last mail confirms the deletion.
#[utoipa::path(
    delete,
    path = "/api/auth/delete-account-confirm/",
    operation_id = "deleteAccount",
    tag = "Account",
    request_body = CodeRequest,
    responses(
        (status = 204, description = "The account was deleted."),
        (status = 400, description = "`otp_required`, or `invalid_otp`."),
    ),
)]
async fn confirm(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
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
    let submitted = state.submitted_code(&form.code("otp").unwrap_or_default(), &context);
    let now = submitted.now;
    let deletion = DeleteAccount {
        user: session.user,
        submitted,
        mail: MailId::generate(),
    };
    match state.store.write_by(&context.ticket, deletion).await? {
        Deletion::Limited(refusal) => Err(ApiError::throttled(refusal, now)),
        Deletion::Wrong => Err(ApiError::Refused {
            error: "Invalid OTP.",
            code: "invalid_otp",
        }),
        Deletion::Done => {
            tracing::info!(user.id = user.0, "account deleted");
            Ok(StatusCode::NO_CONTENT)
        }
    }
}

/// Delete the account, by `POST`
///
/// The same as `DELETE`, for clients and proxies that drop the body of a `DELETE` (RFC 9110,
/// section 9.3.5, gives it no meaning).
#[utoipa::path(
    post,
    path = "/api/auth/delete-account-confirm/",
    operation_id = "deleteAccountByPost",
    tag = "Account",
    request_body = CodeRequest,
    responses(
        (status = 204, description = "The account was deleted."),
        (status = 400, description = "`otp_required`, or `invalid_otp`."),
    ),
)]
async fn confirm_by_post(
    session: Authenticated,
    state: State<AppState>,
    context: Extension<RequestContext>,
    fields: Fields,
) -> Result<StatusCode, ApiError> {
    confirm(session, state, context, fields).await
}
