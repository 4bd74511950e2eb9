//! What a try says of the relay, beside what it says of the mail.

use crate::smtp::{End, Stage, Try, Verdict, classify};

/// What a try, or a probe, says of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Healthy,
    /// It is in trouble: it did not get as far as the recipient.
    Sick,
    /// It does not want us, whomever we mail to.
    Refusing,
    /// It failed at this mail.
    Doubtful,
    /// It refused this mail because of us, it says.
    DoubtfulRefusal,
    /// Nothing was learnt.
    Unknown,
}

impl Health {
    /// What an attempt says of the relay. One that we cut ourselves shows nothing while the relay takes others: it may
    /// be slow with each.
    #[must_use]
    pub fn after(attempt: &Try) -> Self {
        match Self::of(attempt.stage, classify(attempt)) {
            Self::Sick if matches!(attempt.end, End::Cut(_)) => Self::Doubtful,
            health => health,
        }
    }

    /// What a try that ended at that stage, with that verdict, says of the relay.
    #[must_use]
    pub fn of(stage: Stage, verdict: Verdict) -> Self {
        let about_the_mail = stage >= Stage::Rcpt;
        match verdict {
            Verdict::Delivered | Verdict::RecipientRefused | Verdict::RecipientLater => {
                Self::Healthy
            }
            Verdict::Stopped => Self::Unknown,
            Verdict::PutOff => Self::Doubtful,
            Verdict::RelayTrouble | Verdict::Ambiguous if about_the_mail => Self::Doubtful,
            Verdict::RelayTrouble | Verdict::Ambiguous => Self::Sick,
            Verdict::RelayRefusesUs if about_the_mail => Self::DoubtfulRefusal,
            Verdict::RelayRefusesUs => Self::Refusing,
        }
    }
}
