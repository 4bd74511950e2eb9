//! Taking a slot and counting a try at a password, before the password is checked.
//!
//! A try that only others in flight stand against waits for their outcome, a second at most: right passwords that are
//! given at the same time all pass, and wrong ones gain nothing.

use std::time::Duration;

use domain::limits::Admission;
use domain::store::Write;
use jiff::Timestamp;
use runtime::hashing::{HashPool, NotHashed, Slot};
use tokio::time::sleep;

use crate::AppState;
use crate::error::ApiError;
use crate::request::Origin;

/// How many milliseconds a try waits before it asks again. Another process may check those in flight, so that nothing could wake it.
const PAUSES_MS: [u64; 6] = [20, 40, 80, 160, 320, 640];

/// Takes a slot and starts the try, both again after each pause. The slot is taken before anything is
/// counted, so that a 503 is no refused password; a try that waits holds none.
pub(super) async fn admitted<T: Send + 'static, W: Write<Out = Admission<T>>>(
    state: &AppState,
    origin: &Origin,
    slot: impl Fn(&HashPool) -> Result<Slot, NotHashed>,
    start: impl Fn(bool, Timestamp) -> W,
) -> Result<(Slot, T), ApiError> {
    let mut pauses = PAUSES_MS.into_iter().map(Duration::from_millis);
    loop {
        let slot = slot(&state.hashing)?;
        let (pause, now) = (pauses.next(), state.clock.now());
        let start = start(pause.is_some(), now);
        match state.store.write_by(&origin.ticket, start).await? {
            Admission::Granted(counted) => return Ok((slot, counted)),
            Admission::Refused(refusal) => return Err(ApiError::throttled(refusal, now)),
            Admission::InFlight => drop(slot),
        }
        if let Some(pause) = pause {
            sleep(pause).await;
        }
    }
}
