//! What an attempt says of the relay, beside what it says of the mail.

use crate::smtp::{Attempt, AttemptOutcome, End, Reply, Stage, classify};

/// What an attempt, or a probe, says of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works: it took a mail.
    Healthy,
    /// It answered about a recipient and took no mail.
    Answers,
    /// It is in trouble: it did not get as far as the recipient.
    Sick,
    /// It does not want us, whomever we mail to.
    Refusing,
    /// It failed at this mail.
    Doubtful,
    /// It refused this mail because of us, it says.
    DoubtfulRefusal,
    /// It took this mail not now because of us, it says: too many for it.
    Throttling,
    /// We gave the attempt up before its time, since other mails needed the connection.
    Slow,
    /// Nothing was learnt.
    Unknown,
}

impl Health {
    /// What an attempt says of the relay.
    #[must_use]
    pub fn after(attempt: &Attempt) -> Self {
        let says_why = |reply: &Reply| reply.code != 421;
        match Self::of(attempt.stage, classify(attempt)) {
            _ if matches!(attempt.end, End::Cut(_)) => Self::Slow,
            Self::Doubtful if attempt.reply().is_some_and(says_why) => Self::Throttling,
            health => health,
        }
    }

    /// Whether the relay took a mail, or answered about its recipient.
    pub(super) fn gets_through(self) -> bool {
        matches!(self, Self::Healthy | Self::Answers)
    }

    /// Whether the relay says that it is about us and not about the mail.
    pub(super) fn is_about_us(self) -> bool {
        matches!(self, Self::DoubtfulRefusal | Self::Throttling)
    }

    /// Whether it failed at a mail, so that a stranger may have chosen the recipient for that.
    pub(super) fn is_at_a_mail(self) -> bool {
        self.is_about_us() || self == Self::Doubtful
    }

    /// What an attempt that ended at that stage, with that verdict, says of the relay.
    #[must_use]
    pub fn of(stage: Stage, verdict: AttemptOutcome) -> Self {
        let about_the_mail = stage >= Stage::Rcpt;
        match verdict {
            AttemptOutcome::Delivered => Self::Healthy,
            AttemptOutcome::RecipientRefused | AttemptOutcome::RecipientLater => Self::Answers,
            AttemptOutcome::PutOff => Self::Slow,
            AttemptOutcome::RelayTrouble | AttemptOutcome::Uncertain if about_the_mail => {
                Self::Doubtful
            }
            AttemptOutcome::RelayTrouble | AttemptOutcome::Uncertain => Self::Sick,
            AttemptOutcome::RelayRefusesUs if about_the_mail => Self::DoubtfulRefusal,
            AttemptOutcome::RelayRefusesUs => Self::Refusing,
            AttemptOutcome::Stopped
            | AttemptOutcome::Waiting
            | AttemptOutcome::Expired
            | AttemptOutcome::NotNeeded
            | AttemptOutcome::Panicked
            | AttemptOutcome::Overdue
            | AttemptOutcome::WorkerDied => Self::Unknown,
        }
    }
}
