//! Faults that tests inject while a catcher runs: what one is, and how it is said.
//!
//! Apart from SMTP because they are written by tests and only obeyed there. The
//! running set and its handle are in [`handle`]; which fault strikes is in [`rules`].

mod handle;
mod rules;

use std::time::Duration;

use tokio::sync::watch;

pub use handle::Faults;
pub(crate) use handle::Order;

use crate::stage::Stage;

/// One fault: at which stage, what happens, to whom, and how often.
///
/// [`Stage::Stored`] and [`Stage::Answered`] are only counted: a fault never strikes there.
///
/// ```
/// use smart_notes_devmail::{Fault, Stage};
///
/// // Stores the mail, then never answers: the sender cannot know.
/// let unsure = Fault::hang(Stage::Dot).storing();
/// // Greylisting: each recipient is told to come back, once.
/// let greylist = Fault::reply(Stage::Rcpt, 451, "4.7.1 try again").times_per_recipient(1);
/// // One slow greeting.
/// let slow = Fault::delay(Stage::Connect, std::time::Duration::from_secs(3)).times(1);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until it is added"]
pub struct Fault {
    pub(crate) stage: Stage,
    pub(crate) strike: Strike,
    pub(crate) whom: Whom,
    pub(crate) limit: Limit,
}

/// What a connection goes through when a fault strikes it.
#[derive(Clone, Debug)]
pub(crate) struct Strike {
    pub delay: Duration,
    pub storing: bool,
    pub act: Act,
    /// Changes at the next [`Faults::release`] after the fault struck.
    pub release: Option<watch::Receiver<u64>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Goes on after the delay.
    GoOn,
    Reply(u16, String),
    Hang,
    Cut,
}

#[derive(Clone, Debug)]
pub(crate) enum Whom {
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
    /// Waits at `stage`, then goes on as usual. If the client leaves while
    /// waiting at [`Stage::Dot`], the mail is not stored.
    pub fn delay(stage: Stage, by: Duration) -> Self {
        Self::new(stage, Act::GoOn).after(by)
    }

    /// Says nothing from `stage` on, until the client leaves or [`Faults::release`]
    /// is called.
    pub fn hang(stage: Stage) -> Self {
        Self::new(stage, Act::Hang)
    }

    /// Closes the connection at `stage` without an answer.
    pub fn cut(stage: Stage) -> Self {
        Self::new(stage, Act::Cut)
    }

    /// Answers `code text` at `stage` in place of the usual answer. 421 closes the
    /// connection afterwards, and so does any reply at [`Stage::Connect`] or
    /// [`Stage::Body`]. A line break in `text` becomes a space.
    pub fn reply(stage: Stage, code: u16, text: &str) -> Self {
        Self::new(stage, Act::Reply(code, text.replace(['\r', '\n'], " ")))
    }

    fn new(stage: Stage, act: Act) -> Self {
        let strike = Strike {
            delay: Duration::ZERO,
            storing: false,
            act,
            release: None,
        };
        Self {
            stage,
            strike,
            whom: Whom::Anyone,
            limit: Limit::Always,
        }
    }

    /// Waits this long before the fault happens.
    pub fn after(mut self, delay: Duration) -> Self {
        self.strike.delay = delay;
        self
    }

    /// At [`Stage::Dot`]: stores the mail first, as a server does whose answer is
    /// lost. Elsewhere it changes nothing.
    pub fn storing(mut self) -> Self {
        self.strike.storing = true;
        self
    }

    /// Only mails to this address (in any case). At [`Stage::Mail`] the sender is
    /// compared; before that there is nobody to compare, so the fault never strikes.
    pub fn to(mut self, address: &str) -> Self {
        self.whom = Whom::Address(address.to_lowercase());
        self
    }

    /// Only mails to this domain; compared as in [`Fault::to`].
    pub fn to_domain(mut self, domain: &str) -> Self {
        self.whom = Whom::Domain(domain.to_lowercase());
        self
    }

    /// Strikes `n` times in all, then has worn off.
    pub fn times(mut self, n: u32) -> Self {
        self.limit = Limit::Times(n);
        self
    }

    /// Strikes `n` times for each recipient, then has worn off for that one.
    pub fn times_per_recipient(mut self, n: u32) -> Self {
        self.limit = Limit::PerRecipient(n);
        self
    }
}
