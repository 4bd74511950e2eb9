//! Limits that hold: one durable ledger, counted in the same transaction as what it protects, so
//! that they survive restarts and are shared by every process.
//!
//! A limit is a sliding window over what was granted: a refusal costs nothing and can't push the
//! window on. Codes and registrations are counted alike for known and unknown addresses.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::audit::{Actor, Entry, Event};
use crate::client::ClientKey;
use crate::email::{EmailAddress, EmailKey};
use crate::id::UserId;
use crate::otp::{CodeForm, Purpose};
use crate::store::{StoreError, Tx};

/// So many in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many are granted.
    pub most: u32,
    /// In which time.
    pub window: Duration,
}

impl Rate {
    /// So many a minute.
    #[must_use]
    pub const fn a_minute(most: u32) -> Self {
        Self {
            most,
            window: Duration::from_mins(1),
        }
    }

    /// So many an hour.
    #[must_use]
    pub const fn an_hour(most: u32) -> Self {
        Self {
            most,
            window: Duration::from_hours(1),
        }
    }
}

/// Every limit. Where a policy holds `None` of these, all are lifted.
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

/// The longest pause between two logins of one account from one client.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// For how long refused logins of one account from one client are remembered.
const LOGIN_MEMORY: Duration = Duration::from_mins(15);

/// What something is counted under: the limit, and a digest of whom it is counted for, so that the
/// ledger names neither addresses nor clients.
fn key_of(limit: &str, whom: impl fmt::Display) -> String {
    let digest = Sha256::digest(whom.to_string().as_bytes());
    format!("{limit}:{}", hex::encode(&digest[..12]))
}

/// One thing to count: a limit and whom it is counted for.
#[derive(Debug)]
pub(crate) struct Spend {
    limit: &'static str,
    key: String,
    rate: Rate,
}

impl Spend {
    fn new(limit: &'static str, whom: impl fmt::Display, rate: Rate) -> Self {
        let key = key_of(limit, whom);
        Self { limit, key, rate }
    }
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Which: a stable word, also of the record and of what clients are told.
    pub limit: &'static str,
    /// How much it grants.
    pub rate: Rate,
    /// When it will grant again.
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

/// Whether a limit lets something pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It does, and it was counted.
    Granted,
    /// It does not. Nothing was counted.
    Refused(Refusal),
}

/// Counts all of them, or none if one is exhausted.
pub(crate) async fn spend(
    tx: &mut dyn Tx,
    actor: &Actor,
    spends: &[Spend],
    now: Timestamp,
) -> Result<Passage, StoreError> {
    let mut refusals = Vec::new();
    for spend in spends {
        let hits = tx.hits(&spend.key, now - spend.rate.window).await?;
        refusals.extend(Refusal::over(spend.limit, spend.rate, &hits, now));
    }
    if let Some(refusal) = longest(refusals) {
        let names: Vec<&str> = spends.iter().map(|spend| spend.limit).collect();
        note_refusal(tx, actor, &names.join(" "), now).await?;
        return Ok(Passage::Refused(refusal));
    }
    for spend in spends {
        tx.hit(&spend.key, now).await?;
    }
    Ok(Passage::Granted)
}

/// The refusal that lasts longest.
fn longest(refusals: impl IntoIterator<Item = Refusal>) -> Option<Refusal> {
    refusals.into_iter().max_by_key(|refusal| refusal.retry_at)
}

/// A reached limit is recorded once a minute for each client, so that a flood fills no table.
pub(crate) async fn note_refusal(
    tx: &mut dyn Tx,
    actor: &Actor,
    limits: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = key_of("noted", &actor.client);
    let minute = Rate::a_minute(1);
    if tx.hits(&key, now - minute.window).await?.is_empty() {
        tx.hit(&key, now).await?;
        tx.record(&Entry::new(Event::Limited, actor, now).detail(limits))
            .await?;
    }
    Ok(())
}

