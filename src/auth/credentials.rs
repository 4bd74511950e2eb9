//! Changing what one logs in with: `password-change/`, `email-change-request/`, `email-change-confirm/`.
//! Each needs the password again (OWASP ASVS 5.0 6.2.3, 7.5.1).

use axum::extract::State;
use axum::{Extension, Json};
use domain::accounts::password::ChangePassword;
use domain::accounts::profile::{ConfirmEmailChange, EmailChange, RequestEmailChange};
use domain::accounts::reauthentication::Asked;
use domain::email::EmailAddress;
use domain::id::{MailId, UserId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::codes;
use super::reauthentication::{Proof, prove, wrong_password};
use super::session::Authenticated;
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::answers::Message;
use crate::openapi::requests::{CodeRequest, EmailRequest, PasswordRequest};
use crate::request::Origin;
use crate::route::{Routes, protected};

pub(super) fn router() -> Routes {
    let routes = protected(Routes::new(), routes!(change_password));
    let routes = protected(routes, routes!(request_email_change));
    protected(routes, routes!(confirm_email_change))
}

/// Change the password
///
/// Ends every other session and every code that was mailed before, and a mail says so. `Fields` names what is refused.
#[utoipa::path(
    post,
    path = "/api/auth/password-change/",
    operation_id = "changePassword",
    tag = "Account",
    request_body = PasswordRequest,
    responses(
        (status = 200, description = "The new password counts.", body = Message),
        (status = 400, description = "A field is missing or refused, or the present password is wrong: `Fields`."),
    ),
)]
async fn change_password(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    fields: Fields,
) -> Result<Json<Message>, ApiError> {
    let mut form = Form::from(fields);
    let current = form.existing_password("current_password");
    let account = session.user.attributes();
    let new = form.password("new_password", state.rules.password, &account);
    let (Some(current), Some(new)) = (current, new) else {
        return Err(form.into_error());
    };
    let asked = Asked::ToChangePassword;
    state.writes.account(session.user.id)?;
    let proof = prove(&state, &origin, &session.user, asked, current).await?;
    let change = ChangePassword {
        password: state.hashing.hash(&proof.slot, new).await?,
        user: session.user,
        session: session.id,
        actor: origin.actor,
        mail: MailId::generate(),
        counted: proof.counted,
        now: state.clock.now(),
    };
    if !state.store.write_by(&origin.ticket, change).await? {
        return Err(wrong_password(asked));
    }
    Ok(Json(Message {
        message: "Password changed. Other sessions were ended.",
    }))
}

/// Ask to change the address
///
/// A code goes to the new address. The answer is the same for a free address and a taken one.
#[utoipa::path(
    post,
    path = "/api/auth/email-change-request/",
    operation_id = "requestEmailChange",
    tag = "Account",
    request_body = EmailRequest,
    responses(
        (status = 200, description = "If the address is free, a code is on its way.", body = Message),
        (status = 400, description = "A field is missing or refused, or the password is wrong: `Fields`."),
    ),
)]
async fn request_email_change(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    fields: Fields,
) -> Result<Json<Message>, ApiError> {
    let mut form = Form::from(fields);
    let email = form.new_email("new_email");
    let password = form.existing_password("password");
    let (Some(email), Some(password)) = (email, password) else {
        return Err(form.into_error());
    };
    let asked = Asked::ToChangeEmail;
    state.writes.account(session.user.id)?;
    refuse_early(&state, &origin, session.user.id, &email).await?;
    let Proof { counted, .. } = prove(&state, &origin, &session.user, asked, password).await?;
    let request = RequestEmailChange {
        user: session.user,
        email,
        counted,
        request: state.code_request(&origin),
    };
    codes::ask(&state, &origin, request).await?;
    Ok(Json(Message {
        message: "OTP sent to the new email address.",
    }))
}

/// Refuses a code that would not be mailed, before the password is checked for it.
async fn refuse_early(
    state: &AppState,
    origin: &Origin,
    user: UserId,
    email: &EmailAddress,
) -> Result<(), ApiError> {
    let mut view = state.store.view_by(&origin.ticket).await?;
    let request = state.code_request(origin);
    let refused = request.refusal(view.as_mut(), email, user).await?;
    view.done();
    match refused {
        Some(refusal) => {
            let now = state.clock.now();
            Err(state.refuse_early(origin, refusal, Some(email), now).await)
        }
        None => Ok(()),
    }
}

/// The address of an account was changed.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEmail {
    /// For a person to read; the words are stable.
    message: &'static str,
    /// The address, as it was typed.
    email: String,
}

/// Change the address
///
/// With the code that was mailed to the new address. Ends every other session, and a mail to the old address says so.
#[utoipa::path(
    post,
    path = "/api/auth/email-change-confirm/",
    operation_id = "changeEmail",
    tag = "Account",
    request_body = CodeRequest,
    responses(
        (status = 200, description = "The new address counts.", body = NewEmail),
        (status = 400, description = "The field is missing or refused: `Fields`; or `invalid_otp`."),
    ),
)]
async fn confirm_email_change(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
    fields: Fields,
) -> Result<Json<NewEmail>, ApiError> {
    let mut form = Form::from(fields);
    let Some(code) = form.otp("otp") else {
        return Err(form.into_error());
    };
    let submitted = state.submitted_code(&code, &origin);
    let now = submitted.now;
    let confirm = ConfirmEmailChange {
        user: session.user,
        session: session.id,
        submitted,
        mail: MailId::generate(),
    };
    match state.store.write_by(&origin.ticket, confirm).await? {
        EmailChange::Done { email } => Ok(Json(NewEmail {
            message: "Email changed.",
            email,
        })),
        EmailChange::Limited(refusal) => Err(ApiError::throttled(refusal, now)),
        EmailChange::Wrong => Err(codes::WRONG),
    }
}
