//! Asking who is logged in for the password again (OWASP ASVS 5.0 6.2.3, 7.5.1): what every route does that needs it.

use domain::accounts::User;
use domain::accounts::reauthentication::{Asked, RefusePassword, StartReauthentication};
use domain::id::UserId;
use domain::limits::CountedTry;
use domain::password::Password;
use runtime::hashing::{HashPool, Slot};

use super::admission;
use crate::AppState;
use crate::error::ApiError;
use crate::fields::Form;
use crate::request::Origin;

/// The password was right.
pub(super) struct Proof {
    /// Where it was hashed, and another may be.
    pub(super) slot: Slot,
    /// What was counted, if it was: the use case that follows takes that back.
    pub(super) counted: Option<CountedTry>,
}

/// Checks the user's password. Like a login it is counted before, and its slot is taken before that.
pub(super) async fn prove(
    state: &AppState,
    origin: &Origin,
    user: &User,
    asked: Asked,
    password: Password,
) -> Result<Proof, ApiError> {
    let (slot, counted) = start(state, origin, user.id).await?;
    let hash = user.password.clone();
    if state.hashing.verify(&slot, password, hash).await? {
        return Ok(Proof { slot, counted });
    }
    let refusal = RefusePassword {
        user: user.id,
        asked,
        counted,
        actor: origin.actor.clone(),
        now: state.clock.now(),
    };
    state.store.write_by(&origin.ticket, refusal).await?;
    Err(wrong_password(asked))
}

/// Takes a slot, and counts the try where limits are in force.
async fn start(
    state: &AppState,
    origin: &Origin,
    user: UserId,
) -> Result<(Slot, Option<CountedTry>), ApiError> {
    let client = &origin.actor.client;
    let slot = |pool: &HashPool| pool.slot_of_user_at(client);
    let Some(limits) = state.rules.limits else {
        return Ok((slot(&state.hashing)?, None));
    };
    let start = |may_wait, now| StartReauthentication {
        user,
        actor: origin.actor.clone(),
        limits,
        may_wait,
        now,
    };
    let (slot, counted) = admission::admitted(state, origin, slot, start).await?;
    Ok((slot, Some(counted)))
}

/// What is said of a wrong one, under the field it came in.
pub(super) fn wrong_password(asked: Asked) -> ApiError {
    let field = match asked {
        Asked::ToChangePassword => "current_password",
        Asked::ToChangeEmail => "password",
    };
    Form::wrong(field, "Invalid password.")
}
