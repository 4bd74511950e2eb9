//! Limits of wrong passwords: for one account, from one client, and from one client for one
//! account.
//!
//! A login is counted before its password is checked, and is in flight until then. A login that is
//! refused only because of others in flight may wait for their outcome, so that correct passwords
//! given at the same time are not refused.

use std::time::Duration;

use jiff::Timestamp;

use super::{Charge, Hit, Limits, Rate, Refusal, hits, longest, note_refusal};
use crate::audit::Actor;
use crate::client::ClientKey;
use crate::id::UserId;
use crate::store::{StoreError, Tx};

/// The longest pause between two logins of one account from one client.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// For how long refused logins of one account from one client are remembered. Pauses grow with a burst: one wrong
/// password a minute, which may be a neighbour's behind the same address, causes pauses of a second. Without a break some
/// two a minute are possible (OWASP ASVS 5.0 6.3.1). That is more than 100 in a row (NIST SP 800-63B-4 §3.2.2), but only
/// from addresses from which the account has been logged in to; from others, [`ACCOUNT`] holds.
const LOGIN_MEMORY: Duration = Duration::from_mins(5);

/// A password whose check takes longer than this is not checked any more: the process was killed, or the client has gone.
const IN_FLIGHT: Duration = Duration::from_secs(30);

/// Refused logins of one account from one client.
const PAIR: &str = "login-pair";

/// Refused logins of one client.
const CLIENT: &str = "login-client";

/// Refused logins of one account.
const ACCOUNT: &str = "login-account";

/// Wrong passwords that one user who is logged in was asked for again, from one client.
const USER_PAIR: &str = "user-passwords-client";

/// The same from all clients.
const USER: &str = "user-passwords";

/// What a try at a password is counted under.
#[derive(Debug)]
pub(crate) struct PasswordTries {
    /// For one account and client: what pauses follow from.
    pair: Charge,
    free: u32,
    others: Vec<Counter>,
}

/// What else a try is counted under.
#[derive(Debug)]
struct Counter {
    charge: Charge,
    /// Whether it refuses: nothing that others do refuses a client that the account knows.
    refuses: bool,
}

/// The decision whether a password may be checked.
#[derive(Debug)]
pub enum Admission<T> {
    /// The check is allowed, and was counted.
    Granted(T),
    /// Not while others of the same account or client are being checked: ask again. Nothing was counted.
    InFlight,
    /// Not before then. Nothing was counted.
    Refused(Refusal),
}

/// A try at a password that was counted as wrong before the password was checked.
#[derive(Debug, Clone)]
pub struct CountedTry {
    pair: String,
    others: Vec<String>,
    at: Timestamp,
}

impl PasswordTries {
    /// A login. `account`: what was typed, in the form that compares. `known`: whether its account knows the client.
    ///
    /// An account is typed in two ways, by its name and by its address. Each has half of what the account may be refused,
    /// so that both together have no more: if one were refused for what the other did, that would tell which address
    /// belongs to a name (OWASP ASVS 5.0 6.3.8).
    pub(crate) fn at_login(
        limits: &Limits,
        account: &str,
        client: &ClientKey,
        known: bool,
    ) -> Self {
        let of_account = Rate {
            most: (limits.account_logins.most / 2).max(1),
            ..limits.account_logins
        };
        let others = [
            Charge::new(CLIENT, client, limits.client_logins),
            Charge::new(ACCOUNT, account, of_account),
        ];
        Self::new(
            limits,
            pause_at_login(limits.free_logins, account, client),
            others,
            known,
        )
    }

    /// A user who is logged in gives the password again. Counted for the user alone: nothing that is done without the
    /// user's tokens refuses it.
    pub(crate) fn of_user(limits: &Limits, user: UserId, client: &ClientKey, known: bool) -> Self {
        let pair = format!("{client}:{user}");
        let pair = Charge::new(USER_PAIR, pair, pauses(limits.free_logins));
        let others = [Charge::new(USER, user, limits.account_logins)];
        Self::new(limits, pair, others, known)
    }

