//! The slow lane: how many attempts may overstay, so that the other connections stay free for other mails.
//!
//! A relay may hang at one recipient (it looks up a domain whose name server does not answer, or asks the recipient's
//! own server) and be quick with all others. An attempt whose stage takes longer than a second
//! needs a place here. A quarter of the slots are places. When none is free, the oldest attempt that has had its time
//! is cut and gives its place up; when there is none, the newcomer is cut. A mail that was cut is put off and starts in
//! this lane the next time, where it has five seconds for sure, and more with its age: so a slow recipient is reached
//! in the end, however many others hang.
//!
//! An attempt at the end of data stands outside the lane, since the relay may have accepted the mail: cut there, it
//! would arrive twice. Relays scan messages for minutes (RFC 5321 §4.5.3.2.6). Only where more than half of the slots
//! hang there, the one that has hung longest is cut, after much longer than the relay takes for others, and never at
//! the mail's last attempt.
//!
//! [`Relays`](super::Relays) owns the lane, the dispatcher asks it for free places.

mod stay;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::mail::Lane;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Stage;
use super::progress::{CurrentStep, Step, Timing};
pub use stay::Stay;

/// How long a stage may take before the attempt needs a place in the lane.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where all mails take long, the relay is slow and not the recipient. Then the patience is twice what the quickest of
/// the last mails took, up to this.
const LONGEST_PATIENCE: Duration = Duration::from_secs(10);
const LAST_MAILS: usize = 8;

/// The least time that an attempt has in the lane, or at a stage at which the relay knows no recipient yet.
const LEAST_STAY: Duration = Duration::from_secs(5);
const LEAST_BEFORE_RECIPIENT: Duration = Duration::from_secs(30);

/// A slow mail's time in the lane while others wait for its place: this part of the mail's age, within bounds. Short,
/// since each mail that hangs keeps the others waiting for so long.
const STAY_PART_OF_AGE: u32 = 20;
const LONGEST_STAY: Duration = Duration::from_secs(30);

/// The least time that the relay has for its answer to the end of data, however many attempts hang there: ten times
/// the longest that it took over the last mails, within this.
const END_OF_DATA: (Duration, Duration) = (Duration::from_mins(1), Duration::from_mins(10));

/// The places for attempts that take long. Clones share them.
#[derive(Clone, Debug)]
pub struct SlowLane(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: usize,
    /// How many attempts may overstay at the end of data before one of them may be cut.
    at_end: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came.
    attempts: Vec<Entry>,
    /// Those that overstay at the end of data, outside the lane.
    at_end: Vec<Entry>,
    next: u64,
    /// The times of the last accepted mails.
    accepted: VecDeque<Timing>,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    entered: Instant,
    /// The time it has for sure.
    stay: Duration,
    step: Option<CurrentStep>,
    cut: Arc<Notify>,
}

impl SlowLane {
    /// The lane of a worker that has so many attempts in flight: a quarter of them, at least one. The only slot of a
    /// worker is no lane; an attempt that overstays there is cut when its time is over.
    #[must_use]
    pub fn of(slots: usize) -> Self {
        let places = if slots > 1 { (slots / 4).max(1) } else { 0 };
        Self(Arc::new(Inner {
            places,
            at_end: (slots / 2).max(1),
            state: Mutex::default(),
        }))
    }

    /// How many slow mails may be claimed now. None while so many hang at the end of data that these could come to
    /// fill all slots.
    #[must_use]
    pub fn free(&self) -> usize {
        let state = self.lock();
        if self.0.places > 0 && state.at_end.len() >= self.0.at_end {
            return 0;
        }
        self.0.places.saturating_sub(state.attempts.len())
    }

    /// Whether an attempt overstays.
    #[must_use]
    pub fn is_used(&self) -> bool {
        let state = self.lock();
        !(state.attempts.is_empty() && state.at_end.is_empty())
    }

    /// Cuts the oldest attempt that has had its time, because a slow mail waits for a place.
    pub fn make_room(&self) {
        let mut state = self.lock();
        if state.attempts.len() >= self.0.places && state.at_end.len() < self.0.at_end {
            state.cut_oldest();
        }
    }

    /// What an attempt at a mail of that lane and age may do. `None`: the mail is slow, and no place is free. One
    /// without an attempt has as long as in the main lane, for the sake of the others without one.
    #[must_use]
    pub fn stay(&self, lane: Lane, age: Duration) -> Option<Stay> {
        let slow = lane.is_slow();
        let longest = match lane {
            Lane::Main => LEAST_STAY,
            Lane::SlowFirst => self.lock().patience(),
            Lane::Slow => (age / STAY_PART_OF_AGE).clamp(LEAST_STAY, LONGEST_STAY),
        };
        let place = if slow && self.0.places > 0 {
            Some(self.enter(longest, None)?)
        } else {
            None
        };
        Some(Stay::new(self.clone(), slow, longest, place))
    }

