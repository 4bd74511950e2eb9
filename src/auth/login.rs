//! `POST /api/auth/login/`: opens a session for a username or address with its password.

use axum::extract::State;
use axum::{Extension, Json};
use domain::accounts::login::{
    self, Checked, DeferLogin, Login, OpenSession, RefuseLogin, StartLogin,
};
use domain::id::UserId;
use domain::limits::CountedTry;
use domain::password::{Password, PasswordHash};
use runtime::hashing::{HashPool, Slot};
use utoipa_axum::routes;

use super::admission;
use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::answers::LoggedIn;
use crate::openapi::requests::LoginRequest;
use crate::request::RequestContext;
use crate::route::{Routes, padded};

/// The answer to every refused login: unknown, wrong, or not allowed.
const REFUSED: ApiError = ApiError::Refused {
    error: "Invalid Credentials",
    code: "invalid_credentials",
};

pub(super) fn router() -> Routes {
    padded(Routes::new(), routes!(log_in))
}

/// Log in
///
/// Opens a session. An unknown login, a wrong password and a disabled account get the same answer.
#[utoipa::path(
    post,
    path = "/api/auth/login/",
    operation_id = "logIn",
    tag = "Sessions",
    request_body = LoginRequest,
    responses(
        (status = 200, description = "A session.", body = LoggedIn),
        (status = 400, description = "`login_fields_required`, or `invalid_credentials`."),
        (status = 403, description = "`email_not_verified`: the password is correct, but the address is not verified yet."),
    ),
)]
async fn log_in(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    fields: Fields,
) -> Result<Json<LoggedIn>, ApiError> {
    let form = Form::readable(fields, &["login", "password"])?;
    let (Some(login), Some(password)) = (form.given("login"), form.given("password")) else {
        return Err(ApiError::Refused {
            error: "Please provide both login and password",
            code: "login_fields_required",
        });
    };
    let (Some(login), Some(password)) = (login.as_str(), password.as_str()) else {
        return Err(REFUSED);
    };
    let check = check(&state, &context, login, &Password::new(password)).await?;
    match check.outcome {
        Checked::Refused => Err(refuse(&state, context, check).await?),
        Checked::Unverified => Err(defer(&state, &context, check).await?),
        Checked::Allowed { .. } => open(&state, context, check).await.map(Json),
    }
}

/// The state of a login check.
struct Check {
    /// The user of the login, if there is one.
    user: Option<UserId>,
    outcome: Checked,
    /// What was counted at the start, if limits are enabled.
    counted: Option<CountedTry>,
    /// The replacement of an outdated hash.
    rehashed: Option<PasswordHash>,
}

/// Records a refused login.
async fn refuse(
    state: &AppState,
    context: RequestContext,
    check: Check,
) -> Result<ApiError, ApiError> {
    let refusal = RefuseLogin {
        user: check.user,
        counted: check.counted,
        actor: context.actor,
        now: state.clock.now(),
    };
    state.store.write_by(&context.ticket, refusal).await?;
    Ok(REFUSED)
}

/// Refuses a login whose address is not verified yet.
async fn defer(
    state: &AppState,
    context: &RequestContext,
    check: Check,
) -> Result<ApiError, ApiError> {
    if let Some(counted) = check.counted {
        let deferral = DeferLogin { counted };
        state.store.write_by(&context.ticket, deferral).await?;
    }
    Ok(ApiError::Unverified)
}

/// Opens a session for the login.
async fn open(
    state: &AppState,
    context: RequestContext,
    check: Check,
) -> Result<LoggedIn, ApiError> {
    let Checked::Allowed {
        user,
        email,
        credential_version,
    } = check.outcome
    else {
        return Err(REFUSED);
    };
    state.writes.account(user)?;
    let (session, token) = OpenSession::new(
        user,
        credential_version,
        context.actor,
        state.policies.session,
        check.counted,
        state.clock.now(),
    );
    let session = session.rehashing(check.rehashed);
    if !state.store.write_by(&context.ticket, session).await? {
        return Err(REFUSED);
    }
    Ok(LoggedIn {
        token: token.expose().to_owned(),
        user_id: user.0,
        email,
    })
}

/// Checks a password, in a slot that is acquired before anything is counted, so that a 503 does not
/// count as a refused login.
async fn check(
    state: &AppState,
    context: &RequestContext,
    login: &str,
    password: &Password,
) -> Result<Check, ApiError> {
    let (hashing, store) = (&state.hashing, &state.store);
    let (slot, found, counted) = start(state, context, login).await?;
    let now = state.clock.now();
    let hashes = state.dummies.hashes_to_check(&found, store, now).await?;
    let mut right = Vec::with_capacity(hashes.len());
    for hash in &hashes {
        let matches = hashing.verify(&slot, password.clone(), hash.clone());
        right.push(matches.await?);
    }
    let (user, outcome) = (found.user(), found.checked(&right));
    let rehashed = match (&outcome, hashes.first()) {
        (Checked::Allowed { .. }, Some(hash)) => renewed(state, &slot, password, hash).await,
        _ => None,
    };
    Ok(Check {
        user,
        outcome,
        counted,
        rehashed,
    })
}

/// Acquires a slot and finds the account. With limits enabled, it counts the login before anything
/// is hashed.
async fn start(
    state: &AppState,
    context: &RequestContext,
    login: &str,
) -> Result<(Slot, Login, Option<CountedTry>), ApiError> {
    let client = &context.actor.client;
    let slot = |pool: &HashPool| pool.slot_of(client);
    let Some(limits) = state.policies.limits else {
        let slot = slot(&state.hashing)?;
        let mut reader = state.store.reader_by(&context.ticket).await?;
        let found = login::account(reader.as_mut(), login, client, state.clock.now()).await?;
        return Ok((slot, found, None));
    };
    let start = |may_wait, now| StartLogin {
        login: login.to_owned(),
        actor: context.actor.clone(),
        limits,
        may_wait,
        now,
    };
    let (slot, (found, counted)) = admission::admitted(state, context, slot, start).await?;
    Ok((slot, found, Some(counted)))
}

/// A new hash of the correct password, if the stored one is outdated. A failure here does not fail
/// the login.
async fn renewed(
    state: &AppState,
    slot: &Slot,
    password: &Password,
    checked: &PasswordHash,
) -> Option<PasswordHash> {
    if !checked.is_outdated(state.hashing.cost()) {
        return None;
    }
    state.hashing.hash(slot, password.clone()).await.ok()
}
