//! The result of one attempt to hand a mail to a relay: how far it got, and what ended it.
//!
//! Facts only. What they mean for the mail and for the relay is
//! [`classify()`](super::classify())'s business; writing them into the mail's timeline is the caller's.

use std::{fmt, time::Duration};

use domain::delivery::Stage;

use super::Reply;
use super::reply::clean;

/// One attempt, from taking a connection to its end.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The relay, as `host:port`.
    pub relay: String,
    /// Whether an idle connection was used again.
    pub reused: bool,
    /// The stage the attempt ended in.
    pub stage: Stage,
    /// What ended it.
    pub end: End,
    /// Whether the end of data may have been written: from then on the relay may have accepted the mail.
    pub end_of_data_written: bool,
    /// From the moment a connection was free to the end.
    pub duration: Duration,
}

/// What ended an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The end of data was answered with exactly 250.
    Accepted(Reply),
    /// The relay answered, readably, but not what the stage needs to go on.
    Refused(Reply),
    /// The permit to send was refused; no byte of the message was sent. Why.
    Stopped(String),
    /// The relay does not offer what our settings demand: STARTTLS, AUTH, a certificate we can
    /// trust. One readable sentence.
    Unfit(String),
    /// No readable answer: a timeout, a reset, garbage. One readable sentence.
    Failed(String),
    /// We gave it up before its time limit, because other mails needed the connection. One readable sentence.
    Cut(String),
}

impl End {
    /// The same, fit to be kept and shown: text from outside, a reply or a certificate's names, is bounded and masked. `strike` takes out what only the attempt knows to be secret; it comes first, since half a code in
    /// the last of the 500 characters would not be found.
    pub(super) fn cleaned(self, strike: impl Fn(&str) -> String) -> Self {
        let clean = |why: String| clean(&strike(&why));
        let reply = |reply: Reply| Reply {
            text: clean(reply.text),
            ..reply
        };
        match self {
            Self::Accepted(answer) => Self::Accepted(reply(answer)),
            Self::Refused(answer) => Self::Refused(reply(answer)),
            Self::Stopped(why) => Self::Stopped(clean(why)),
            Self::Unfit(why) => Self::Unfit(clean(why)),
            Self::Failed(why) => Self::Failed(clean(why)),
            Self::Cut(why) => Self::Cut(clean(why)),
        }
    }
}

impl Attempt {
    /// What the relay answered, if it ended the attempt by a readable reply.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply> {
        match &self.end {
            End::Accepted(reply) | End::Refused(reply) => Some(reply),
            End::Stopped(_) | End::Unfit(_) | End::Failed(_) | End::Cut(_) => None,
        }
    }

    /// What the relay answered, or else what went wrong, without the relay and the stage: those
    /// stand beside it in a timeline.
    #[must_use]
    pub fn text(&self) -> &str {
        match &self.end {
            End::Accepted(reply) | End::Refused(reply) => &reply.text,
            End::Stopped(why) | End::Unfit(why) | End::Failed(why) | End::Cut(why) => why,
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { relay, stage, .. } = self;
        match &self.end {
            End::Accepted(reply) => write!(f, "{relay} accepted the mail: {reply}"),
            End::Refused(reply) => write!(f, "{relay} answered at {stage}: {reply}"),
            End::Stopped(why) => write!(f, "stopped before the message was sent: {why}"),
            End::Cut(why) => write!(f, "{relay} was slow at {stage}: {why}"),
            End::Unfit(why) | End::Failed(why) => write!(f, "{relay} failed at {stage}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_ended_a_try_is_told_in_five_hundred_characters_and_without_addresses() {
        let why = format!("its names are ada@example.com, {}", "x".repeat(1000));

        for end in [
            End::Unfit(why.clone()),
            End::Failed(why.clone()),
            End::Stopped(why.clone()),
        ] {
            let (End::Unfit(kept) | End::Failed(kept) | End::Stopped(kept)) =
                end.cleaned(str::to_owned)
            else {
                panic!("it is another end");
            };
            assert_eq!(kept.chars().count(), 500);
            assert!(
                kept.starts_with("its names are a…@example.com, x"),
                "{kept}"
            );
        }
    }
}
