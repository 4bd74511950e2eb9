//! Addresses that a relay has permanently refused. More mails to them would be refused too, and relays lower the
//! reputation of a sender that keeps trying.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::audit::{Actor, Entry, Event};
use crate::email::EmailKey;
use crate::id::MailId;
use crate::store::{StoreError, Tx, Write};

/// Why no mail is sent to an address for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// When the relay refused it.
    pub since: Timestamp,
    /// When the suppression ends.
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
    /// What happened, as a clause without a full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let code = self
            .code
            .map_or_else(String::new, |code| format!("{code} "));
        write!(
            f,
            "at {} {} permanently refused the address, for mail {}, with `{code}{}`; no mail is sent to it until {}",
            second(self.since),
            self.relay,
            self.mail,
            self.text,
            second(self.until)
        )
    }
}

/// Ends the suppression of an address.
#[derive(Debug)]
pub struct Unsuppress {
    /// The address.
    pub to: EmailKey,
    /// The operator.
    pub actor: Actor,
    /// The current time.
    pub now: Timestamp,
}

#[async_trait]
impl Write for Unsuppress {
    /// The suppression that ended, if there was one.
    type Out = Option<Suppression>;

    async fn apply(&self, tx: &mut dyn Tx) -> Result<Option<Suppression>, StoreError> {
        let entry = Entry::new(Event::Admin, &self.actor, self.now).email(&self.to);
        lift(tx, &self.to, &entry).await
    }
}

/// Ends the suppression of an address, if there is one, and records it as `entry`, which has no detail yet.
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
