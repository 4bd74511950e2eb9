//! Holding the queue while the relay is sick.
//!
//! What fails because of the relay would fail for every mail, so after one such try nothing is
//! claimed for a while, and then one mail at a time, until the relay has shown that it works.
//! An outage costs no mail an attempt, and neither the relay nor the database a storm.

use std::time::{Duration, Instant};

use crate::smtp::Verdict;

/// How long nothing is tried after the relay was in trouble.
const TROUBLE: Duration = Duration::from_secs(2);

/// How long nothing is tried after the relay refused us, which somebody has to mend.
const REFUSAL: Duration = Duration::from_secs(10);

/// What a try says of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Healthy,
    /// It is in trouble.
    Sick,
    /// It does not want us.
    Refusing,
    /// Nothing was learnt.
    Unknown,
}

impl From<Verdict> for Health {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Delivered | Verdict::RecipientRefused | Verdict::RecipientLater => {
                Self::Healthy
            }
            Verdict::RelayTrouble | Verdict::Ambiguous => Self::Sick,
            Verdict::RelayRefusesUs => Self::Refusing,
            Verdict::Stopped => Self::Unknown,
        }
    }
}

/// Whether mails may be claimed.
#[derive(Debug, Default)]
pub struct Gate {
    held_until: Option<Instant>,
}

impl Gate {
    /// Takes in what a try says of the relay.
    pub fn heard(&mut self, health: Health, now: Instant) {
        let pause = match health {
            Health::Unknown => return,
            Health::Healthy => {
                if self.held_until.take().is_some() {
                    tracing::info!("the relay works again");
                }
                return;
            }
            Health::Sick => TROUBLE,
            Health::Refusing => REFUSAL,
        };
        if self.held_until.is_none() {
            tracing::warn!("the relay is out of order; the queue is held");
        }
        self.held_until = Some(now + pause);
    }

    /// How many mails may be claimed by a worker with `free` hands and `in_hand` mails.
    #[must_use]
    pub fn allows(&self, free: usize, in_hand: usize, now: Instant) -> usize {
        match self.held_until {
            None => free,
            Some(until) if now >= until && in_hand == 0 => free.min(1),
            Some(_) => 0,
        }
    }

    /// How long nothing may be claimed yet.
    #[must_use]
    pub fn pause(&self, now: Instant) -> Duration {
        self.held_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sick_relay_holds_the_queue_then_gets_one_mail_at_a_time() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        assert_eq!(gate.allows(32, 0, now), 32);

        gate.heard(Health::Sick, now);

        assert_eq!(gate.allows(32, 0, now), 0);
        assert_eq!(gate.pause(now), TROUBLE);
        let later = now + TROUBLE;
        assert_eq!(gate.allows(32, 0, later), 1);
        assert_eq!(gate.allows(31, 1, later), 0, "one is on its way already");
    }

    #[test]
    fn a_mail_that_gets_through_opens_it() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        gate.heard(Health::Refusing, now);

        gate.heard(Health::Unknown, now);
        assert_eq!(gate.allows(32, 0, now), 0);

        gate.heard(Health::Healthy, now);
        assert_eq!(gate.allows(32, 0, now), 32);
    }
}
