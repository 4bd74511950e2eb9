//! Acquires a hash slot and counts a password attempt before the password is checked.
//!
//! A login that is refused only because of others in flight waits for their outcome, at most a
//! second: correct passwords given at the same time all pass, and wrong ones gain nothing.

use std::time::Duration;

use domain::limits::Admission;
use domain::store::Write;
use jiff::Timestamp;
use runtime::hashing::{HashPool, NotHashed, Slot};
use tokio::time::sleep;

use crate::AppState;
use crate::error::ApiError;
use crate::request::RequestContext;

/// The pauses between two attempts to start, in milliseconds. It polls because the logins in flight
/// may belong to another process.
const PAUSES_MS: [u64; 6] = [20, 40, 80, 160, 320, 640];

/// Acquires a slot and starts the check, both again after each pause. The slot is acquired before
/// anything is counted, so that a 503 does not count as a wrong password. A waiting login holds no
/// slot.
pub(super) async fn admitted<T: Send + 'static, W: Write<Out = Admission<T>>>(
    state: &AppState,
    context: &RequestContext,
    slot: impl Fn(&HashPool) -> Result<Slot, NotHashed>,
    start: impl Fn(bool, Timestamp) -> W,
) -> Result<(Slot, T), ApiError> {
    let mut pauses = PAUSES_MS.into_iter().map(Duration::from_millis);
    loop {
        let slot = slot(&state.hashing)?;
        let (pause, now) = (pauses.next(), state.clock.now());
        let start = start(pause.is_some(), now);
        match state.store.write_by(&context.ticket, start).await? {
            Admission::Granted(counted) => return Ok((slot, counted)),
            Admission::Refused(refusal) => return Err(ApiError::throttled(refusal, now)),
            Admission::InFlight => drop(slot),
        }
        if let Some(pause) = pause {
            sleep(pause).await;
        }
    }
}
