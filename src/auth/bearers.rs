//! Whose tokens have been seen: by whom work is waited for is known then before the database is asked.
//!
//! A hint and no proof: each token is looked up, or checked by the statement that it writes with. Without it, users
//! behind one address would wait for each other until their tokens have been looked up. Kept in the memory of this
//! process.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use domain::id::UserId;
use domain::token::SecretHash;

/// Tokens of one generation; of two at most are kept, which take some 3 MiB.
const MOST: usize = 20_000;

/// The tokens that were good when they were last seen.
#[derive(Default)]
pub struct Bearers(RwLock<Generations>);

/// When the younger generation is full, the older one is forgotten.
#[derive(Default)]
struct Generations {
    younger: HashMap<SecretHash, UserId>,
    older: HashMap<SecretHash, UserId>,
}

impl Bearers {
    fn read(&self) -> RwLockReadGuard<'_, Generations> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Generations> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose a token was, if it has been seen.
    #[must_use]
    pub fn user_of(&self, token: &SecretHash) -> Option<UserId> {
        let generations = self.read();
        let found = generations.younger.get(token);
        found.or_else(|| generations.older.get(token)).copied()
    }

    /// A token is good.
    pub fn remember(&self, token: SecretHash, user: UserId) {
        if self.read().younger.contains_key(&token) {
            return;
        }
        let mut generations = self.write();
        if generations.younger.len() >= MOST {
            generations.older = std::mem::take(&mut generations.younger);
        }
        generations.younger.insert(token, user);
    }

    /// A token is not good any more.
    pub fn forget(&self, token: &SecretHash) {
        if self.user_of(token).is_some() {
            let mut generations = self.write();
            generations.younger.remove(token);
            generations.older.remove(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: usize) -> SecretHash {
        SecretHash::of(&number.to_string())
    }

    #[test]
    fn tokens_are_known_until_they_are_forgotten() {
        let bearers = Bearers::default();
        bearers.remember(token(1), UserId(7));

        let known = bearers.user_of(&token(1));
        bearers.forget(&token(1));

        assert_eq!(known, Some(UserId(7)));
        assert_eq!(bearers.user_of(&token(1)), None);
    }

    #[test]
    fn the_oldest_are_forgotten_where_there_are_too_many() {
        let bearers = Bearers::default();

        for number in 0..=2 * MOST {
            bearers.remember(token(number), UserId(7));
        }

        assert_eq!(bearers.user_of(&token(0)), None);
        assert_eq!(bearers.user_of(&token(2 * MOST)), Some(UserId(7)));
        let kept = bearers.read().younger.len() + bearers.read().older.len();
        assert_eq!(kept, MOST + 1);
    }
}