impl Limits {
    /// Mails with codes to a mailbox that a client causes.
    fn mails(&self, email: &EmailAddress, client: &ClientKey) -> [Spend; 3] {
        let mailbox = email.mailbox_key();
        let hour = self.code_mails_an_hour;
        [
            Spend::new("mails-minute", &mailbox, self.code_mails_a_minute),
            Spend::new("mails-hour", &mailbox, hour),
            Spend::new(
                "mails-client",
                format_args!("{client}:{mailbox}"),
                Rate {
                    most: hour.most.div_ceil(2),
                    ..hour
                },
            ),
        ]
    }

    /// Somebody asks for a code: counted for the user if it is one, else for the client.
    pub(crate) fn code_request(
        &self,
        email: &EmailAddress,
        client: &ClientKey,
        user: Option<UserId>,
    ) -> Vec<Spend> {
        let whom = user.map_or_else(|| format!("client:{client}"), |user| format!("user:{user}"));
        let mut spends = Vec::from(self.mails(email, client));
        spends.push(Spend::new("code-requests", whom, self.code_requests));
        spends
    }

    /// Somebody registers.
    pub(crate) fn registration(&self, email: &EmailAddress, client: &ClientKey) -> Vec<Spend> {
        let mut spends = Vec::from(self.mails(email, client));
        spends.push(Spend::new("registrations", client, self.registrations));
        spends
    }

    fn wrong_codes(&self, client: &ClientKey) -> Spend {
        Spend::new("wrong-codes", client, self.wrong_codes)
    }
}

/// Whether a client may present a code: looked at before it is compared.
pub(crate) async fn may_guess(
    tx: &mut dyn Tx,
    limits: Option<&Limits>,
    actor: &Actor,
    now: Timestamp,
) -> Result<Passage, StoreError> {
    let Some(limits) = limits else {
        return Ok(Passage::Granted);
    };
    let spend = limits.wrong_codes(&actor.client);
    let hits = tx.hits(&spend.key, now - spend.rate.window).await?;
    let Some(refusal) = Refusal::over(spend.limit, spend.rate, &hits, now) else {
        return Ok(Passage::Granted);
    };
    note_refusal(tx, actor, spend.limit, now).await?;
    Ok(Passage::Refused(refusal))
}

/// A code was wrong.
pub(crate) async fn guessed_wrong(
    tx: &mut dyn Tx,
    limits: Option<&Limits>,
    actor: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    match limits {
        Some(limits) => tx.hit(&limits.wrong_codes(&actor.client).key, now).await,
        None => Ok(()),
    }
}

/// Refused logins of one account from one client.
const PAIR: &str = "login-pair";

/// Refused logins of one client.
const CLIENT: &str = "login-client";

/// Refused logins of one account.
const ACCOUNT: &str = "login-account";

/// After so many wrong guesses at an address's codes in a day, short codes stop for it: a million
/// possibilities are then too few, however few guesses each code allows.
const GUESSES_A_DAY: usize = 50;
const A_DAY: Duration = Duration::from_hours(24);

/// And after so many in a row, however slowly they came (NIST SP 800-63B-4 §3.2.2).
const GUESSES_IN_A_ROW: u32 = 100;

fn guesses(email: &EmailKey, purpose: Purpose) -> String {
    key_of(
        "guesses",
        format_args!("{}:{}", purpose.as_str(), email.as_str()),
    )
}

/// A code of that address and purpose was guessed wrong. Counted even where limits are lifted.
pub(crate) async fn guessed_at(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = guesses(email, purpose);
    tx.lengthen_run(&key, now).await?;
    tx.hit(&key, now).await
}

/// A code of that address and purpose was right, or all of the address is forgotten: wrong guesses are no longer
/// in a row with those to come. What the day has seen stays.
pub(crate) async fn guessed_right(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
) -> Result<(), StoreError> {
    tx.end_run(&guesses(email, purpose)).await
}

