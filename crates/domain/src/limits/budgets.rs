//! Budgets of mails with codes, requests for codes, and registrations.

use std::fmt;

use jiff::Timestamp;

use super::{Decision, Limits, Rate, Refusal, counted, key_of, longest, note_refusal};
use crate::audit::Actor;
use crate::client::ClientKey;
use crate::email::{EmailAddress, EmailKey};
use crate::id::{RegistrationId, UserId};
use crate::store::{Reader, StoreError, Tx};

/// One use to count: a limit and its subject.
#[derive(Debug)]
pub(crate) struct Charge {
    pub(super) limit: &'static str,
    pub(super) key: String,
    pub(super) rate: Rate,
}

impl Charge {
    pub(super) fn new(limit: &'static str, whom: impl fmt::Display, rate: Rate) -> Self {
        let key = key_of(limit, whom);
        Self { limit, key, rate }
    }
}

/// The reached limits among these. Counts nothing.
pub(crate) async fn reached(
    reader: &mut dyn Reader,
    charges: &[Charge],
    now: Timestamp,
) -> Result<Vec<Refusal>, StoreError> {
    let mut refusals = Vec::new();
    for charge in charges {
        let hits = counted(reader, &charge.key, charge.rate.window, now).await?;
        refusals.extend(Refusal::over(charge.limit, charge.rate, &hits, now));
    }
    Ok(refusals)
}

/// The first of these lists that has room for all of it; or what refuses, for each of them what lasts longest.
async fn with_room<'a>(
    reader: &mut dyn Reader,
    lists: &'a [Vec<Charge>],
    now: Timestamp,
) -> Result<Result<&'a [Charge], Vec<Refusal>>, StoreError> {
    let mut refusals = Vec::new();
    for charges in lists {
        match longest(reached(reader, charges, now).await?) {
            Some(refusal) => refusals.push(refusal),
            None => return Ok(Ok(charges)),
        }
    }
    Ok(Err(refusals))
}

/// Why none of these lists has room, if that is so: what ends first. Counts nothing.
pub(crate) async fn refused(
    reader: &mut dyn Reader,
    lists: &[Vec<Charge>],
    now: Timestamp,
) -> Result<Option<Refusal>, StoreError> {
    Ok(match with_room(reader, lists, now).await? {
        Ok(_) => None,
        Err(refusals) => soonest(refusals),
    })
}

fn soonest(refusals: Vec<Refusal>) -> Option<Refusal> {
    (refusals.into_iter()).min_by_key(|refusal| refusal.retry_at)
}

