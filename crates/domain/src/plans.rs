//! Plans: the limits of notes of a user, and their end.
//!
//! Premium is granted by a source, each for its own time: an operator, or a payment service. A user is on it while
//! any grant has not ended. Nothing needs to happen at its end: whoever asks compares with the time.

use std::str::FromStr;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::id::UserId;
use crate::store::StoreError;

/// The plan of a user.
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

/// The plan of a user and its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanUsage {
    /// The plan at the time that was asked about.
    pub plan: Plan,
    /// When premium ends; `None` on the free plan and when it has no end.
    pub premium_until: Option<Timestamp>,
    /// Live notes: those that are not in the trash.
    pub used: u64,
    /// Bytes that all notes take up, those in the trash included.
    pub bytes: u64,
}

/// The source of a grant of premium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// An operator, with the command line.
    Operator,
    /// Stripe, by the events of [`crate::payments`].
    Stripe,
    /// RevenueCat, by the same.
    RevenueCat,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Operator, Self::Stripe, Self::RevenueCat];

    /// The word for storage and operators.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Stripe => "stripe",
            Self::RevenueCat => "revenuecat",
        }
    }
}

/// Why a text names no source.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` grants no premium")]
pub struct UnknownSource(String);

impl FromStr for Source {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        let known = Self::ALL.into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| UnknownSource(text.to_owned()))
    }
}

/// Premium, as one source has granted it; it may be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Who granted it.
    pub source: Source,
    /// When it ends; `None`: never.
    pub until: Option<Timestamp>,
    /// When it was granted, or last changed.
    pub granted: Timestamp,
}

/// The database port for grants of premium. Callers are [`crate::accounts::admin`] and
/// [`crate::payments`].
#[async_trait]
pub trait Plans: Send {
    /// Grants premium to a user who is there, in the place of what the same source granted before. Says whether
    /// that is another end.
    async fn grant_premium(
        &mut self,
        user: UserId,
        source: Source,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Takes back what a source granted. Says whether it had granted something.
    async fn withdraw_premium(&mut self, user: UserId, source: Source) -> Result<bool, StoreError>;
}

impl Grant {
    /// Whether it has not ended at that time.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// How many live notes each plan allows, and how many bytes of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoteLimits {
    /// The limit on the free plan.
    pub free: u32,
    /// On premium; `None`: any number.
    pub premium: Option<u32>,
    /// Bytes of notes, those in the trash included.
    pub storage: StorageLimits,
}

/// How many bytes of notes each plan allows, those in the trash included; `None`: any number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StorageLimits {
    /// The limit on the free plan.
    pub free: Option<u64>,
    /// The limit on the premium plan.
    pub premium: Option<u64>,
}

impl StorageLimits {
    /// The limit of a plan in bytes; `None`: any number.
    #[must_use]
    pub fn of(self, plan: Plan) -> Option<u64> {
        match plan {
            Plan::Free => self.free,
            Plan::Premium => self.premium,
        }
    }
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