    fn accepted(&self, timing: Timing) {
        let mut state = self.lock();
        state.accepted.truncate(LAST_MAILS - 1);
        state.accepted.push_front(timing);
    }

    /// Whether a stage takes too long for an attempt that has no place.
    fn is_too_long(&self, step: Step) -> bool {
        let lasts = step.lasts().filter(|lasts| *lasts >= PATIENCE);
        lasts.is_some_and(|lasts| lasts >= self.lock().patience())
    }

    fn enter(&self, stay: Duration, step: Option<CurrentStep>) -> Option<LanePlace> {
        let mut state = self.lock();
        if state.attempts.len() >= self.0.places && !state.cut_oldest() {
            return None;
        }
        let entry = state.entry(stay, step);
        let place = self.place(&entry);
        state.attempts.push(entry);
        Some(place)
    }

    /// A place outside the lane, for an attempt that overstays at the end of data. Not cut before `stay` is over.
    fn enter_at_end(&self, stay: Duration) -> LanePlace {
        let mut state = self.lock();
        let entry = state.entry(stay, None);
        let place = self.place(&entry);
        state.at_end.push(entry);
        place
    }

    fn place(&self, entry: &Entry) -> LanePlace {
        LanePlace {
            lane: self.clone(),
            id: entry.id,
            cut: Arc::clone(&entry.cut),
        }
    }

    /// Cuts the attempt that has hung at the end of data for longest, if too many do.
    fn cut_at_end(&self) {
        let (now, mut state) = (Instant::now(), self.lock());
        if state.at_end.len() <= self.0.at_end {
            return;
        }
        let least = state.end_of_data();
        let is_over = |entry: &Entry| {
            let stay = entry.stay.max(least);
            now.saturating_duration_since(entry.entered) >= stay
        };
        let over = (state.at_end.iter()).position(is_over);
        if let Some(n) = over {
            state.at_end.remove(n).cut.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn entry(&mut self, stay: Duration, step: Option<CurrentStep>) -> Entry {
        let id = self.next;
        self.next += 1;
        Entry {
            id,
            entered: Instant::now(),
            stay,
            step,
            cut: Arc::default(),
        }
    }

    /// Cuts the oldest attempt whose time is over; never one at the end of data. False: there is none. Its time begins
    /// with the stage: the relay took what went before, a late greeting say, without knowing the recipient.
    fn cut_oldest(&mut self) -> bool {
        let now = Instant::now();
        let is_over = |entry: &Entry| {
            let step = entry.step.as_ref().map(CurrentStep::get);
            let until = match step.and_then(|step| Some((step.stage, step.since?))) {
                Some((Stage::EndOfData, _)) => return false,
                Some((stage, since)) if stage < Stage::Rcpt => since + LEAST_BEFORE_RECIPIENT,
                Some((_, since)) => entry.entered.max(since) + entry.stay,
                None => entry.entered + entry.stay,
            };
            until <= now
        };
        let Some(oldest) = self.attempts.iter().position(is_over) else {
            return false;
        };
        self.attempts.remove(oldest).cut.notify_one();
        true
    }

    /// Where all mails take long, the relay is slow and not the recipient.
    fn patience(&self) -> Duration {
        let usual = self.accepted.iter().map(|timing| timing.slowest).min();
        usual.map_or(PATIENCE, |usual| {
            (usual * 2).clamp(PATIENCE, LONGEST_PATIENCE)
        })
    }

    fn end_of_data(&self) -> Duration {
        let (shortest, longest) = END_OF_DATA;
        let seen = self.accepted.iter().map(|timing| timing.end_of_data).max();
        seen.map_or(shortest, |seen| (seen * 10).clamp(shortest, longest))
    }
}

/// A place in the lane, given back when dropped.
struct LanePlace {
    lane: SlowLane,
    id: u64,
    cut: Arc<Notify>,
}

impl LanePlace {
    fn watches(&self, step: &CurrentStep) {
        let mut state = self.lane.lock();
        if let Some(entry) = state.attempts.iter_mut().find(|entry| entry.id == self.id) {
            entry.step = Some(step.clone());
        }
    }

    /// Leaves the lane for the places of those that overstay at the end of data. Not cut before `stay` is over.
    fn moves_to_end(&self, stay: Duration) {
        let mut state = self.lane.lock();
        let of_us = |entry: &Entry| entry.id == self.id;
        if let Some(n) = state.attempts.iter().position(of_us) {
            let entry = state.attempts.remove(n);
            let entered = Instant::now();
            state.at_end.push(Entry {
                entered,
                stay,
                ..entry
            });
        }
    }
}

impl Drop for LanePlace {
    fn drop(&mut self) {
        let mut state = self.lane.lock();
        state.attempts.retain(|entry| entry.id != self.id);
        state.at_end.retain(|entry| entry.id != self.id);
    }
}

#[cfg(test)]
mod tests;
