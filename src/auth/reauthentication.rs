//! Reauthentication: asks a logged-in user for the password again (OWASP ASVS 5.0 6.2.3, 7.5.1).
//! Shared by the routes that need it.

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
use crate::request::RequestContext;

/// The proof that the password was correct.
pub(super) struct Proof {
    /// The slot in which it was hashed, for further hashes.
    pub(super) slot: Slot,
    /// What was counted, if limits are enabled; the following use case takes that back.
    pub(super) counted: Option<CountedTry>,
}

/// Checks the user's password. Like a login, it is counted before the check, and its slot is
/// acquired before that.
pub(super) async fn prove(
    state: &AppState,
    context: &RequestContext,
    user: &User,
    asked: Asked,
    password: Password,
) -> Result<Proof, ApiError> {
    let (slot, counted) = start(state, context, user.id).await?;
    let hash = user.password.clone();
    if state.hashing.verify(&slot, password, hash).await? {
        return Ok(Proof { slot, counted });
    }
    let refusal = RefusePassword {
        user: user.id,
        asked,
        counted,
        actor: context.actor.clone(),
        now: state.clock.now(),
    };
    state.store.write_by(&context.ticket, refusal).await?;
    Err(wrong_password(asked))
}

/// Acquires a slot, and counts the check if limits are enabled.
async fn start(
    state: &AppState,
    context: &RequestContext,
    user: UserId,
) -> Result<(Slot, Option<CountedTry>), ApiError> {
    let client = &context.actor.client;
    let slot = |pool: &HashPool| pool.slot_of_user_at(client);
    let Some(limits) = state.policies.limits else {
        return Ok((slot(&state.hashing)?, None));
    };
    let start = |may_wait, now| StartReauthentication {
        user,
        actor: context.actor.clone(),
        limits,
        may_wait,
        now,
    };
    let (slot, counted) = admission::admitted(state, context, slot, start).await?;
    Ok((slot, Some(counted)))
}

/// The answer to a wrong password, under the name of its field.
pub(super) fn wrong_password(asked: Asked) -> ApiError {
    let field = match asked {
        Asked::ToChangePassword => "current_password",
        Asked::ToChangeEmail => "password",
    };
    Form::wrong(field, "Invalid password.")
}
