//! What the routes around codes have in common: asking for one, and what is said of a wrong one.

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
use crate::request::Origin;

/// Said of every code that is not right.
pub(super) const WRONG: ApiError = ApiError::Refused {
    error: "Invalid OTP",
    code: "invalid_otp",
};

/// The address that a code is asked for. Something that is no address has no account, and hears what every address
/// hears.
pub(super) fn email_of_anybody(form: &Form) -> Result<Option<EmailAddress>, ApiError> {
    let given = form.given("email").ok_or(ApiError::Refused {
        error: "Email is required",
        code: "email_required",
    })?;
    let text = given.as_str();
    Ok(text.and_then(|text| EmailAddress::parse(text).ok()))
}

/// A code that was asked for.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedCode {
    /// For a person to read; the words are stable.
    message: &'static str,
    /// Gives the code tries of its own, where it is submitted: keep it, and show it to nobody.
    #[schema(min_length = 16)]
    challenge: String,
}

/// Asks for a code of the user with the address in the body.
pub(super) async fn ask_by_email(
    state: &AppState,
    origin: &Origin,
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
            request: state.code_request(origin),
        };
        ask(state, origin, request).await?;
    }
    Ok(Json(AskedCode {
        message,
        challenge: token.expose().to_owned(),
    }))
}

/// Refuses a code that would not be compared, before a password is hashed for it.
pub(super) async fn refuse_early(
    state: &AppState,
    origin: &Origin,
    submitted: &SubmittedCode,
    at: &CodeTarget<'_>,
) -> Result<(), ApiError> {
    let mut view = state.store.view_by(&origin.ticket).await?;
    let refused = submitted.refusal(view.as_mut(), at).await?;
    view.done();
    match refused {
        Some(refusal) => Err(state
            .refuse_early(origin, refusal, None, submitted.now)
            .await),
        None => Ok(()),
    }
}

/// Asks for a code. Whether one was mailed is told to nobody.
pub(super) async fn ask(
    state: &AppState,
    origin: &Origin,
    request: impl Write<Out = Requested>,
) -> Result<(), ApiError> {
    match state.store.write_by(&origin.ticket, request).await? {
        Requested::Limited(refusal) => Err(ApiError::throttled(refusal, state.clock.now())),
        Requested::Queued => Ok(()),
    }
}
