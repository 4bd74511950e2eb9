//! `POST /api/auth/register/`: creates a pending registration and mails its code.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use domain::accounts::register::{MAX_COMPARED, Register, Registered};
use domain::email::EmailAddress;
use domain::id::RegistrationId;
use domain::password::{Attribute, Password};
use domain::username::Username;
use runtime::hashing::Slot;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::requests::RegisterRequest;
use crate::request::RequestContext;
use crate::route::{Routes, padded};

pub(super) fn router() -> Routes {
    padded(Routes::new(), routes!(register))
}

/// A pending registration.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Attempt {
    /// For a person to read; the words are stable.
    message: &'static str,
    /// The address, as it was typed.
    email: String,
    /// A secret that identifies this registration for `verify-otp/` and `resend-otp/`. Keep it
    /// private.
    #[schema(min_length = 16)]
    challenge: String,
}

/// Register
///
/// Mails a code to the address; `verify-otp/` with that code creates the account. The response is
/// the same for an address that already has an account: its owner gets a notice by mail. A pending
/// registration does not block the address: it may register again at once.
#[utoipa::path(
    post,
    path = "/api/auth/register/",
    operation_id = "register",
    tag = "Registration",
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "A code was mailed.", body = Attempt),
        (status = 400, description = "A field is missing or refused, or the username is taken: `Fields`."),
    ),
)]
async fn register(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    fields: Fields,
) -> Result<(StatusCode, Json<Attempt>), ApiError> {
    let mut form = Form::from(fields);
    let username = form.username("username");
    let email = form.new_email("email");
    let username = match (username, &email) {
        (Some(name), Some(email)) => form.beside_address("username", name, email.key()),
        (username, _) => username,
    };
    let account = attributes(username.as_ref(), email.as_ref());
    let rule = state.policies.password;
    let password = form.new_password("password", "confirm_password", rule, &account);
    let (Some(username), Some(email), Some(password)) = (username, email, password) else {
        return Err(form.into_error());
    };
    let shown = email.as_typed().to_owned();
    refuse_early(&state, &context, (&username, &email)).await?;
    let slot = state.hashing.slot_of(&context.actor.client)?;
    let hash = state.hashing.hash(&slot, password.clone()).await?;
    let same = same_password(&state, &context, &slot, &email, &password).await?;
    let now = state.clock.now();
    let registration = Register::new(
        username,
        email,
        hash,
        context.actor,
        state.keys.current().clone(),
        state.policies.register,
        now,
    )
    .with_password_of(same);
    match state.store.write_by(&context.ticket, registration).await? {
        Registered::Accepted { token } => {
            let attempt = Attempt {
                message: "Registration successful. Check email for OTP.",
                email: shown,
                challenge: token.expose().to_owned(),
            };
            Ok((StatusCode::CREATED, Json(attempt)))
        }
        Registered::Taken { username, email } => Err(Form::taken(username, email)),
        Registered::TooMany(refusal) => Err(ApiError::throttled(refusal, now)),
    }
}

/// Refuses a registration that would be refused anyway, before the password is hashed.
async fn refuse_early(
    state: &AppState,
    context: &RequestContext,
    whom: (&Username, &EmailAddress),
) -> Result<(), ApiError> {
    let (client, policy, now) = (
        &context.actor.client,
        &state.policies.register,
        state.clock.now(),
    );
    let mut reader = state.store.reader_by(&context.ticket).await?;
    let refused = Register::refused(reader.as_mut(), whom, client, policy, now).await?;
    reader.done();
    match refused {
        Some(Registered::TooMany(refusal)) => Err(state
            .refuse_early(context, refusal, Some(whom.1), now)
            .await),
        Some(Registered::Taken { username, email }) => Err(Form::taken(username, email)),
        Some(Registered::Accepted { .. }) | None => Ok(()),
    }
}

/// The live registration of this client for the address with the same password, if there is one.
/// Only the newest few are compared, and only if the client has registered the address before.
async fn same_password(
    state: &AppState,
    context: &RequestContext,
    slot: &Slot,
    email: &EmailAddress,
    password: &Password,
) -> Result<Option<RegistrationId>, ApiError> {
    let (client, now) = (&context.actor.client, state.clock.now());
    let mut reader = state.store.reader_by(&context.ticket).await?;
    let attempts = reader
        .passwords_of_registrations(email.key(), client, MAX_COMPARED, now)
        .await?;
    reader.done();
    for (attempt, hash) in attempts {
        if state.hashing.verify(slot, password.clone(), hash).await? {
            return Ok(Some(attempt));
        }
    }
    Ok(None)
}

/// The attributes that the password must not resemble, as far as they are valid.
fn attributes<'a>(
    username: Option<&'a Username>,
    email: Option<&'a EmailAddress>,
) -> Vec<(Attribute, &'a str)> {
    let username = username.map(|name| (Attribute::Username, name.as_str()));
    let email = email.map(|email| (Attribute::Email, email.as_typed()));
    username.into_iter().chain(email).collect()
}
