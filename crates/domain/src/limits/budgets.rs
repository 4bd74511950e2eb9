//! What may be asked for in a while: mails with codes, codes, registrations.

use std::fmt;

use jiff::Timestamp;

use super::{Limits, Passage, Rate, Refusal, counted, key_of, longest, note_refusal};
use crate::audit::Actor;
use crate::client::ClientKey;
use crate::email::{EmailAddress, EmailKey};
use crate::id::{RegistrationId, UserId};
use crate::store::{StoreError, Tx, View};

/// One thing to count: a limit and whom it is counted for.
#[derive(Debug)]
pub(crate) struct Spend {
    pub(super) limit: &'static str,
    pub(super) key: String,
    pub(super) rate: Rate,
}

impl Spend {
    pub(super) fn new(limit: &'static str, whom: impl fmt::Display, rate: Rate) -> Self {
        let key = key_of(limit, whom);
        Self { limit, key, rate }
    }
}

/// The limits of these that are reached. Counts nothing.
pub(crate) async fn reached(
    view: &mut dyn View,
    spends: &[Spend],
    now: Timestamp,
) -> Result<Vec<Refusal>, StoreError> {
    let mut refusals = Vec::new();
    for spend in spends {
        let hits = counted(view, &spend.key, spend.rate.window, now).await?;
        refusals.extend(Refusal::over(spend.limit, spend.rate, &hits, now));
    }
    Ok(refusals)
}

/// The first of these lists that has room for all of it; or what refuses, for each of them what lasts longest.
async fn with_room<'a>(
    view: &mut dyn View,
    lists: &'a [Vec<Spend>],
    now: Timestamp,
) -> Result<Result<&'a [Spend], Vec<Refusal>>, StoreError> {
    let mut refusals = Vec::new();
    for spends in lists {
        match longest(reached(view, spends, now).await?) {
            Some(refusal) => refusals.push(refusal),
            None => return Ok(Ok(spends)),
        }
    }
    Ok(Err(refusals))
}

/// Why none of these lists has room, if that is so: what ends first. Counts nothing.
pub(crate) async fn refused(
    view: &mut dyn View,
    lists: &[Vec<Spend>],
    now: Timestamp,
) -> Result<Option<Refusal>, StoreError> {
    Ok(match with_room(view, lists, now).await? {
        Ok(_) => None,
        Err(refusals) => soonest(refusals),
    })
}

fn soonest(refusals: Vec<Refusal>) -> Option<Refusal> {
    (refusals.into_iter()).min_by_key(|refusal| refusal.retry_at)
}

/// Counts all of the first list that has room for all of it, or nothing if none has. `email`: whom a refusal keeps
/// from a mail.
pub(crate) async fn spend(
    tx: &mut dyn Tx,
    actor: &Actor,
    email: &EmailKey,
    lists: &[Vec<Spend>],
    now: Timestamp,
) -> Result<Passage, StoreError> {
    let refusals = match with_room(tx, lists, now).await? {
        Ok(spends) => {
            for spend in spends {
                tx.hit(&spend.key, now).await?;
            }
            return Ok(Passage::Granted);
        }
        Err(refusals) => refusals,
    };
    let names: Vec<&str> = refusals.iter().map(|refusal| refusal.limit).collect();
    let names = names.join(" ");
    let Some(refusal) = soonest(refusals) else {
        return Ok(Passage::Granted);
    };
    note_refusal(tx, actor, Some(email), &names, now).await?;
    Ok(Passage::Refused(refusal))
}

/// Codes that one client, or one user, asks for.
const REQUESTS: &str = "code-requests";

/// Mails with codes to one mailbox in a minute, and in an hour.
const MAILS_A_MINUTE: &str = "mails-minute";
const MAILS_AN_HOUR: &str = "mails-hour";

