//! What may be asked for in a while: mails with codes, codes, registrations.

use std::fmt;

use jiff::Timestamp;

use super::{Limits, Passage, Rate, Refusal, counted, key_of, longest, note_refusal};
use crate::audit::Actor;
use crate::client::ClientKey;
use crate::email::{EmailAddress, EmailKey};
use crate::id::UserId;
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

/// Counts all of them, or none if one is exhausted. `email`: whom a refusal keeps from a mail.
pub(crate) async fn spend(
    tx: &mut dyn Tx,
    actor: &Actor,
    email: &EmailKey,
    spends: &[Spend],
    now: Timestamp,
) -> Result<Passage, StoreError> {
    let refusals = reached(tx, spends, now).await?;
    let names: Vec<&str> = refusals.iter().map(|refusal| refusal.limit).collect();
    if let Some(refusal) = longest(refusals) {
        note_refusal(tx, actor, Some(email), &names.join(" "), now).await?;
        return Ok(Passage::Refused(refusal));
    }
    for spend in spends {
        tx.hit(&spend.key, now).await?;
    }
    Ok(Passage::Granted)
}

/// Mails with codes to one mailbox in a minute, and in an hour.
const MAILS_A_MINUTE: &str = "mails-minute";
const MAILS_AN_HOUR: &str = "mails-hour";

/// The limits of mails with codes to one mailbox, in a minute and in an hour, each with what it is counted
/// under: for whoever asks why an address gets none.
#[must_use]
pub fn mailbox_counters(email: &EmailAddress) -> [(&'static str, String); 2] {
    [MAILS_A_MINUTE, MAILS_AN_HOUR].map(|limit| (limit, key_of(limit, email.mailbox_key())))
}

impl Limits {
    /// Mails with codes to a mailbox that a client causes.
    fn mails(&self, email: &EmailAddress, client: &ClientKey) -> [Spend; 3] {
        let mailbox = email.mailbox_key();
        let hour = self.code_mails_an_hour;
        [
            Spend::new(MAILS_A_MINUTE, &mailbox, self.code_mails_a_minute),
            Spend::new(MAILS_AN_HOUR, &mailbox, hour),
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
}
