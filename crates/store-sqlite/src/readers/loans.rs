//! Who has connections, and who may have one more.

use std::time::{Duration, Instant};

use domain::store::Caller;

use super::greedy::Greedy;

/// Connections that are lent, of so many.
pub(super) struct Loans {
    most: usize,
    /// To whom and since when, those that are being opened included.
    lent: Vec<(Caller, Instant)>,
    pub(super) greedy: Greedy,
}

impl Loans {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            lent: Vec::new(),
            greedy: Greedy::default(),
        }
    }

    pub(super) fn are_over(&self) -> bool {
        self.lent.is_empty()
    }

    pub(super) fn begin(&mut self, caller: Caller, now: Instant) {
        self.lent.push((caller, now));
    }

    /// Forgets the one that has begun last: its caller was not there any more.
    pub(super) fn undo(&mut self) {
        self.lent.pop();
    }

    /// The one that has begun then is over.
    pub(super) fn end(&mut self, caller: &Caller, since: Instant) {
        let is_it = |(whose, at): &(Caller, Instant)| whose == caller && *at == since;
        if let Some(place) = self.lent.iter().position(is_it) {
            self.lent.swap_remove(place);
        }
    }

    /// Whether a caller may have one more. Each leaves a quarter to others, or one; and so do all greedy callers
    /// together. The process itself asks for little.
    pub(super) fn may_have_one(&self, caller: &Caller, now: Instant) -> bool {
        if self.lent.len() >= self.most || *caller == Caller::Process {
            return self.lent.len() < self.most;
        }
        let share = self.most.saturating_sub((self.most / 4).max(1)).max(1);
        let of_greedy = || {
            let greedy = |(whose, _): &&(Caller, Instant)| self.is_greedy(whose, now);
            self.lent.iter().filter(greedy).count()
        };
        self.of(caller).count() < share && (!self.is_greedy(caller, now) || of_greedy() < share)
    }

    fn is_greedy(&self, caller: &Caller, now: Instant) -> bool {
        let held = |since: Instant| now.saturating_duration_since(since);
        let held: Duration = self.of(caller).map(held).sum();
        self.greedy.is(caller, held, now)
    }

    /// Since when a caller has each of its connections.
    fn of(&self, caller: &Caller) -> impl Iterator<Item = Instant> {
        let own = self.lent.iter().filter(move |(whose, _)| whose == caller);
        own.map(|(_, since)| *since)
    }
}
