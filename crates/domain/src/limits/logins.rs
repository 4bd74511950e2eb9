//! How often logins may be refused: for one account, for one client, and for both.

use std::time::Duration;

use jiff::Timestamp;

use super::{Limits, Passage, Rate, Refusal, counted, key_of, longest, note_refusal};
use crate::audit::Actor;
use crate::client::ClientKey;
use crate::id::UserId;
use crate::store::{StoreError, Tx};

/// The longest pause between two logins of one account from one client.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// For how long refused logins of one account from one client are remembered.
const LOGIN_MEMORY: Duration = Duration::from_mins(15);

/// Refused logins of one account from one client.
const PAIR: &str = "login-pair";

/// Refused logins of one client.
const CLIENT: &str = "login-client";

/// Refused logins of one account.
const ACCOUNT: &str = "login-account";

/// Wrong passwords that one user who is logged in was asked for again.
const USER: &str = "user-passwords";

/// The counters of refused logins for one account and client.
#[derive(Debug)]
pub(crate) struct LoginCounters {
    pair: String,
    client: String,
    account: String,
    /// Of who is logged in.
    user: Option<String>,
}

impl LoginCounters {
    /// `account`: the login as it compares, so that a name nobody has is counted alike.
    pub(crate) fn new(account: &str, client: &ClientKey) -> Self {
        Self {
            pair: key_of(PAIR, format_args!("{client}:{account}")),
            client: key_of(CLIENT, client),
            account: key_of(ACCOUNT, account),
            user: None,
        }
    }

    /// The same for a user who is logged in: what was refused to strangers and neighbours, without the user's token,
    /// refuses them nothing but the pause of their own client.
    pub(crate) fn of_user(self, user: UserId) -> Self {
        Self {
            user: Some(key_of(USER, user)),
            ..self
        }
    }

    fn keys(&self) -> impl Iterator<Item = &String> {
        [&self.client, &self.account].into_iter().chain(&self.user)
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
        let pair = counted(tx, &self.pair, LOGIN_MEMORY, now).await?;
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
        let rates = match &self.user {
            None => [Some(client), (!known).then_some(account)],
            Some(user) => [
                None,
                (!known).then_some((USER, user, limits.account_logins)),
            ],
        };
        for (limit, key, rate) in rates.into_iter().flatten() {
            let hits = counted(tx, key, rate.window, now).await?;
            refusals.extend(Refusal::over(limit, rate, &hits, now));
        }
        if let Some(refusal) = longest(refusals).filter(|refusal| refusal.retry_at > now) {
            note_refusal(tx, actor, None, refusal.limit, now).await?;
            return Ok(Passage::Refused(refusal));
        }
        for key in std::iter::once(&self.pair).chain(self.keys()) {
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
        for key in self.keys() {
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
