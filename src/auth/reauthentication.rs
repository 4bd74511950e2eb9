//! Asking who is logged in for the password again (OWASP ASVS 5.0 6.2.3, 7.5.1): what every route does that needs it.

use domain::accounts::User;
use domain::accounts::reauthentication::{Asked, RefusePassword, StartReauthentication};
use domain::limits::Passage;
use domain::password::Password;
use jiff::Timestamp;
use runtime::hashing::Slot;

use crate::AppState;
use crate::error::ApiError;
use crate::fields::Form;
use crate::request::Origin;

/// The password was right.
pub(super) struct Proof {
    /// Where it was hashed, and another may be.
    pub(super) slot: Slot,
    /// When it was counted, if it was: the use case that follows takes that back.
    pub(super) counted: Option<Timestamp>,
}

/// Checks the user's password. Like a login it is counted before, and its slot is taken before that.
pub(super) async fn prove(
    state: &AppState,
    origin: &Origin,
    user: &User,
    asked: Asked,
    password: Password,
) -> Result<Proof, ApiError> {
    let slot = state.hashing.slot_of(&origin.actor.client)?;
    let counted = count(state, origin, user).await?;
    let hash = user.password.clone();
    if state.hashing.verify(&slot, password, hash).await? {
        return Ok(Proof { slot, counted });
    }
    let refusal = RefusePassword {
        user: user.id,
        asked,
        actor: origin.actor.clone(),
        now: state.clock.now(),
    };
    state.store.write_by(&origin.ticket, refusal).await?;
    Err(wrong_password(asked))
}

/// What is said of a wrong one, under the field it came in.
pub(super) fn wrong_password(asked: Asked) -> ApiError {
    let field = match asked {
        Asked::ToChangePassword => "current_password",
        Asked::ToChangeEmail => "password",
    };
    Form::wrong(field, "Invalid password.")
}

/// Counts the try, where limits are in force.
async fn count(
    state: &AppState,
    origin: &Origin,
    user: &User,
) -> Result<Option<Timestamp>, ApiError> {
    let Some(limits) = state.rules.limits else {
        return Ok(None);
    };
    let now = state.clock.now();
    let start = StartReauthentication {
        user: user.clone(),
        actor: origin.actor.clone(),
        limits,
        now,
    };
    match state.store.write_by(&origin.ticket, start).await? {
        Passage::Granted => Ok(Some(now)),
        Passage::Refused(refusal) => Err(ApiError::throttled(refusal, now)),
    }
}
