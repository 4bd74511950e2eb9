//! When mails go to a relay, and when they don't: one breaker for each.
//!
//! What fails because of the relay would fail for every mail, so after a few such tries none goes
//! there until a probe has shown that it is worth another, and that one has shown that it works.
//! An outage costs no mail an attempt, and neither the relay nor the database a storm.
//!
//! | State | Mails | Left when |
//! |---|---|---|
//! | closed | all | three tries fail by trouble within 30 s or in a row, or one because the relay refuses us: open |
//! | open | none; probed on its [`Pace`] | a probe goes well: half open |
//! | half open | one, the trial | it is delivered, or its recipient refused: closed; it fails: open |
//!
//! A trial may hang, for a minute at the final dot, and it may be the mail that is odd and not the relay. So the
//! relay is probed on meanwhile, and a probe that goes well lets another mail through as a trial. Each of them may
//! come to hang as well and be cut off then, so the pauses double for as long as the outage lasts.
//!
//! A relay that fails *at a mail* (from RCPT on) may fail at an address that a stranger has chosen for
//! that. Such a try alone shows nothing: only three mails in a row at which it fails count, and
//! no mail counts twice. Where it does not say that this is about us, nothing must have got through for a minute
//! either. A mail at whose recipient it hung or broke off is no trial: it goes beside it, on the slow lane, so that a
//! mail which has not failed finds the trial free.
//!
//! Pure: the time and the chance are arguments. [`Relays`](super::Relays) holds the breakers.

mod health;
mod outage;

use std::time::{Duration, Instant};

use domain::id::MailId;
use domain::relay::RelayState;

pub use health::Health;
use outage::Outage;
pub use outage::Pace;

/// So many tries in trouble open the breaker.
const STRIKES: usize = 3;

/// If they are within this time, counted on the steady clock, or if no mail got through in between: with few mails
/// and a relay that is slow to fail there are never three within the time.
const WINDOW: Duration = Duration::from_secs(30);

/// For so long after a mail got through a relay that fails at mails only is not out of order.
const WORKS_FOR: Duration = Duration::from_mins(1);

/// How a mail may go to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Like any other.
    Free,
    /// As the one mail that shows whether the relay works again.
    Trial,
    /// Beside the trial, because the mail is slow: only its success says something of the relay.
    Aside,
}

/// What a report has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Mails went to the relay and don't any more.
    Opened(Pace),
    /// The probe went well, the mail after it did not.
    Reopened(Pace),
    /// It is out of order as before, but for another reason.
    Turned(Pace),
    /// A probe went well.
    HalfOpened,
    /// Mails go to it again.
    Closed,
}

/// Whether mails go to one relay.
#[derive(Debug, Default)]
pub struct Breaker {
    state: State,
    strikes: Vec<Strike>,
    /// When a mail got through last.
    healthy: Option<Instant>,
    /// Trials of which nothing has been heard yet.
    under_way: usize,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Open(Outage),
    HalfOpen {
        outage: Outage,
        trial: Trial,
    },
}

/// Whether a mail may go to a relay that is half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trial {
    /// One may.
    Wanted,
    /// One is on its way.
    UnderWay,
    /// It has been for so long that the relay is probed again.
    Hangs,
}

/// A try that failed by trouble while the breaker was closed.
#[derive(Debug)]
struct Strike {
    at: Instant,
    /// The mail, if the relay failed at that.
    mail: Option<MailId>,
    health: Health,
}

impl Breaker {
    /// The state, as others see it.
    #[must_use]
    pub fn state(&self) -> RelayState {
        match self.state {
            State::Closed => RelayState::Closed,
            State::Open(_) => RelayState::Open,
            State::HalfOpen { .. } => RelayState::HalfOpen,
        }
    }

