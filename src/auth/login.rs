//! `POST /api/auth/login/`: a session for a name or address and its password.

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
use crate::request::Origin;
use crate::route::{Routes, padded};

/// Said of everything that is not right: unknown, wrong, or not allowed.
const REFUSED: ApiError = ApiError::Refused {
    error: "Invalid Credentials",
    code: "invalid_credentials",
};

pub(super) fn router() -> Routes {
    padded(Routes::new(), routes!(log_in))
}

/// Log in
///
/// Opens a session. What is not right is never told apart: an unknown login, a wrong password, an account that is
/// switched off.
#[utoipa::path(
    post,
    path = "/api/auth/login/",
    operation_id = "logIn",
    tag = "Sessions",
    request_body = LoginRequest,
    responses(
        (status = 200, description = "A session.", body = LoggedIn),
        (status = 400, description = "`login_fields_required`, or `invalid_credentials`."),
        (status = 403, description = "`email_not_verified`: the password is right, but no code has confirmed the address."),
    ),
)]
async fn log_in(
    State(state): State<AppState>,
    Extension(origin): Extension<Origin>,
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
    let check = check(&state, &origin, login, &Password::new(password)).await?;
    match check.outcome {
        Checked::Refused => Err(refuse(&state, origin, check).await?),
        Checked::Unverified => Err(defer(&state, &origin, check).await?),
        Checked::Allowed { .. } => open(&state, origin, check).await.map(Json),
    }
}

/// What a login came to.
struct Check {
    /// Whom it meant, if that is a user.
    user: Option<UserId>,
    outcome: Checked,
    /// What was counted when it began, where limits are in force.
    counted: Option<CountedTry>,
    /// What is to take the place of an outdated hash.
    rehashed: Option<PasswordHash>,
}

/// Records that it was refused.
async fn refuse(state: &AppState, origin: Origin, check: Check) -> Result<ApiError, ApiError> {
    let refusal = RefuseLogin {
        user: check.user,
        counted: check.counted,
        actor: origin.actor,
        now: state.clock.now(),
    };
    state.store.write_by(&origin.ticket, refusal).await?;
    Ok(REFUSED)
}

/// Its address has to be verified first.
async fn defer(state: &AppState, origin: &Origin, check: Check) -> Result<ApiError, ApiError> {
    if let Some(counted) = check.counted {
        let deferral = DeferLogin { counted };
        state.store.write_by(&origin.ticket, deferral).await?;
    }
    Ok(ApiError::Unverified)
}

/// Opens the session.
async fn open(state: &AppState, origin: Origin, check: Check) -> Result<LoggedIn, ApiError> {
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
        origin.actor,
        state.rules.session,
        check.counted,
        state.clock.now(),
    );
    let session = session.rehashing(check.rehashed);
    if !state.store.write_by(&origin.ticket, session).await? {
        return Err(REFUSED);
    }
    Ok(LoggedIn {
        token: token.expose().to_owned(),
        user_id: user.0,
        email,
    })
}

/// Checks a password, in a slot that is taken before anything is counted: a 503 is no refused login.
async fn check(
    state: &AppState,
    origin: &Origin,
    login: &str,
    password: &Password,
) -> Result<Check, ApiError> {
    let (hashing, store) = (&state.hashing, &state.store);
    let (slot, found, counted) = start(state, origin, login).await?;
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

/// Takes a slot and finds the account; with limits in force counts the login before anything is hashed.
async fn start(
    state: &AppState,
    origin: &Origin,
    login: &str,
) -> Result<(Slot, Login, Option<CountedTry>), ApiError> {
    let client = &origin.actor.client;
    let slot = |pool: &HashPool| pool.slot_of(client);
    let Some(limits) = state.rules.limits else {
        let slot = slot(&state.hashing)?;
        let mut view = state.store.view_by(&origin.ticket).await?;
        let found = login::account(view.as_mut(), login, client, state.clock.now()).await?;
        return Ok((slot, found, None));
    };
    let start = |may_wait, now| StartLogin {
        login: login.to_owned(),
        actor: origin.actor.clone(),
        limits,
        may_wait,
        now,
    };
    let (slot, (found, counted)) = admission::admitted(state, origin, slot, start).await?;
    Ok((slot, found, Some(counted)))
}

/// A new hash of the password that was right, if the one it was checked against is outdated. A
/// login does not fail where none can be made.
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