/// Counts all of the first list that has room for all of it, or nothing if none has. `email`: whom a refusal keeps
/// from a mail.
pub(crate) async fn charge(
    tx: &mut dyn Tx,
    actor: &Actor,
    email: &EmailKey,
    lists: &[Vec<Charge>],
    now: Timestamp,
) -> Result<Decision, StoreError> {
    let refusals = match with_room(tx, lists, now).await? {
        Ok(charges) => {
            for charge in charges {
                tx.hit(&charge.key, now).await?;
            }
            return Ok(Decision::Allowed);
        }
        Err(refusals) => refusals,
    };
    let names: Vec<&str> = refusals.iter().map(|refusal| refusal.limit).collect();
    let names = names.join(" ");
    let Some(refusal) = soonest(refusals) else {
        return Ok(Decision::Allowed);
    };
    note_refusal(tx, actor, Some(email), &names, now).await?;
    Ok(Decision::Limited(refusal))
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

/// Mails to one mailbox that one client causes, in a minute and in an hour.
const OF_CLIENT_A_MINUTE: &str = "mails-client-minute";
const OF_CLIENT: &str = "mails-client";

/// Mails that the holder of a registration's challenge asks for again, of those kept for newcomers.
const OF_REGISTRATION: &str = "mails-attempt";

impl Limits {
    /// So many in an hour.
    fn an_hour(&self, most: u32) -> Rate {
        Rate {
            most,
            ..self.code_mails_an_hour
        }
    }

    /// What one client may cause of the mails that a mailbox gets in an hour.
    fn half(&self) -> u32 {
        self.code_mails_an_hour.most.div_ceil(2)
    }

    /// Mails with codes to a mailbox that a client causes, whatever for: of the first four fifths of an hour's, or one of
    /// all of them. So the last fifth is for clients that have caused none in the hour, whether the address has an account
    /// or not: clients that used up the rest keep no other client from a code.
    fn mails(&self, email: &EmailAddress, client: &ClientKey) -> [Vec<Charge>; 2] {
        let all = self.code_mails_an_hour.most;
        let anybodys = (all - all.div_ceil(5)).max(1);
        [
            self.mails_of(email, client, anybodys, self.half()),
            self.mails_of(email, client, all, 1),
        ]
    }

    /// Those while the mailbox has had less than `most` in the hour, and the client has caused less than `of_client`.
    fn mails_of(
        &self,
        email: &EmailAddress,
        client: &ClientKey,
        most: u32,
        of_client: u32,
    ) -> Vec<Charge> {
        let mailbox = email.mailbox_key();
        let mut charges = vec![
            Charge::new(MAILS_A_MINUTE, &mailbox, self.code_mails_a_minute),
            Charge::new(MAILS_AN_HOUR, &mailbox, self.an_hour(most)),
        ];
        charges.extend(self.mails_of_client(email, client, of_client));
        charges
    }

    /// What each of these lists holds: as much as one client causes in all, so that what the others grant does not show
    /// to one client alone (OWASP ASVS 5.0 6.3.8).
    fn mails_of_client(&self, email: &EmailAddress, client: &ClientKey, most: u32) -> [Charge; 2] {
        let own = format!("{client}:{}", email.mailbox_key());
        [
            Charge::new(OF_CLIENT_A_MINUTE, &own, self.code_mails_a_minute),
            Charge::new(OF_CLIENT, &own, self.an_hour(most)),
        ]
    }

    /// The same for a client that the account knows: a share of its own, as large as any one client's, so that
    /// strangers can't keep the owner from a code.
    fn mails_of_known(&self, email: &EmailAddress, client: &ClientKey) -> Vec<Charge> {
        let mailbox = email.mailbox_key();
        let mut charges = vec![
            Charge::new(KNOWN_A_MINUTE, &mailbox, self.code_mails_a_minute),
            Charge::new(KNOWN_AN_HOUR, &mailbox, self.an_hour(self.half())),
        ];
        charges.extend(self.mails_of_client(email, client, self.half()));
        charges
    }

    /// Somebody who is not logged in asks for a code. `known`: whether the account knows the client.
    pub(crate) fn code_request(
        &self,
        email: &EmailAddress,
        client: &ClientKey,
        known: bool,
    ) -> Vec<Vec<Charge>> {
        let [anybodys, newcomers] = self.mails(email, client);
        let known = known.then(|| self.mails_of_known(email, client));
        let lists = [Some(anybodys), known, Some(newcomers)];
        self.with_requests(lists.into_iter().flatten(), client)
    }

    /// A client asks for a registration's code again. `registration`: the live one whose challenge came with it, if one did.
    /// It has one of the mails kept for newcomers, if this client has caused none but that of the registration.
    pub(crate) fn resend(
        &self,
        email: &EmailAddress,
        client: &ClientKey,
        registration: Option<RegistrationId>,
    ) -> Vec<Vec<Charge>> {
        let of_attempt = registration.map(|registration| {
            let mut charges = self.mails_of(email, client, self.code_mails_an_hour.most, 2);
            charges.push(Charge::new(OF_REGISTRATION, registration, self.an_hour(1)));
            charges
        });
        let lists = self.mails(email, client).into_iter().chain(of_attempt);
        self.with_requests(lists, client)
    }

    /// Each of these lists with what one client may ask for.
    fn with_requests(
        &self,
        lists: impl IntoIterator<Item = Vec<Charge>>,
        client: &ClientKey,
    ) -> Vec<Vec<Charge>> {
        let whom = format!("client:{client}");
        let requests = || Charge::new(REQUESTS, &whom, self.code_requests);
        (lists.into_iter())
            .map(|list| list.into_iter().chain([requests()]).collect())
            .collect()
    }

    /// A user asks for a code to their own mailbox: counted for the user alone.
    pub(crate) fn of_user(&self, user: UserId) -> Vec<Charge> {
        let whom = format!("user:{user}");
        vec![
            Charge::new("mails-user", &whom, self.code_mails_an_hour),
            Charge::new(REQUESTS, &whom, self.code_requests),
        ]
    }

    /// A user asks for a code to another mailbox: counted for the user, and for that mailbox as everybody's mails are.
    pub(crate) fn email_change(
        &self,
        email: &EmailAddress,
        client: &ClientKey,
        user: UserId,
    ) -> Vec<Vec<Charge>> {
        (self.mails(email, client).into_iter())
            .map(|charges| charges.into_iter().chain(self.of_user(user)).collect())
            .collect()
    }

    /// The charges of a registration.
    pub(crate) fn registration(
        &self,
        email: &EmailAddress,
        client: &ClientKey,
    ) -> Vec<Vec<Charge>> {
        let registrations = || Charge::new("registrations", client, self.registrations);
        (self.mails(email, client).into_iter())
            .map(|charges| charges.into_iter().chain([registrations()]).collect())
            .collect()
    }
}
