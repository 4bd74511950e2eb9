//! The dummy hashes for unknown logins, kept in proportion to the users' hashes.
//!
//! The rule is `domain::accounts::dummy`'s; this reads the proportion of imported hashes at the
//! first login and then at most once a minute. Every login calls it, so that its time reveals
//! nothing.

use std::time::Duration;

use domain::accounts::dummy::{Dummies, HashKinds};
use domain::accounts::login::Login;
use domain::password::PasswordHash;
use domain::store::{Store, StoreError};
use jiff::Timestamp;
use tokio::sync::Mutex;

/// The maximum age of the proportion.
const REFRESH: Duration = Duration::from_mins(1);

/// Dummies in the proportion of the users' hashes.
pub struct CurrentDummies {
    dummies: Dummies,
    kinds: Mutex<Option<(Timestamp, HashKinds)>>,
}

impl CurrentDummies {
    /// Dummies with an unknown proportion.
    #[must_use]
    pub fn new(dummies: Dummies) -> Self {
        Self {
            dummies,
            kinds: Mutex::default(),
        }
    }

    /// The hashes to check a login's password against: its own, or a dummy.
    pub async fn hashes_to_check(
        &self,
        login: &Login,
        store: &Store,
        now: Timestamp,
    ) -> Result<Vec<PasswordHash>, StoreError> {
        let mut kinds = self.kinds.lock().await;
        let fresh = kinds
            .take()
            .filter(|(read, _)| now.duration_since(*read).unsigned_abs() < REFRESH);
        let (read, current) = match fresh {
            Some(fresh) => fresh,
            None => (now, store.reader().await?.hash_kinds().await?),
        };
        let hashes = login.hashes_to_check(&self.dummies, &current);
        *kinds = Some((read, current));
        Ok(hashes)
    }
}
