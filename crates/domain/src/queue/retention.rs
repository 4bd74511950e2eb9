//! How long rows are kept that have ended, and their removal a few at a time.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::clock::{self, AHEAD};
use crate::limits::LONGEST_WINDOW;
use crate::store::{StoreError, Tx, Write};

/// How long what counts against a limit is kept: a count matters for as long as its window, and a clock may be off.
const COUNTS: Duration = LONGEST_WINDOW.saturating_add(Duration::from_hours(1));

/// How long the body of a payment service's event is kept that belongs to no account: it may name a person.
const PAYMENT_BODIES: Duration = Duration::from_hours(24 * 30);

/// How long a streak of wrong guesses is kept after the last one.
const STREAKS: Duration = Duration::from_hours(24 * 365);

/// How long a client is known from which a user has logged in.
const KNOWN_CLIENTS: Duration = Duration::from_hours(24 * 180);

/// How long rows are kept, as far as the settings say.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Pending registrations, challenges and sessions that have ended.
    pub ended: Duration,
    /// Mails that are final, with their jobs and attempts.
    pub mails: Duration,
    /// The record of security events.
    pub audit: Duration,
    /// A session that is not used for so long has ended.
    pub session_idle: Duration,
    /// Notes in the trash.
    pub trash: Duration,
    /// That a note was deleted, for devices that still have it.
    pub tombstones: Duration,
}

/// Rows that ended before these times are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cutoffs {
    /// Now: sessions, suppressions and codes of addresses without an account that end by now.
    pub now: Timestamp,
    /// When a pending registration or a challenge expired.
    pub ended: Timestamp,
    /// When a session was last used.
    pub session_used: Timestamp,
    /// When a mail was finished.
    pub mails: Timestamp,
    /// When a security event happened.
    pub audit: Timestamp,
    /// When a note was put into the trash.
    pub trash: Timestamp,
    /// When a note was deleted.
    pub tombstones: Timestamp,
    /// When something was counted against a limit.
    pub counts: Timestamp,
    /// When a wrong guess was made.
    pub streaks: Timestamp,
    /// When a known client was last seen.
    pub known_clients: Timestamp,
    /// When a payment service's event came that belongs to no account.
    pub payment_bodies: Timestamp,
}

impl Retention {
    /// The times before which rows are removed.
    #[must_use]
    pub fn cutoffs(&self, now: Timestamp) -> Cutoffs {
        Cutoffs {
            now,
            ended: now - self.ended,
            session_used: now - self.session_idle,
            mails: now - self.mails,
            audit: now - self.audit,
            trash: now - self.trash,
            tombstones: now - self.tombstones,
            counts: now - COUNTS,
            streaks: now - STREAKS,
            known_clients: now - KNOWN_CLIENTS,
            payment_bodies: now - PAYMENT_BODIES,
        }
    }
}

/// Removes some of the rows that are kept no longer, and sets right rows that are dated in the future. Called again until
/// it has nothing to do.
#[derive(Debug)]
pub struct Purge {
    /// How long rows are kept.
    pub retention: Retention,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl Write for Purge {
    /// How many rows were removed or set right.
    type Out = u64;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        let mut rows = 0;
        // While the clock shows an impossible time everything seems to lie in the future.
        if clock::is_possible(self.now) {
            rows += tx.redate_rows(self.now + AHEAD, self.now).await?;
        }
        rows += tx.purge(&self.retention.cutoffs(self.now)).await?;
        // Mails that an operator's command did not come to, which ended a pause.
        rows += tx.release_held().await?;
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_row_is_kept_for_its_own_time() {
        let hours = Duration::from_hours;
        let retention = Retention {
            ended: hours(1),
            mails: hours(2),
            audit: hours(3),
            session_idle: hours(4),
            trash: hours(5),
            tombstones: hours(6),
        };
        let now = Timestamp::from_second(1_800_000_000).unwrap();

        let cutoffs = retention.cutoffs(now);

        for (cutoff, kept) in [
            (cutoffs.ended, 1),
            (cutoffs.mails, 2),
            (cutoffs.audit, 3),
            (cutoffs.session_used, 4),
            (cutoffs.trash, 5),
            (cutoffs.tombstones, 6),
            (cutoffs.counts, 25),
            (cutoffs.payment_bodies, 30 * 24),
            (cutoffs.known_clients, 180 * 24),
            (cutoffs.streaks, 365 * 24),
        ] {
            assert_eq!(cutoff, now - hours(kept));
        }
    }
}