/// The form that codes of that address and purpose must have now.
pub(crate) async fn code_form(
    tx: &mut dyn Tx,
    email: &EmailKey,
    purpose: Purpose,
    now: Timestamp,
) -> Result<CodeForm, StoreError> {
    let key = guesses(email, purpose);
    let today = tx.hits(&key, now - A_DAY).await?;
    let many = today.len() >= GUESSES_A_DAY || tx.run_length(&key).await? >= GUESSES_IN_A_ROW;
    Ok(if many {
        CodeForm::Long
    } else {
        CodeForm::Short
    })
}

/// The counters of refused logins for one account and client.
#[derive(Debug)]
pub(crate) struct LoginCounters {
    pair: String,
    client: String,
    account: String,
}

impl LoginCounters {
    /// `account`: the login as it compares, so that a name nobody has is counted alike.
    pub(crate) fn new(account: &str, client: &ClientKey) -> Self {
        Self {
            pair: key_of(PAIR, format_args!("{client}:{account}")),
            client: key_of(CLIENT, client),
            account: key_of(ACCOUNT, account),
        }
    }

    /// Whether a login may be tried. Counts it as refused; [`LoginCounters::succeeded`] takes that back.
    /// A client that the account knows is not slowed down by what others do.
    pub(crate) async fn attempt(
        &self,
        tx: &mut dyn Tx,
        limits: &Limits,
        actor: &Actor,
        known: bool,
        now: Timestamp,
    ) -> Result<Passage, StoreError> {
        let pair = tx.hits(&self.pair, now - LOGIN_MEMORY).await?;
        let pause = pause_after(pair.len(), limits.free_logins);
        let mut refusals: Vec<Refusal> = pause
            .zip(pair.last())
            .map(|(pause, last)| Refusal {
                limit: PAIR,
                rate: Rate {
                    most: limits.free_logins,
                    window: LOGIN_MEMORY,
                },
                retry_at: *last.min(&now) + pause,
            })
            .into_iter()
            .collect();
        let client = (CLIENT, &self.client, limits.client_logins);
        let account = (ACCOUNT, &self.account, limits.account_logins);
        for (limit, key, rate) in [Some(client), (!known).then_some(account)]
            .into_iter()
            .flatten()
        {
            let hits = tx.hits(key, now - rate.window).await?;
            refusals.extend(Refusal::over(limit, rate, &hits, now));
        }
        if let Some(refusal) = longest(refusals).filter(|refusal| refusal.retry_at > now) {
            note_refusal(tx, actor, refusal.limit, now).await?;
            return Ok(Passage::Refused(refusal));
        }
        for key in [&self.pair, &self.client, &self.account] {
            tx.hit(key, now).await?;
        }
        Ok(Passage::Granted)
    }

    /// The login was right: it does not count, and the slate of this account and client is clean.
    pub(crate) async fn succeeded(
        &self,
        tx: &mut dyn Tx,
        counted_at: Timestamp,
    ) -> Result<(), StoreError> {
        tx.forget_hits(&self.pair, None).await?;
        for key in [&self.client, &self.account] {
            tx.forget_hits(key, Some(counted_at)).await?;
        }
        Ok(())
    }
}

/// The pause after so many refused logins: none for the first, then 1, 2, 4 … seconds.
fn pause_after(refused: usize, free: u32) -> Option<Duration> {
    let over = refused.checked_sub(free as usize)?;
    let seconds = 1_u64
        .checked_shl(u32::try_from(over).ok()?)
        .unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
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

    #[test]
    fn pauses_between_logins_double_and_stop_at_a_minute() {
        let pauses: Vec<_> = [0, 4, 5, 6, 7, 10, 11, 500]
            .map(|refused| pause_after(refused, 5).map(|pause| pause.as_secs()))
            .into();

        assert_eq!(
            pauses,
            [
                None,
                None,
                Some(1),
                Some(2),
                Some(4),
                Some(32),
                Some(60),
                Some(60)
            ]
        );
    }
}
