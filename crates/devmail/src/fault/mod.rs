//! Faults that tests inject into a running catcher: the type and its constructors.
//!
//! Separate from SMTP because tests define faults and SMTP only applies them. The active set and
//! its handle are in [`handle`]; the matching is in [`rules`].

mod handle;
mod rules;

use std::time::Duration;

use tokio::sync::watch;

pub use handle::Faults;
pub(crate) use handle::ListenerCommand;

use crate::stage::Stage;

/// One fault: its stage, its effect, the addresses it applies to, and how often.
///
/// [`Stage::Stored`] and [`Stage::Answered`] are only counted: a fault never applies there.
///
/// ```
/// use smart_notes_devmail::{Fault, Stage};
///
/// // Stores the mail, then never answers: the sender cannot know.
/// let unsure = Fault::hang(Stage::EndOfData).storing();
/// // Greylisting: each recipient is told to come back, once.
/// let greylist = Fault::reply(Stage::Rcpt, 451, "4.7.1 try again").times_per_recipient(1);
/// // One slow greeting.
/// let slow = Fault::delay(Stage::Connect, std::time::Duration::from_secs(3)).times(1);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until it is added"]
pub struct Fault {
    pub(crate) stage: Stage,
    pub(crate) effect: Effect,
    pub(crate) target: Target,
    pub(crate) limit: Limit,
}

/// The effect of a fault on a connection.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    pub delay: Duration,
    pub storing: bool,
    pub act: Act,
    /// Changes at the next [`Faults::release`] after the fault applied.
    pub release: Option<watch::Receiver<u64>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Continues after the delay.
    GoOn,
    Reply(u16, String),
    Hang,
    Cut,
}

#[derive(Clone, Debug)]
pub(crate) enum Target {
    Anyone,
    Address(String),
    Domain(String),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Always,
    Times(u32),
    PerRecipient(u32),
}

impl Fault {
    /// Waits at `stage`, then continues normally. If the client disconnects during a wait at
    /// [`Stage::EndOfData`], the mail is not stored.
    pub fn delay(stage: Stage, by: Duration) -> Self {
        Self::new(stage, Act::GoOn).after(by)
    }

    /// Sends nothing from `stage` on, until the client disconnects or [`Faults::release`] is
    /// called.
    pub fn hang(stage: Stage) -> Self {
        Self::new(stage, Act::Hang)
    }

    /// Closes the connection at `stage` without a reply.
    pub fn cut(stage: Stage) -> Self {
        Self::new(stage, Act::Cut)
    }

    /// Replies `code text` at `stage` in place of the usual reply. 421 then closes the connection,
    /// and so does any reply at [`Stage::Connect`] or [`Stage::Body`]. A line break in `text`
    /// becomes a space.
    pub fn reply(stage: Stage, code: u16, text: &str) -> Self {
        Self::new(stage, Act::Reply(code, text.replace(['\r', '\n'], " ")))
    }

    fn new(stage: Stage, act: Act) -> Self {
        let effect = Effect {
            delay: Duration::ZERO,
            storing: false,
            act,
            release: None,
        };
        Self {
            stage,
            effect,
            target: Target::Anyone,
            limit: Limit::Always,
        }
    }

    /// Waits this long before the effect.
    pub fn after(mut self, delay: Duration) -> Self {
        self.effect.delay = delay;
        self
    }

    /// At [`Stage::EndOfData`]: stores the mail first, like a server whose reply is lost. It
    /// changes nothing at other stages.
    pub fn storing(mut self) -> Self {
        self.effect.storing = true;
        self
    }

    /// Limits the fault to mails to this address (case-insensitive). [`Stage::Mail`] compares the
    /// sender. Earlier stages have no address, so the fault never applies there.
    pub fn to(mut self, address: &str) -> Self {
        self.target = Target::Address(address.to_lowercase());
        self
    }

    /// Limits the fault to mails to this domain; compared as in [`Fault::to`].
    pub fn to_domain(mut self, domain: &str) -> Self {
        self.target = Target::Domain(domain.to_lowercase());
        self
    }

    /// Applies `n` times in total.
    pub fn times(mut self, n: u32) -> Self {
        self.limit = Limit::Times(n);
        self
    }

    /// Applies `n` times for each recipient.
    pub fn times_per_recipient(mut self, n: u32) -> Self {
        self.limit = Limit::PerRecipient(n);
        self
    }
}