/// The limits of mails with codes to one mailbox, in a minute and in an hour, each with what it is counted
/// under: for whoever asks why an address gets none.
#[must_use]
pub fn mailbox_counters(email: &EmailAddress) -> [(&'static str, String); 2] {
    [MAILS_A_MINUTE, MAILS_AN_HOUR].map(|limit| (limit, key_of(limit, email.mailbox_key())))
}

/// What a client that the account knows may ask for beside that.
const KNOWN_A_MINUTE: &str = "mails-known-minute";
const KNOWN_AN_HOUR: &str = "mails-known";

/// What clients that have caused no mail to the mailbox in the hour may ask for beside that, but for a registration's
/// code again.
const NEWCOMERS: &str = "mails-newcomers";

/// Mails to one mailbox that one client causes, in a minute and in an hour.
const OF_CLIENT_A_MINUTE: &str = "mails-client-minute";
const OF_CLIENT: &str = "mails-client";

/// Mails to one mailbox that the holder of an attempt's challenge may ask for beside that.
const OF_ATTEMPT: &str = "mails-attempt";

impl Limits {
    /// A part of the mails that a mailbox gets in an hour, one at least.
    fn part_of_an_hour(&self, of: u32) -> Rate {
        let hour = self.code_mails_an_hour;
        Rate {
            most: hour.most.div_ceil(of),
            ..hour
        }
    }

    fn once_an_hour(&self) -> Rate {
        Rate {
            most: 1,
            ..self.code_mails_an_hour
        }
    }

    /// Mails with codes to a mailbox that a client causes.
    fn mails(&self, email: &EmailAddress, client: &ClientKey) -> Vec<Spend> {
        let mailbox = email.mailbox_key();
        let mut spends = vec![
            Spend::new(MAILS_A_MINUTE, &mailbox, self.code_mails_a_minute),
            Spend::new(MAILS_AN_HOUR, &mailbox, self.code_mails_an_hour),
        ];
        spends.extend(self.mails_of_client(email, client, self.part_of_an_hour(2)));
        spends
    }

    /// What each of these lists holds: as much as one client causes in all, so that what the others grant does not show
    /// to one client alone (OWASP ASVS 5.0 6.3.8).
    fn mails_of_client(
        &self,
        email: &EmailAddress,
        client: &ClientKey,
        an_hour: Rate,
    ) -> [Spend; 2] {
        let own = format!("{client}:{}", email.mailbox_key());
        [
            Spend::new(OF_CLIENT_A_MINUTE, &own, self.code_mails_a_minute),
            Spend::new(OF_CLIENT, &own, an_hour),
        ]
    }

    /// The same for a client that the account knows: a share of its own, as large as any one client's, so that
    /// strangers can't keep the owner from a code.
    fn mails_of_known(&self, email: &EmailAddress, client: &ClientKey) -> Vec<Spend> {
        let mailbox = email.mailbox_key();
        let mut spends = vec![
            Spend::new(KNOWN_A_MINUTE, &mailbox, self.code_mails_a_minute),
            Spend::new(KNOWN_AN_HOUR, &mailbox, self.part_of_an_hour(2)),
        ];
        spends.extend(self.mails_of_client(email, client, self.part_of_an_hour(2)));
        spends
    }

    /// The same for a client that has caused none in the hour, whether the address has an account or not: one mail, of a
    /// fifth more than the mailbox's hour.
    fn mails_of_newcomer(&self, email: &EmailAddress, client: &ClientKey) -> Vec<Spend> {
        let mailbox = email.mailbox_key();
        let mut spends = vec![
            Spend::new(MAILS_A_MINUTE, &mailbox, self.code_mails_a_minute),
            Spend::new(NEWCOMERS, &mailbox, self.part_of_an_hour(5)),
        ];
        spends.extend(self.mails_of_client(email, client, self.once_an_hour()));
        spends
    }

    /// Somebody who is not logged in asks for a code. `known`: whether the account knows the client.
    pub(crate) fn code_request(
        &self,
        email: &EmailAddress,
        client: &ClientKey,
        known: bool,
    ) -> Vec<Vec<Spend>> {
        let mut lists = vec![self.mails(email, client)];
        if known {
            lists.push(self.mails_of_known(email, client));
        }
        lists.push(self.mails_of_newcomer(email, client));
        self.with_requests(lists, client)
    }

    /// Somebody asks for a registration's code again. `attempt`: the live one whose challenge came with it, if one did;
    /// it has a mail an hour of its own.
    pub(crate) fn resend(
        &self,
        email: &EmailAddress,
        client: &ClientKey,
        attempt: Option<RegistrationId>,
    ) -> Vec<Vec<Spend>> {
        let of_attempt = attempt.map(|attempt| {
            let mailbox = email.mailbox_key();
            vec![
                Spend::new(MAILS_A_MINUTE, mailbox, self.code_mails_a_minute),
                Spend::new(OF_ATTEMPT, attempt, self.once_an_hour()),
            ]
        });
        let lists = std::iter::once(self.mails(email, client)).chain(of_attempt);
        self.with_requests(lists, client)
    }

    /// Each of these lists with what one client may ask for.
    fn with_requests(
        &self,
        lists: impl IntoIterator<Item = Vec<Spend>>,
        client: &ClientKey,
    ) -> Vec<Vec<Spend>> {
        let whom = format!("client:{client}");
        let requests = || Spend::new(REQUESTS, &whom, self.code_requests);
        (lists.into_iter())
            .map(|list| list.into_iter().chain([requests()]).collect())
            .collect()
    }

    /// A user asks for a code to their own mailbox: counted for the user alone.
    pub(crate) fn of_user(&self, user: UserId) -> Vec<Spend> {
        let whom = format!("user:{user}");
        vec![
            Spend::new("mails-user", &whom, self.code_mails_an_hour),
            Spend::new(REQUESTS, &whom, self.code_requests),
        ]
    }

    /// A user asks for a code to another mailbox: counted for the user, and for that mailbox as everybody's mails are.
    pub(crate) fn email_change(
        &self,
        email: &EmailAddress,
        client: &ClientKey,
        user: UserId,
    ) -> Vec<Vec<Spend>> {
        let to_mailbox = [
            self.mails(email, client),
            self.mails_of_newcomer(email, client),
        ];
        (to_mailbox.into_iter())
            .map(|spends| spends.into_iter().chain(self.of_user(user)).collect())
            .collect()
    }

    /// Somebody registers.
    pub(crate) fn registration(&self, email: &EmailAddress, client: &ClientKey) -> Vec<Vec<Spend>> {
        let registrations = || Spend::new("registrations", client, self.registrations);
        let mut lists = vec![
            self.mails(email, client),
            self.mails_of_newcomer(email, client),
        ];
        for list in &mut lists {
            list.push(registrations());
        }
        lists
    }
}
