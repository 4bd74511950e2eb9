//! Plans: how many notes a user may hold, and until when.
//!
//! Premium is granted by a source, each for its own time: an operator, or a payment service. A user is on it while
//! any grant has not ended. Nothing needs to happen at its end: whoever asks compares with the time.

use jiff::Timestamp;

/// What a user may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// A limited number of notes.
    Free,
    /// As many as the settings allow, which is any number unless they say otherwise.
    Premium,
}

impl Plan {
    /// The word for clients and operators.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Premium => "premium",
        }
    }
}

/// Where a user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The plan at the time that was asked about.
    pub plan: Plan,
    /// When premium ends; `None` on the free plan and when it has no end.
    pub premium_until: Option<Timestamp>,
    /// Live notes: those that are not in the trash.
    pub used: u64,
}

/// How many live notes each plan allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoteLimits {
    /// On the free plan.
    pub free: u32,
    /// On premium; `None`: any number.
    pub premium: Option<u32>,
}

impl NoteLimits {
    /// The limit of a plan; `None`: any number.
    #[must_use]
    pub fn of(self, plan: Plan) -> Option<u32> {
        match plan {
            Plan::Free => Some(self.free),
            Plan::Premium => self.premium,
        }
    }
}
