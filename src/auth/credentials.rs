//! Changing the credentials: `password-change/`, `email-change-request/`, `email-change-confirm/`.
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
use crate::request::RequestContext;
use crate::route::{Routes, protected};

pub(super) fn router() -> Routes {
    let routes = protected(Routes::new(), routes!(change_password));
    let routes = protected(routes, routes!(request_email_change));
    protected(routes, routes!(confirm_email_change))
}

/// Change the password
///
/// Ends every other session, invalidates every code mailed before, and sends a notice by mail.
/// `Fields` names the refused fields.
#[utoipa::path(
    post,
    path = "/api/auth/password-change/",
    operation_id = "changePassword",
    tag = "Account",
    request_body = PasswordRequest,
    responses(
        (status = 200, description = "The password was changed.", body = Message),
        (status = 400, description = "A field is missing or refused, or the current password is wrong: `Fields`."),
    ),
)]
async fn change_password(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    fields: Fields,
) -> Result<Json<Message>, ApiError> {
    let mut form = Form::from(fields);
    let current = form.existing_password("current_password");
    let account = session.user.attributes();
    let new = form.password("new_password", state.policies.password, &account);
    let (Some(current), Some(new)) = (current, new) else {
        return Err(form.into_error());
    };
    let asked = Asked::ToChangePassword;
    state.writes.account(session.user.id)?;
    let proof = prove(&state, &context, &session.user, asked, current).await?;
    let change = ChangePassword {
        password: state.hashing.hash(&proof.slot, new).await?,
        user: session.user,
        session: session.id,
        actor: context.actor,
        mail: MailId::generate(),
        counted: proof.counted,
        now: state.clock.now(),
    };
    if !state.store.write_by(&context.ticket, change).await? {
        return Err(wrong_password(asked));
    }
    Ok(Json(Message {
        message: "Password changed. Other sessions were ended.",
    }))
}

/// Request a change of the address
///
/// Mails a code to the new address. The response is the same for a free and a taken address.
#[utoipa::path(
    post,
    path = "/api/auth/email-change-request/",
    operation_id = "requestEmailChange",
    tag = "Account",
    request_body = EmailRequest,
    responses(
        (status = 200, description = "If the address is free, a code was mailed.", body = Message),
        (status = 400, description = "A field is missing or refused, or the password is wrong: `Fields`."),
    ),
)]
async fn request_email_change(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
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
    refuse_early(&state, &context, session.user.id, &email).await?;
    let Proof { counted, .. } = prove(&state, &context, &session.user, asked, password).await?;
    let request = RequestEmailChange {
        user: session.user,
        email,
        counted,
        request: state.code_request(&context),
    };
    codes::ask(&state, &context, request).await?;
    Ok(Json(Message {
        message: "OTP sent to the new email address.",
    }))
}

/// Refuses a code that would not be mailed anyway, before the password is checked.
async fn refuse_early(
    state: &AppState,
    context: &RequestContext,
    user: UserId,
    email: &EmailAddress,
) -> Result<(), ApiError> {
    let mut reader = state.store.reader_by(&context.ticket).await?;
    let request = state.code_request(context);
    let refused = request.refusal(reader.as_mut(), email, user).await?;
    reader.done();
    match refused {
        Some(refusal) => {
            let now = state.clock.now();
            Err(state.refuse_early(context, refusal, Some(email), now).await)
        }
        None => Ok(()),
    }
}

/// The response to a change of the address.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEmail {
    /// For a person to read; the words are stable.
    message: &'static str,
    /// The address as typed.
    email: String,
}

/// Change the address
///
/// Needs the code that was mailed to the new address. Ends every other session and sends a notice
/// to the old address.
#[utoipa::path(
    post,
    path = "/api/auth/email-change-confirm/",
    operation_id = "changeEmail",
    tag = "Account",
    request_body = CodeRequest,
    responses(
        (status = 200, description = "The address was changed.", body = NewEmail),
        (status = 400, description = "The field is missing or refused: `Fields`; or `invalid_otp`."),
    ),
)]
async fn confirm_email_change(
    Authenticated(session): Authenticated,
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    fields: Fields,
) -> Result<Json<NewEmail>, ApiError> {
    let mut form = Form::from(fields);
    let Some(code) = form.otp("otp") else {
        return Err(form.into_error());
    };
    let submitted = state.submitted_code(&code, &context);
    let now = submitted.now;
    let confirm = ConfirmEmailChange {
        user: session.user,
        session: session.id,
        submitted,
        mail: MailId::generate(),
    };
    match state.store.write_by(&context.ticket, confirm).await? {
        EmailChange::Done { email } => Ok(Json(NewEmail {
            message: "Email changed.",
            email,
        })),
        EmailChange::Limited(refusal) => Err(ApiError::throttled(refusal, now)),
        EmailChange::Wrong => Err(codes::WRONG),
    }
}