    fn new(
        limits: &Limits,
        pair: Charge,
        others: impl IntoIterator<Item = Charge>,
        known: bool,
    ) -> Self {
        let refuses = !known;
        Self {
            pair,
            free: limits.free_logins,
            others: (others.into_iter())
                .map(|charge| Counter { charge, refuses })
                .collect(),
        }
    }

    /// Counts a try, if it may be made. `may_wait`: whether who asks can ask again; else what is in flight refuses.
    pub(crate) async fn admit(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        may_wait: bool,
        now: Timestamp,
    ) -> Result<Admission<CountedTry>, StoreError> {
        let mut counted = Vec::new();
        for charge in self.charges() {
            counted.push(hits(tx, &charge.key, charge.rate.window, now).await?);
        }
        let Some(refusal) = self.refusal(&counted, now, |_| true) else {
            return Ok(Admission::Granted(self.count(tx, now).await?));
        };
        let settled = |hit: &Hit| !hit.in_flight || hit.at + IN_FLIGHT <= now;
        if may_wait && self.refusal(&counted, now, settled).is_none() {
            return Ok(Admission::InFlight);
        }
        note_refusal(tx, actor, None, refusal.limit, now).await?;
        Ok(Admission::Refused(refusal))
    }

    fn charges(&self) -> impl Iterator<Item = &Charge> {
        std::iter::once(&self.pair).chain(self.others.iter().map(|other| &other.charge))
    }

    /// What refuses a try, by those hits of each counter that count.
    fn refusal(
        &self,
        counted: &[Vec<Hit>],
        now: Timestamp,
        counts: impl Fn(&Hit) -> bool,
    ) -> Option<Refusal> {
        let of = |hits: &[Hit]| -> Vec<Timestamp> {
            let counting = hits.iter().filter(|hit| counts(hit));
            counting.map(|hit| hit.at).collect()
        };
        let (pair, others) = counted.split_first()?;
        let refusals = (self.others.iter().zip(others))
            .filter(|(other, _)| other.refuses)
            .filter_map(|(Counter { charge, .. }, hits)| {
                Refusal::over(charge.limit, charge.rate, &of(hits), now)
            })
            .chain(self.pause(&of(pair), now));
        longest(refusals).filter(|refusal| refusal.retry_at > now)
    }

    /// The pause that follows so many tries.
    fn pause(&self, tries: &[Timestamp], now: Timestamp) -> Option<Refusal> {
        let pause = pause_after(tries.len(), self.free)?;
        Some(Refusal {
            limit: self.pair.limit,
            rate: self.pair.rate,
            retry_at: *tries.last()?.min(&now) + pause,
        })
    }

    async fn count(&self, tx: &mut dyn Tx, now: Timestamp) -> Result<CountedTry, StoreError> {
        for charge in self.charges() {
            tx.hit_in_flight(&charge.key, now).await?;
        }
        let others = self.others.iter().map(|other| other.charge.key.clone());
        Ok(CountedTry {
            pair: self.pair.key.clone(),
            others: others.collect(),
            at: now,
        })
    }
}

impl CountedTry {
    fn keys(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.pair).chain(&self.others)
    }

    /// The password was right: the try does not count, and the slate of this account and client is clean.
    pub(crate) async fn was_right(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        for key in self.keys() {
            tx.forget_hit(key, self.at).await?;
        }
        tx.forget_hits(&self.pair, self.at - IN_FLIGHT).await
    }

    /// The password was wrong, or right and of no use: the try counts.
    pub(crate) async fn was_wrong(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        for key in self.keys() {
            tx.settle_hit(key, self.at).await?;
        }
        Ok(())
    }
}

/// Ends the pauses of one client at logins to an account, typed in any of these ways.
pub(crate) async fn forget_pauses(
    tx: &mut dyn Tx,
    accounts: impl IntoIterator<Item = String>,
    client: &ClientKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    for account in accounts {
        let pair = pause_at_login(0, &account, client);
        tx.forget_hits(&pair.key, now - IN_FLIGHT).await?;
    }
    Ok(())
}

fn pause_at_login(free: u32, account: &str, client: &ClientKey) -> Charge {
    Charge::new(PAIR, format_args!("{client}:{account}"), pauses(free))
}

fn pauses(free: u32) -> Rate {
    Rate {
        most: free,
        window: LOGIN_MEMORY,
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