    /// What is wrong, unless it is closed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match &self.state {
            State::Closed => None,
            State::Open(outage) | State::HalfOpen { outage, .. } => Some(&outage.reason),
        }
    }

    /// When the relay is to be probed, while it is open or a trial is on its way.
    #[must_use]
    pub fn next_probe(&self) -> Option<Instant> {
        match &self.state {
            State::Open(outage)
            | State::HalfOpen {
                outage,
                trial: Trial::UnderWay | Trial::Hangs,
            } => Some(outage.next_probe),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    /// How many trials are on their way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// How a mail that comes now would go to the relay.
    #[must_use]
    pub fn would_admit(&self) -> Option<Pass> {
        match self.state {
            State::Closed => Some(Pass::Free),
            State::HalfOpen {
                trial: Trial::Wanted,
                ..
            } => Some(Pass::Trial),
            State::Open(_) | State::HalfOpen { .. } => None,
        }
    }

    /// The same, and the mail goes. A trial must be [reported](Self::tried) or [given up](Self::give_up_trial).
    /// A `slow` mail, at whose recipient a relay has hung or broken off, is no trial: it goes beside it.
    pub fn admit(&mut self, slow: bool, now: Instant) -> Option<Pass> {
        let pass = self.would_admit();
        if slow && pass == Some(Pass::Trial) {
            return Some(Pass::Aside);
        }
        if let (Some(Pass::Trial), State::HalfOpen { outage, trial }) = (pass, &mut self.state) {
            *trial = Trial::UnderWay;
            outage.wait_for_trial(now);
            self.under_way += 1;
        }
        pass
    }

    /// A trial ended without an answer: another mail may be one.
    pub fn give_up_trial(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        if let State::HalfOpen { trial, .. } = &mut self.state {
            *trial = Trial::Wanted;
        }
    }

    /// Takes in what the try of a mail says.
    pub fn tried(
        &mut self,
        mail: MailId,
        pass: Pass,
        health: Health,
        reason: &str,
        now: Instant,
        jitter: f64,
    ) -> Option<Change> {
        if pass == Pass::Trial {
            self.under_way = self.under_way.saturating_sub(1);
        }
        if health == Health::Healthy {
            self.healthy = Some(now);
        }
        match (pass, &mut self.state) {
            (Pass::Free, State::Closed) => {
                self.count(mail, health, now);
                let opens = health == Health::Refusing || self.has_enough_strikes(now);
                opens.then(|| self.open(Outage::new(health, reason, now, jitter)))
            }
            // It set out before the breaker opened. What holds now is for probes and trials to find out.
            (Pass::Free, _) | (Pass::Trial | Pass::Aside, State::Closed) => None,
            // However late, and whatever became of other trials.
            (Pass::Trial | Pass::Aside, _) if health == Health::Healthy => {
                self.state = State::Closed;
                Some(Change::Closed)
            }
            (Pass::Aside, _) | (Pass::Trial, State::Open(_)) => None,
            (Pass::Trial, State::HalfOpen { trial, .. }) if health == Health::Unknown => {
                *trial = Trial::Wanted;
                None
            }
            (Pass::Trial, State::HalfOpen { outage, .. }) => {
                outage.goes_on(health, reason, now, jitter);
                let pace = outage.pace;
                self.state = match std::mem::take(&mut self.state) {
                    State::HalfOpen { outage, .. } => State::Open(outage),
                    other => other,
                };
                Some(Change::Reopened(pace))
            }
        }
    }

    /// Whether the relay has failed at this mail, and no other has got through since.
    #[must_use]
    pub fn failed_at(&self, mail: MailId) -> bool {
        self.strikes.iter().any(|strike| strike.mail == Some(mail))
    }

    /// Counts a try of a closed breaker. When a mail gets through, what was about another is forgotten, and what
    /// is old.
    fn count(&mut self, mail: MailId, health: Health, now: Instant) {
        let recent = |strike: &Strike| now.saturating_duration_since(strike.at) < WINDOW;
        let (at, strikes) = (now, &mut self.strikes);
        match health {
            Health::Healthy => strikes.retain(|strike| strike.mail.is_none() && recent(strike)),
            Health::Sick => strikes.push(Strike {
                at,
                mail: None,
                health,
            }),
            Health::Doubtful | Health::DoubtfulRefusal => {
                let mail = Some(mail);
                if strikes.iter().all(|strike| strike.mail != mail) {
                    strikes.push(Strike { at, mail, health });
                }
            }
            Health::Refusing | Health::Unknown => {}
        }
    }

    /// Whether there were so many failures of one kind that the relay is to blame. Many mails to recipients at which it
    /// fails may come at once: they prove nothing while others get through.
    fn has_enough_strikes(&self, now: Instant) -> bool {
        let count = |health| {
            let of = self.strikes.iter().filter(|strike| strike.health == health);
            of.count()
        };
        let works = |at| now.saturating_duration_since(at) < WORKS_FOR;
        count(Health::Sick) >= STRIKES
            || count(Health::DoubtfulRefusal) >= STRIKES
            || (count(Health::Doubtful) >= STRIKES && !self.healthy.is_some_and(works))
    }

    fn open(&mut self, outage: Outage) -> Change {
        self.strikes.clear();
        let pace = outage.pace;
        self.state = State::Open(outage);
        Change::Opened(pace)
    }

    /// Whether a probe is to set out now. Plans the next one: it does not wait for this one's end, which
    /// may hang.
    pub fn probe_is_due(&mut self, now: Instant, jitter: f64) -> bool {
        match &mut self.state {
            State::Open(outage) if now >= outage.next_probe => {
                outage.plan_probe(now, jitter);
                true
            }
            State::HalfOpen {
                outage,
                trial: trial @ (Trial::UnderWay | Trial::Hangs),
            } if now >= outage.next_probe => {
                *trial = Trial::Hangs;
                outage.next_probe = now + Pace::Trouble.pause(0, jitter);
                true
            }
            _ => false,
        }
    }

    /// Takes in a probe that went well.
    pub fn probed_well(&mut self) -> Option<Change> {
        match std::mem::take(&mut self.state) {
            State::Open(outage) => {
                let trial = Trial::Wanted;
                self.state = State::HalfOpen { outage, trial };
                Some(Change::HalfOpened)
            }
            // Not while it is only under way: that probe set out before the trial did.
            State::HalfOpen {
                mut outage,
                trial: Trial::Hangs,
            } => {
                outage.trial_hung();
                let trial = Trial::Wanted;
                self.state = State::HalfOpen { outage, trial };
                Some(Change::HalfOpened)
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Takes in a probe that failed.
    pub fn probed_badly(
        &mut self,
        health: Health,
        reason: &str,
        now: Instant,
        jitter: f64,
    ) -> Option<Change> {
        let State::Open(outage) = &mut self.state else {
            return None;
        };
        let pace = Pace::after(health);
        if outage.pace == pace {
            reason.clone_into(&mut outage.reason);
            return None;
        }
        *outage = Outage::new(health, reason, now, jitter);
        Some(Change::Turned(pace))
    }
}

#[cfg(test)]
mod tests;
