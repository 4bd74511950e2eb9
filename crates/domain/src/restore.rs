//! The last step of a restore from a backup: no number that was given since the backup is given a second time.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::id::UserId;
use crate::notes::numbers::Jump;
use crate::store::{StoreError, Tx, Write};

/// How many user ids are left out at least: more than the accounts that were made since the backup.
const LEAST_USER_IDS: i64 = 1_000_000;

/// 2026-01-01 00:00 UTC, in seconds. User ids go on at the seconds since then at least, so that two restores of one
/// backup don't give the same ones.
const USER_IDS_BEGAN: i64 = 1_767_225_600;

/// User ids stay below 2^31: clients keep them in 32 bits, and the rows of one user's notes lie together by them.
pub const MOST_USER_ID: i64 = (1 << 31) - 1;

/// Lets the numbers of changes, versions and users go on beyond what can have been given since the backup.
///
/// Safe at any time, also twice and where nothing was restored: all that is stored keeps its numbers.
#[derive(Debug)]
pub struct AfterRestore {
    /// When.
    pub now: Timestamp,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterRestored {
    /// How many users' notes go on under new numbers.
    pub users: u64,
    /// The id of the next user. None: there are too few left below [`MOST_USER_ID`] to leave some out.
    pub next_user: Option<UserId>,
}

#[async_trait]
impl Write for AfterRestore {
    type Out = AfterRestored;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<AfterRestored, StoreError> {
        let jump = Jump {
            user: None,
            to: self.now.as_microsecond(),
            alone: false,
            now: self.now,
        };
        let users = tx.jump_note_numbers(&jump).await?;
        let at_least = self.now.as_second().saturating_sub(USER_IDS_BEGAN).max(0);
        let next_user = tx
            .jump_user_ids(at_least, LEAST_USER_IDS, MOST_USER_ID)
            .await?;
        Ok(AfterRestored { users, next_user })
    }
}
