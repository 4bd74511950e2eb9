//! Holding the queue while the relay is sick.
//!
//! What fails because of the relay would fail for every mail, so after one such try nothing is
//! claimed for a while, and then one mail at a time, until the relay has shown that it works.
//! An outage costs no mail an attempt, and neither the relay nor the database a storm.

use std::time::{Duration, Instant};

use crate::smtp::{Stage, Verdict};

/// How long nothing is tried after the relay was in trouble.
const TROUBLE: Duration = Duration::from_secs(2);

/// How long nothing is tried after the relay refused us, which somebody has to mend.
const REFUSAL: Duration = Duration::from_secs(10);

/// After so many doubtful tries in a row it is the relay, not the recipients.
const STRIKES: u32 = 3;

/// What a try says of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Healthy,
    /// It is in trouble: it did not get as far as the recipient.
    Sick,
    /// It does not want us, whomever we mail to.
    Refusing,
    /// It failed at this mail. A stranger may have chosen an address at which it does, so one such
    /// try alone must not hold up everybody.
    Doubtful,
    /// Nothing was learnt.
    Unknown,
}

impl Health {
    /// What a try that ended at that stage, with that verdict, says of the relay.
    #[must_use]
    pub fn of(stage: Stage, verdict: Verdict) -> Self {
        match verdict {
            Verdict::Delivered | Verdict::RecipientRefused | Verdict::RecipientLater => {
                Self::Healthy
            }
            Verdict::Stopped => Self::Unknown,
            _ if stage >= Stage::Rcpt => Self::Doubtful,
            Verdict::RelayTrouble | Verdict::Ambiguous => Self::Sick,
            Verdict::RelayRefusesUs => Self::Refusing,
        }
    }
}

/// Whether mails may be claimed.
#[derive(Debug, Default)]
pub struct Gate {
    held_until: Option<Instant>,
    /// Doubtful tries since the last good one.
    strikes: u32,
}

impl Gate {
    /// Takes in what a try says of the relay.
    pub fn heard(&mut self, health: Health, now: Instant) {
        match health {
            Health::Unknown => {}
            Health::Healthy => {
                self.strikes = 0;
                self.open();
            }
            Health::Doubtful => {
                self.strikes = self.strikes.saturating_add(1);
                if self.strikes >= STRIKES {
                    self.hold(now + TROUBLE);
                } else {
                    // It took the connection and the sender.
                    self.open();
                }
            }
            Health::Sick => self.hold(now + TROUBLE),
            Health::Refusing => self.hold(now + REFUSAL),
        }
    }

    fn open(&mut self) {
        if self.held_until.take().is_some() {
            tracing::info!("the relay works again");
        }
    }

    fn hold(&mut self, until: Instant) {
        if self.held_until.is_none() {
            tracing::warn!("the relay is out of order; the queue is held");
        }
        self.held_until = Some(until);
    }

    /// How many mails may be claimed by a worker with `free` hands; `probing`: a mail that was claimed
    /// while the queue was held is still on its way.
    #[must_use]
    pub fn allows(&self, free: usize, probing: bool, now: Instant) -> usize {
        match self.held_until {
            None => free,
            Some(until) if now >= until && !probing => free.min(1),
            Some(_) => 0,
        }
    }

    /// Whether the queue is held: what is claimed now is a probe.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held_until.is_some()
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
        assert_eq!(gate.allows(32, false, now), 32);

        gate.heard(Health::Sick, now);

        assert_eq!(gate.allows(32, false, now), 0);
        assert_eq!(gate.pause(now), TROUBLE);
        let later = now + TROUBLE;
        assert_eq!(gate.allows(32, false, later), 1);
        assert_eq!(gate.allows(31, true, later), 0, "one is on its way already");
    }

    #[test]
    fn a_mail_that_gets_through_opens_it() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        gate.heard(Health::Refusing, now);

        gate.heard(Health::Unknown, now);
        assert_eq!(gate.allows(32, false, now), 0);

        gate.heard(Health::Healthy, now);
        assert_eq!(gate.allows(32, false, now), 32);
    }

    #[test]
    fn a_mail_at_which_the_relay_fails_holds_up_nobody_but_several_in_a_row_do() {
        let (mut gate, now) = (Gate::default(), Instant::now());

        gate.heard(Health::Doubtful, now);
        gate.heard(Health::Doubtful, now);
        gate.heard(Health::Healthy, now);
        gate.heard(Health::Doubtful, now);
        gate.heard(Health::Doubtful, now);
        assert_eq!(gate.allows(32, false, now), 32);

        gate.heard(Health::Doubtful, now);
        assert_eq!(gate.allows(32, false, now), 0);
    }

    #[test]
    fn what_is_about_the_recipient_is_never_about_the_relay_alone() {
        let of = Health::of;

        assert_eq!(of(Stage::Connect, Verdict::RelayTrouble), Health::Sick);
        assert_eq!(of(Stage::Mail, Verdict::RelayRefusesUs), Health::Refusing);
        assert_eq!(of(Stage::Rcpt, Verdict::RelayTrouble), Health::Doubtful);
        assert_eq!(of(Stage::Rcpt, Verdict::RelayRefusesUs), Health::Doubtful);
        assert_eq!(of(Stage::Dot, Verdict::Ambiguous), Health::Doubtful);
        assert_eq!(of(Stage::Rcpt, Verdict::RecipientRefused), Health::Healthy);
    }
}
