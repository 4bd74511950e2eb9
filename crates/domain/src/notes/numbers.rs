//! The numbers of changes and versions after a restore from a backup.
//!
//! A backup that is put back puts these numbers back, too, but no device: what was given to devices since the backup
//! would be given a second time, to other changes and other texts. So after a restore the next numbers jump beyond all
//! that can have been given. Those that the jump leaves out are of the lost changes: a cursor among them is refused,
//! and an edit of such a version is a conflict. What is stored keeps its version.
//!
//! The jump goes to the current time in microseconds. One microsecond makes fewer than one change, so what was given
//! before, in any future that was lost, lies below; and until the year 2112 the numbers stay below 2^52, whatever
//! clients send.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::clock;
use crate::id::UserId;
use crate::store::{StoreError, Tx, Write};

/// How far a jump goes at least: where the clock is behind, or was.
pub const LEAST: i64 = 1 << 20;

/// No jump goes further: what follows it stays below 2^53, which is as far as numbers in JSON are exact in every
/// client (RFC 8259, section 6).
pub const MOST: i64 = (1 << 53) - (1 << 40);

/// How far the clock that a lost number goes back to may have been ahead of this one, in microseconds: a day.
const SKEW: i64 = 86_400_000_000;

/// How long after a jump a device can't bring about another one. A database is not restored more often.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// The numbers that were given to changes and versions of a user's notes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// The newest change.
    pub newest: i64,
    /// The newest change before the last jump.
    pub jumped_from: i64,
    /// The number to which the last jump went; 0 if there was none. What follows is above it.
    pub jumped_to: i64,
    /// When that was.
    pub jumped_at: Option<Timestamp>,
}

impl Numbers {
    /// Whether a reader can have come to this change: not if the jump left it out, nor if there is none yet.
    #[must_use]
    pub fn include(&self, change: i64) -> bool {
        let was_left_out = self.jumped_from < change && change < self.jumped_to;
        change <= self.newest && !was_left_out
    }

    /// Whether a number that is ahead of the database shows that this was restored from a backup, and since the last
    /// jump: not one that can't have been given by now.
    fn show_a_restore(&self, number: i64, now: Timestamp) -> bool {
        let jumped_just_now = self.jumped_at.is_some_and(|at| {
            let since = now.duration_since(at);
            !since.is_negative() && since < PAUSE
        });
        may_have_been_given(number, now) && number > self.jumped_to && !jumped_just_now
    }
}

/// Whether a number can have been given until now, here or in a future that was lost.
#[must_use]
pub fn may_have_been_given(number: i64, now: Timestamp) -> bool {
    clock::is_possible(now) && number <= now.as_microsecond().saturating_add(SKEW)
}

/// How numbers jump.
#[derive(Debug, Clone, Copy)]
pub struct Jump {
    /// The user whose numbers jump; `None`: those of all users.
    pub user: Option<UserId>,
    /// They go to this number, and [`LEAST`] further at least.
    pub to: i64,
    /// Whether a device has shown that the database was restored, rather than the operator said so.
    pub alone: bool,
    /// The time of the jump.
    pub now: Timestamp,
}

/// Lets a user's numbers jump whose device has a number that is ahead of the database: it was restored from a backup.
/// Says whether they did: not again for the same number, nor for one that can't have been given.
#[derive(Debug)]
pub struct JumpAhead {
    /// The user.
    pub user: UserId,
    /// The number that the device has.
    pub number: i64,
    /// Whether that shows a restore beyond doubt, so that the operator is told.
    pub certain: bool,
    /// The time of the jump.
    pub now: Timestamp,
}

#[async_trait]
impl Write for JumpAhead {
    type Out = bool;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let Some(numbers) = tx.note_numbers(self.user).await? else {
            return Ok(false);
        };
        if !numbers.show_a_restore(self.number, self.now) {
            return Ok(false);
        }
        let beyond = self.number.saturating_add(LEAST);
        let jump = Jump {
            user: Some(self.user),
            to: beyond.max(self.now.as_microsecond()),
            alone: self.certain,
            now: self.now,
        };
        Ok(tx.jump_note_numbers(&jump).await? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_a_jump_left_out_are_of_no_change() {
        let numbers = Numbers {
            newest: 103,
            jumped_from: 7,
            jumped_to: 100,
            jumped_at: None,
        };

        let included = (0..=110).filter(|change| numbers.include(*change));
        let expected = (0..=7).chain(100..=103);
        assert!(included.eq(expected));
        assert!(!Numbers::default().include(1));
    }

    #[test]
    fn a_number_shows_a_restore_if_it_can_have_been_given_since_the_last_jump() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let micros = now.as_microsecond();
        let jumped = |seconds| Numbers {
            newest: 1005,
            jumped_from: 5,
            jumped_to: 1000,
            jumped_at: Some(now - SignedDuration::from_secs(seconds)),
        };

        assert!(Numbers::default().show_a_restore(1, now));
        assert!(Numbers::default().show_a_restore(micros + SKEW, now));
        assert!(!Numbers::default().show_a_restore(micros + SKEW + 1, now));
        assert!(!Numbers::default().show_a_restore(1 << 53, now));
        assert!(!Numbers::default().show_a_restore(1, Timestamp::UNIX_EPOCH));
        assert!(jumped(60).show_a_restore(1001, now));
        assert!(!jumped(60).show_a_restore(1000, now));
        assert!(!jumped(59).show_a_restore(1001, now));
        assert!(
            jumped(-5).show_a_restore(1001, now),
            "the clock was set back"
        );
    }
}
