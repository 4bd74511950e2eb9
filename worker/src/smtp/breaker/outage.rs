//! How long a relay has been out of order, why, and when it is probed next.

use std::time::{Duration, Instant};

use super::Health;

/// How often an open breaker's relay is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// After trouble, which may end at any moment: every 2 s, one more or less.
    Trouble,
    /// After a refusal, which the operator has to fix: after 5 s, then twice as long each time up to a minute.
    Refusal,
    /// After refusals of single mails: the same up to 15 s. Strangers may have chosen these mails, and all
    /// others wait for the next probe.
    DoubtfulRefusal,
}

impl Pace {
    pub(super) fn after(health: Health) -> Self {
        match health {
            Health::Refusing => Self::Refusal,
            Health::DoubtfulRefusal => Self::DoubtfulRefusal,
            _ => Self::Trouble,
        }
    }

    /// The pause before a probe, after so many since the trouble began. `jitter` in `-1.0..=1.0`.
    pub(super) fn pause(self, probes: u32, jitter: f64) -> Duration {
        let (shortest, longest) = match self {
            Self::Trouble => return Duration::from_secs_f64(2.0 + jitter.clamp(-1.0, 1.0)),
            Self::Refusal => (5.0, 60.0),
            Self::DoubtfulRefusal => (5.0, 15.0),
        };
        let doubled = shortest * 2_f64.powi(i32::try_from(probes.min(8)).unwrap_or(8));
        let spread = doubled.min(longest) * (1.0 + 0.2 * jitter.clamp(-1.0, 1.0));
        Duration::from_secs_f64(spread.clamp(shortest, longest))
    }
}

/// The pause between a trial and the probe that may let another mail through meanwhile. Doubled each time.
const TRIAL: Duration = Duration::from_secs(2);
const LONGEST_TRIAL: Duration = Duration::from_mins(1);

/// What is known of a relay that is out of order.
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) pace: Pace,
    pub(super) reason: String,
    pub(super) next_probe: Instant,
    /// What began it, or what its last trial showed.
    pub(super) health: Health,
    /// Whether it is not known yet: a mail that has not failed is to show it.
    pub(super) suspected: bool,
    probes: u32,
    /// How often another mail was let through because a trial hung.
    hung: u32,
}

impl Outage {
    /// An outage that begins now.
    pub(super) fn new(health: Health, reason: &str, now: Instant, jitter: f64) -> Self {
        let pace = Pace::after(health);
        Self {
            pace,
            reason: reason.to_owned(),
            health,
            suspected: health.is_about_us(),
            probes: 1,
            hung: 0,
            next_probe: now + pace.pause(0, jitter),
        }
    }

    /// Goes on after a trial with a newer reason. The pauses grow on as long as the pace is the same; the
    /// probe before the trial has had its step.
    pub(super) fn goes_on(&mut self, health: Health, reason: &str, now: Instant, jitter: f64) {
        self.health = health;
        if self.pace == Pace::after(health) {
            reason.clone_into(&mut self.reason);
            self.next_probe = now + self.pace.pause(self.probes.saturating_sub(1), jitter);
        } else {
            *self = Self::new(health, reason, now, jitter);
        }
        self.suspected = false;
    }

    /// A trial sets out: sets the time of the probe that is made if it hangs.
    pub(super) fn wait_for_trial(&mut self, now: Instant) {
        let doubled = TRIAL.saturating_mul(2_u32.saturating_pow(self.hung));
        self.next_probe = now + doubled.min(LONGEST_TRIAL);
    }

    /// A trial hangs though the relay answers probes.
    pub(super) fn trial_hung(&mut self) {
        self.hung = self.hung.saturating_add(1);
    }

    /// Sets the time of the next probe.
    pub(super) fn plan_probe(&mut self, now: Instant, jitter: f64) {
        self.next_probe = now + self.pace.pause(self.probes, jitter);
        self.probes = self.probes.saturating_add(1);
    }
}
