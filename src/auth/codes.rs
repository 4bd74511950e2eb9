//! Shared parts of the routes for codes: requesting one, and the answer to a wrong one.

use axum::Json;
use domain::accounts::code::{CodeTarget, RequestCode, Requested, SubmittedCode, Whose};
use domain::email::EmailAddress;
use domain::otp::Purpose;
use domain::store::Write;
use domain::token::ChallengeToken;
use serde::Serialize;
use utoipa::ToSchema;

use crate::AppState;
use crate::error::ApiError;
use crate::fields::Form;
use crate::request::RequestContext;

/// The answer to every wrong code.
pub(super) const WRONG: ApiError = ApiError::Refused {
    error: "Invalid OTP",
    code: "invalid_otp",
};

/// The address that a code is requested for. An invalid address has no account, and gets the same
/// answer as every address.
pub(super) fn email_of_anybody(form: &Form) -> Result<Option<EmailAddress>, ApiError> {
    let given = form.given("email").ok_or(ApiError::Refused {
        error: "Email is required",
        code: "email_required",
    })?;
    let text = given.as_str();
    Ok(text.and_then(|text| EmailAddress::parse(text).ok()))
}

/// A code was requested.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedCode {
    /// A message for people; the text is stable.
    message: &'static str,
    /// A secret that gives the code a separate count of tries when it is sent with the code. Keep
    /// it private.
    #[schema(min_length = 16)]
    challenge: String,
}

/// Requests a code for the user with the address in the body.
pub(super) async fn ask_by_email(
    state: &AppState,
    context: &RequestContext,
    form: &Form,
    purpose: Purpose,
    message: &'static str,
) -> Result<Json<AskedCode>, ApiError> {
    let token = ChallengeToken::generate();
    if let Some(email) = email_of_anybody(form)? {
        let request = RequestCode {
            whose: Whose::Address(email),
            purpose,
            holder: Some(token.hash()),
            request: state.code_request(context),
        };
        ask(state, context, request).await?;
    }
    Ok(Json(AskedCode {
        message,
        challenge: token.expose().to_owned(),
    }))
}

/// Refuses a code that would not be compared anyway, before a password is hashed.
pub(super) async fn refuse_early(
    state: &AppState,
    context: &RequestContext,
    submitted: &SubmittedCode,
    at: &CodeTarget<'_>,
) -> Result<(), ApiError> {
    let mut reader = state.store.reader_by(&context.ticket).await?;
    let refused = submitted.refusal(reader.as_mut(), at).await?;
    reader.done();
    match refused {
        Some(refusal) => Err(state
            .refuse_early(context, refusal, None, submitted.now)
            .await),
        None => Ok(()),
    }
}

/// Requests a code. The response does not reveal whether one was mailed.
pub(super) async fn ask(
    state: &AppState,
    context: &RequestContext,
    request: impl Write<Out = Requested>,
) -> Result<(), ApiError> {
    match state.store.write_by(&context.ticket, request).await? {
        Requested::Limited(refusal) => Err(ApiError::throttled(refusal, state.clock.now())),
        Requested::Queued => Ok(()),
    }
}
