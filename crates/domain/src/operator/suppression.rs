//! Addresses that a relay has refused for good. Asking for more mails to them would get no other answer, and
//! relays think less of a sender who keeps trying.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::audit::{Actor, Entry, Event};
use crate::email::EmailKey;
use crate::id::MailId;
use crate::store::{StoreError, Tx, Write};

/// Why nothing is sent to an address for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// When the relay refused it.
    pub since: Timestamp,
    /// When mails go out to it again.
    pub until: Timestamp,
    /// The mail that was refused.
    pub mail: MailId,
    /// The relay, as host and port.
    pub relay: String,
    /// The reply code.
    pub code: Option<u16>,
    /// The enhanced status code (RFC 3463).
    pub enhanced: Option<String>,
    /// The reply's text, addresses masked.
    pub text: String,
}

impl fmt::Display for Suppression {
    /// What happened, in a sentence without its full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let code = self
            .code
            .map_or_else(String::new, |code| format!("{code} "));
        write!(
            f,
            "at {} {} refused the address for good, for mail {}, with `{code}{}`; until {} nothing is sent to it",
            second(self.since),
            self.relay,
            self.mail,
            self.text,
            second(self.until)
        )
    }
}

/// Lets mails to an address go out again.
#[derive(Debug)]
pub struct Unsuppress {
    /// The address.
    pub to: EmailKey,
    /// Who does it.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
}

#[async_trait]
impl Write for Unsuppress {
    /// What kept them back, if something did.
    type Out = Option<Suppression>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Option<Suppression>, StoreError> {
        let entry = Entry::new(Event::Admin, &self.actor, self.now).email(&self.to);
        lift(tx, &self.to, &entry).await
    }
}

/// Lifts the suppression of an address, if there is one, and records that as `entry` without its detail.
pub(super) async fn lift(
    tx: &mut dyn Tx,
    to: &EmailKey,
    entry: &Entry<'_>,
) -> Result<Option<Suppression>, StoreError> {
    let lifted = tx.lift_suppression(to, entry.now).await?;
    if lifted.is_some() {
        let detail = "lifted the suppression of the address";
        tx.record(&entry.clone().detail(detail)).await?;
    }
    Ok(lifted)
}
