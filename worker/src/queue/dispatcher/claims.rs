//! Which mails a batch claims: how many, from which end, and how many slow ones.

use std::time::Duration;

use domain::mail::Lane;
use domain::queue::{Claimed, Due, QueueBatch};
use jiff::Timestamp;
use tokio::time::Instant;

use super::super::gate::Gate;
use super::Dispatcher;

/// After no slow mail could be claimed though one was due: another worker has it, or the key that it needs.
const REST: Duration = Duration::from_secs(2);

/// While an attempt overstays, so many of so many mails that are claimed are the newest. Those that hang keep their
/// slots for the patience, the others for milliseconds: a burst of others gets through beside a backlog of the former.
const NEWEST: u32 = 7;
const OF: u32 = 8;

/// The most milliseconds by which one kind of slow mails is ahead of the other: what was long ago does not count.
const MOST_AHEAD: i64 = 30_000;

/// What is known of due mails, and which kind is next.
#[derive(Default)]
pub(super) struct Claims {
    /// When the first slow mail is due, as far as is known.
    slow_due: Option<Timestamp>,
    /// Until when no slow mail is claimed.
    slow_rests: Option<Instant>,
    /// Whether others were due when that was looked up.
    usual_is_due: bool,
    /// Where there is one slot: whether a slow mail is the next that has it.
    slow_is_next: bool,
    /// Parts of a mail that are still to be claimed among the newest.
    newest_owed: u32,
    /// How many milliseconds more mails without an attempt have had the slow lane than others.
    first_ahead: i64,
}

/// Whether mails of some kind may be claimed by a worker with that many free slots and trials in flight.
pub(super) fn may_claim(gate: &Gate, free: usize, trials: usize) -> bool {
    gate.allows(free, trials) > 0 || (free > 0 && gate.allows_slow())
}

impl Dispatcher {
    /// Puts into the batch how many mails it claims, and which. While an attempt overstays, most
    /// of them are the newest: the oldest may all be of its kind.
    pub(super) fn plan_claims(&mut self, batch: &mut QueueBatch) {
        let room = self.room(batch.settlements.len());
        if room > 0 && self.slow_is_due() && self.gate.allows_slow() && self.claimant.slots > 1 {
            self.claimant.lane.make_room();
        }
        let slow = self.slow_room(room);
        let claim = (self.gate.allows(room, self.trials())).min(room - slow);
        batch.keys = self.claimant.keys.clone();
        batch.trial = self.gate.is_held();
        batch.claim = u32::try_from(claim).unwrap_or(u32::MAX);
        batch.slow = u32::try_from(slow).unwrap_or(u32::MAX);
        batch.slow_first = if self.claims.first_ahead > 0 {
            batch.slow / 2
        } else {
            batch.slow
        };
        if self.claimant.lane.is_used() && batch.claim > 0 {
            let parts = batch.claim * NEWEST + self.claims.newest_owed;
            (batch.newest, self.claims.newest_owed) = (parts / OF, parts % OF);
        }
    }

    /// Takes in what is due.
    pub(super) fn knows(&mut self, due: Due) {
        (self.claims.slow_due, self.claims.usual_is_due) = (due.slow, due.now);
    }

    /// Whether mails that are not slow may be claimed.
    pub(super) fn may_claim_usual(&self) -> bool {
        self.gate.allows(self.free(), self.trials()) > 0
    }

    /// Whether a slow mail is due, as far as is known.
    fn slow_is_due(&self) -> bool {
        let now = self.clock.now();
        self.claims.slow_due.is_some_and(|due| due <= now)
            && (self.claims.slow_rests).is_none_or(|until| Instant::now() >= until)
    }

    /// How many of the mails for which there is room are slow ones.
    pub(super) fn slow_room(&self, room: usize) -> usize {
        if !self.slow_is_due() || !self.gate.allows_slow() {
            return 0;
        }
        let lane = &self.claimant.lane;
        match self.claimant.slots {
            // There is one slot and no lane: the two kinds alternate.
            1 => room.min(usize::from(
                self.claims.slow_is_next || !self.claims.usual_is_due,
            )),
            _ => room.min(lane.free()),
        }
    }

    /// A mail had a place of the slow lane for so long. Mails that were tried and those that were not share the lane's
    /// time: of those that a relay takes at once any number goes before one at which it hangs.
    pub(super) fn has_used(&mut self, lane: Lane, time: Duration) {
        let used = i64::try_from(time.as_millis()).unwrap_or(MOST_AHEAD);
        let ahead = &mut self.claims.first_ahead;
        match lane {
            Lane::Main => {}
            Lane::SlowFirst => *ahead = (*ahead + used).min(MOST_AHEAD),
            Lane::Slow => *ahead = ahead.saturating_sub(used).max(-MOST_AHEAD),
        }
    }

    /// Takes in what came of a claim of so many mails and so many slow ones. True: nothing more of one kind is due.
    pub(super) fn learn(&mut self, usual: usize, slow: usize, claimed: &[Claimed]) -> bool {
        let slow_claimed = claimed.iter().filter(|mail| mail.lane.is_slow()).count();
        if slow > 0 && slow_claimed == 0 {
            self.claims.slow_rests = Some(Instant::now() + REST);
        }
        if usual + slow > 0 {
            self.claims.slow_is_next = slow_claimed == 0;
        }
        claimed.len() - slow_claimed < usual || slow_claimed < slow
    }
}
