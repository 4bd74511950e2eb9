//! A fair queue: callers take turns, and the items of one caller keep their order.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use domain::store::Caller;

/// A queue for each caller that has items, served round robin.
pub(crate) struct FairQueue<T> {
    waiting: HashMap<Caller, VecDeque<T>>,
    /// The callers in `waiting`, in the order of their turns.
    order: VecDeque<Caller>,
    length: usize,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
            order: VecDeque::new(),
            length: 0,
        }
    }
}

impl<T> FairQueue<T> {
    /// The number of all items.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The number of callers that have items.
    pub(crate) fn callers(&self) -> usize {
        self.order.len()
    }

    /// The number of a caller's items.
    pub(crate) fn len_of(&self, caller: &Caller) -> usize {
        self.waiting.get(caller).map_or(0, VecDeque::len)
    }

    pub(crate) fn push(&mut self, caller: Caller, item: T) {
        self.length += 1;
        match self.waiting.entry(caller) {
            Entry::Occupied(mut queue) => queue.get_mut().push_back(item),
            Entry::Vacant(place) => {
                self.order.push_back(place.key().clone());
                place.insert(VecDeque::from([item]));
            }
        }
    }

    /// The oldest item of the next caller that `may` go.
    pub(crate) fn pop(&mut self, may: impl Fn(&Caller) -> bool) -> Option<T> {
        let next = self.order.iter().position(may)?;
        let caller = self.order.remove(next)?;
        let queue = self.waiting.get_mut(&caller)?;
        let item = queue.pop_front()?;
        self.length -= 1;
        if queue.is_empty() {
            self.waiting.remove(&caller);
        } else {
            self.order.push_back(caller);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use domain::id::UserId;

    use super::*;

    fn user(number: i64) -> Caller {
        Caller::User(UserId(number))
    }

    #[test]
    fn callers_take_turns_and_keep_their_own_order() {
        let mut queue = FairQueue::default();
        for (number, item) in [
            (1, "1a"),
            (1, "1b"),
            (1, "1c"),
            (2, "2a"),
            (3, "3a"),
            (2, "2b"),
        ] {
            queue.push(user(number), item);
        }

        let all: Vec<_> = std::iter::from_fn(|| queue.pop(|_| true)).collect();

        assert_eq!(all, ["1a", "2a", "3a", "1b", "2b", "1c"]);
    }

    #[test]
    fn one_that_may_not_go_is_passed_over_and_keeps_its_turn() {
        let mut queue = FairQueue::default();
        for (number, item) in [(1, "1a"), (2, "2a"), (2, "2b")] {
            queue.push(user(number), item);
        }

        let passed = queue.pop(|caller| *caller != user(1));
        let next = queue.pop(|_| true);

        assert_eq!((passed, next), (Some("2a"), Some("1a")));
    }

    #[test]
    fn nothing_is_kept_of_callers_that_wait_for_nothing() {
        let mut queue = FairQueue::default();
        for number in 0..100 {
            queue.push(user(number), ());
        }

        while queue.pop(|_| true).is_some() {}

        assert_eq!(
            (queue.len(), queue.waiting.len(), queue.order.len()),
            (0, 0, 0)
        );
    }
}
