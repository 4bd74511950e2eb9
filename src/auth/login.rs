//! `POST /api/auth/login/`: a session for a name or address and its password.

use axum::extract::State;
use axum::{Extension, Json};
use domain::accounts::login::{
    self, Checked, Login, OpenSession, RefuseLogin, StartLogin, Started,
};
use domain::id::UserId;
use domain::password::{Password, PasswordHash};
use jiff::Timestamp;
use runtime::hashing::Slot;
use utoipa_axum::routes;

use crate::AppState;
use crate::error::ApiError;
use crate::extract::Fields;
use crate::fields::Form;
use crate::openapi::answers::LoggedIn;
use crate::openapi::requests::LoginRequest;
use crate::request::Origin;
use crate::route::{Routes, public};

/// Said of everything that is not right: unknown, wrong, or not allowed.
const REFUSED: ApiError = ApiError::Refused {
    error: "Invalid Credentials",
    code: "invalid_credentials",
};

pub(super) fn router() -> Routes {
    public(Routes::new(), routes!(log_in))
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
    let now = state.clock.now();
    let check = check(&state, &origin, login, &Password::new(password), now).await?;
    match check.outcome {
        Checked::Refused => {
            let refusal = RefuseLogin {
                user: check.user,
                actor: origin.actor,
                now,
            };
            state.store.write_by(&origin.ticket, refusal).await?;
            Err(REFUSED)
        }
        Checked::Unverified => Err(ApiError::Unverified),
        Checked::Allowed {
            user,
            email,
            credential_version,
        } => {
            state.writes.account(user)?;
            let (session, token) = OpenSession::new(
                user,
                credential_version,
                origin.actor,
                state.rules.session,
                state.rules.limits.map(|_| login.to_owned()),
                now,
            );
            let session = session.rehashing(check.rehashed);
            if !state.store.write_by(&origin.ticket, session).await? {
                return Err(REFUSED);
            }
            Ok(Json(LoggedIn {
                token: token.expose().to_owned(),
                user_id: user.0,
                email,
            }))
        }
    }
}

/// What a login came to.
struct Check {
    /// Whom it meant, if that is a user.
    user: Option<UserId>,
    outcome: Checked,
    /// What is to take the place of an outdated hash.
    rehashed: Option<PasswordHash>,
}

/// Checks a password, in a slot that is taken before anything is counted: a 503 is no refused login.
async fn check(
    state: &AppState,
    origin: &Origin,
    login: &str,
    password: &Password,
    now: Timestamp,
) -> Result<Check, ApiError> {
    let (hashing, store) = (&state.hashing, &state.store);
    let slot = hashing.slot_of(&origin.actor.client)?;
    let found = start(state, origin, login, now).await?;
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
        rehashed,
    })
}

/// Finds the account, and with limits in force counts the login before anything is hashed.
async fn start(
    state: &AppState,
    origin: &Origin,
    login: &str,
    now: Timestamp,
) -> Result<Login, ApiError> {
    let Some(limits) = state.rules.limits else {
        let mut view = state.store.view_by(&origin.ticket).await?;
        return Ok(login::account(view.as_mut(), login, &origin.actor.client, now).await?);
    };
    let begin = StartLogin {
        login: login.to_owned(),
        actor: origin.actor.clone(),
        limits,
        now,
    };
    match state.store.write_by(&origin.ticket, begin).await? {
        Started::Go(found) => Ok(found),
        Started::Limited(refusal) => Err(ApiError::throttled(refusal, now)),
    }
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
