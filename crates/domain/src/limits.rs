//! Durable rate limits: counted in the same transaction as the work that they protect, so that they
//! survive restarts and are shared by every process.
//!
//! A limit is a sliding window over allowed uses: a refusal is not counted and does not extend the
//! window. Codes and registrations are counted the same for known and unknown addresses.

mod budgets;
mod guesses;
mod logins;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

pub use self::budgets::mailbox_counters;
pub(crate) use self::budgets::{Charge, charge, reached, refused};
pub(crate) use self::guesses::{
    code_form, guessed_at, guessed_nothing, guessed_right, guessed_wrong, guesses_refused,
    held_form, held_guess, may_guess,
};
pub use self::logins::{Admission, CountedTry};
pub(crate) use self::logins::{PasswordTries, forget_pauses};
use crate::audit::{Actor, Entry, Event};
use crate::clock::AHEAD;
use crate::email::EmailKey;
use crate::store::{Reader, StoreError, Tx, Write};

/// A number of uses in a time window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number of allowed uses.
    pub most: u32,
    /// The length of the window.
    pub window: Duration,
}

impl Rate {
    /// This number per minute.
    #[must_use]
    pub const fn a_minute(most: u32) -> Self {
        Self {
            most,
            window: Duration::from_mins(1),
        }
    }

    /// This number per hour.
    #[must_use]
    pub const fn an_hour(most: u32) -> Self {
        Self {
            most,
            window: Duration::from_hours(1),
        }
    }
}

/// The longest window of a limit. What was counted is kept for longer than this.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(24);

/// All limits. A policy without them has all limits disabled.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Mails with codes to one mailbox, whatever the spelling, in a minute.
    pub code_mails_a_minute: Rate,
    /// The same in an hour; one client may use at most half of it.
    pub code_mails_an_hour: Rate,
    /// Codes that one client, or one user, may ask for; shared by all routes that ask for one.
    pub code_requests: Rate,
    /// Registrations of one client.
    pub registrations: Rate,
    /// Wrong codes of one client, whomever they are for.
    pub wrong_codes: Rate,
    /// Refused logins of one client, whomever they are for.
    pub client_logins: Rate,
    /// Refused logins of one account from clients it does not know.
    pub account_logins: Rate,
    /// Refused logins of one account from one client, after which each costs twice the pause of the one before.
    pub free_logins: u32,
}

/// The key of a counter: the limit, and a digest of the subject, so that the table contains neither
/// addresses nor clients.
fn key_of(limit: &str, whom: impl fmt::Display) -> String {
    let digest = Sha256::digest(whom.to_string().as_bytes());
    format!("{limit}:{}", hex::encode(&digest[..12]))
}

/// One counted use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// When.
    pub at: Timestamp,
    /// Whether its outcome is still open, so that it may be taken back.
    pub in_flight: bool,
}

/// When something was counted under a key in the window that ends now, the oldest first.
pub(crate) async fn counted(
    reader: &mut dyn Reader,
    key: &str,
    window: Duration,
    now: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    let hits = hits(reader, key, window, now).await?;
    Ok(hits.into_iter().map(|hit| hit.at).collect())
}

/// The same with what is in flight. What is dated in the future does not count: else a clock that was once ahead would
/// close limits until that time comes.
async fn hits(
    reader: &mut dyn Reader,
    key: &str,
    window: Duration,
    now: Timestamp,
) -> Result<Vec<Hit>, StoreError> {
    debug_assert!(
        window <= LONGEST_WINDOW,
        "what is counted is not kept for {window:?}"
    );
    reader.hits(key, now - window, now + AHEAD).await
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the limit: a stable word, also in the audit log and in responses.
    pub limit: &'static str,
    /// The rate of the limit.
    pub rate: Rate,
    /// When the next use will be allowed.
    pub retry_at: Timestamp,
}

impl Refusal {
    /// What the grants of a window mean for one more; `None` if it has room. Nobody waits longer than a window: what
    /// was counted while this request waited for its turn may bear a later time than `now`.
    fn over(
        limit: &'static str,
        rate: Rate,
        granted: &[Timestamp],
        now: Timestamp,
    ) -> Option<Self> {
        let over = granted.len().checked_sub(rate.most as usize)?;
        let frees = granted.get(over)?.min(&now);
        Some(Self {
            limit,
            rate,
            retry_at: *frees + rate.window,
        })
    }
}

/// The decision of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The use is allowed, and was counted.
    Allowed,
    /// The limit is reached. Nothing was counted.
    Limited(Refusal),
}

/// The refusal with the longest wait.
pub(crate) fn longest(refusals: impl IntoIterator<Item = Refusal>) -> Option<Refusal> {
    refusals.into_iter().max_by_key(|refusal| refusal.retry_at)
}

/// A reached limit is recorded once a minute for each client, so that a flood fills no table. `email`: whom it kept
/// from a mail.
pub(crate) async fn note_refusal(
    tx: &mut dyn Tx,
    actor: &Actor,
    email: Option<&EmailKey>,
    limits: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = key_of("noted", &actor.client);
    let minute = Rate::a_minute(1);
    if counted(tx, &key, minute.window, now).await?.is_empty() {
        tx.hit(&key, now).await?;
        let entry = Entry::new(Event::Limited, actor, now).detail(limits);
        tx.record(&Entry { email, ..entry }).await?;
    }
    Ok(())
}

/// Records a refusal that was found before anything was counted, as the use case would have recorded it.
#[derive(Debug)]
pub struct RecordRefusal {
    /// Who was refused.
    pub actor: Actor,
    /// Whom it kept from a mail.
    pub email: Option<EmailKey>,
    /// The limit that was reached.
    pub limit: &'static str,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl Write for RecordRefusal {
    type Out = ();

    async fn apply(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        note_refusal(tx, &self.actor, self.email.as_ref(), self.limit, self.now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two processes count in one ledger, each at the time its request came.
    #[test]
    fn nobody_waits_longer_than_a_window_for_what_was_counted_meanwhile() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let twice = Rate::a_minute(2);

        let refusal = Refusal::over("x", twice, &[second(2), second(3)], second(1));

        let waits_until = refusal.map(|refusal| refusal.retry_at);
        assert_eq!(waits_until, Some(second(61)));
    }
}
