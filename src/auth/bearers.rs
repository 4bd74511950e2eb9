//! A cache of recently seen tokens and their users, so that a request can be attributed to a user
//! before the database is read.
//!
//! The cache is a hint, not an authentication: each token is still looked up, or checked by the
//! statement that writes. Without it, users behind one address would queue behind each other until
//! their tokens are looked up. Kept in the memory of this process.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use domain::id::UserId;
use domain::token::SecretHash;

/// The size of one generation. At most two are kept, which take about 3 MiB.
const MOST: usize = 20_000;

/// The tokens that were valid when they were last seen.
#[derive(Default)]
pub struct Bearers(RwLock<Generations>);

/// Two generations of tokens. When the younger is full, the older is dropped.
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

    /// The user of a token, if it was seen.
    #[must_use]
    pub fn user_of(&self, token: &SecretHash) -> Option<UserId> {
        let generations = self.read();
        let found = generations.younger.get(token);
        found.or_else(|| generations.older.get(token)).copied()
    }

    /// Remembers a valid token.
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

    /// Removes an invalid token.
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
