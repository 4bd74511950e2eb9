//! When mails go to a relay, and when they don't: one breaker for each.
//!
//! What fails because of the relay would fail for every mail, so after a few such attempts none goes
//! there until a probe has shown that it is worth another, and that one has shown that it works.
//! An outage costs no mail an attempt, and neither the relay nor the database a storm.
//!
//! | State | Mails | Left when |
//! |---|---|---|
//! | closed | all | three attempts fail by trouble within 30 s or in a row, or one because the relay refuses us: open; it says of several mails that it is about us: half open |
//! | open | none; probed on its [`Pace`] | a probe goes well: half open |
//! | half open | one, the trial | it is delivered, or its recipient refused: closed; it fails: open |
//!
//! A trial may hang, for a minute at the end of data, and it may be the mail that is odd and not the relay. So the
//! relay is probed on meanwhile, and a probe that goes well lets another mail through as a trial. Each of them may
//! come to hang as well and be cut off then, so the pauses double for as long as the outage lasts.
//!
//! A relay that fails *at a mail* (from RCPT on) may fail at an address that a stranger has chosen for
//! that. Such an attempt alone shows nothing, and no recipient counts twice. What counts are failures at three recipients
//! in a row while nothing has got through for a minute. Where the relay says that this is about us, recipients of three
//! domains in a row are enough; then the queue is not held for a probe, but one mail that has not failed goes at once
//! and shows whether it is so. A mail that gets through later, though it set out before, ends such an outage. A
//! mail at whose recipient the relay hung or broke off is no trial: it goes beside it, on the slow lane, so that a
//! mail which has not failed finds the trial free. An attempt that we cut ourselves shows nothing.
//!
//! Pure: the time and the chance are arguments. [`Relays`](super::Relays) holds the breakers.

mod health;
mod outage;
mod strikes;

use std::time::Instant;

use domain::id::MailId;
use domain::relay::RelayState;

pub use health::Health;
use outage::Outage;
pub use outage::Pace;
pub use strikes::Report;
use strikes::Strikes;

/// How a mail may go to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
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
    /// It says of several mails that it does not take them because of us. One that has not failed shows whether it
    /// takes others.
    Suspected,
    /// A probe went well.
    HalfOpened,
    /// Mails go to it again.
    Closed,
}

/// Whether mails go to one relay.
#[derive(Debug, Default)]
pub struct Breaker {
    state: State,
    strikes: Strikes,
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
    pub fn would_admit(&self) -> Option<Admission> {
        match self.state {
            State::Closed => Some(Admission::Free),
            State::HalfOpen {
                trial: Trial::Wanted,
                ..
            } => Some(Admission::Trial),
            State::Open(_) | State::HalfOpen { .. } => None,
        }
    }

    /// The same, and the mail goes. A trial must be [reported](Self::tried) or [given up](Self::give_up_trial).
    /// A `slow` mail, at whose recipient a relay has hung or broken off, is no trial: it goes beside it. So does one
    /// that brought the relay under suspicion.
    pub fn admit(&mut self, mail: MailId, slow: bool, now: Instant) -> Option<Admission> {
        let admission = self.would_admit();
        if admission == Some(Admission::Trial) && (slow || self.failed_at(mail)) {
            return Some(Admission::Aside);
        }
        if let (Some(Admission::Trial), State::HalfOpen { outage, trial }) =
            (admission, &mut self.state)
        {
            *trial = Trial::UnderWay;
            outage.wait_for_trial(now);
            self.under_way += 1;
        }
        admission
    }

    /// A trial ended without an answer: another mail may be one.
    pub fn give_up_trial(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        if let State::HalfOpen { trial, .. } = &mut self.state {
            *trial = Trial::Wanted;
        }
    }

    /// Takes in what the attempt of a mail says.
    pub fn tried(
        &mut self,
        report: Report<'_>,
        admission: Admission,
        now: Instant,
        jitter: f64,
    ) -> Option<Change> {
        let (health, gets_through) = (report.health, report.health.gets_through());
        if admission == Admission::Trial {
            self.under_way = self.under_way.saturating_sub(1);
        }
        self.strikes.answered(health, now);
        match (admission, &mut self.state) {
            (Admission::Free, State::Closed) => {
                self.strikes.count(report, now);
                let opens = self.strikes.blame(health, now);
                opens.then(|| self.open(Outage::new(health, report.why, now, jitter)))
            }
            (_, State::Closed) => None,
            // However late, and whatever became of other trials.
            (Admission::Trial | Admission::Aside, _) if gets_through => Some(self.close()),
            // It set out before the breaker opened: that shows something only of what became of single mails.
            (Admission::Free, State::Open(outage) | State::HalfOpen { outage, .. })
                if health == Health::Healthy && outage.health.is_at_a_mail() =>
            {
                Some(self.close())
            }
            // Otherwise what holds now is for probes and trials to find out.
            (Admission::Free | Admission::Aside, _) | (Admission::Trial, State::Open(_)) => None,
            (Admission::Trial, State::HalfOpen { .. }) => self.trial_ended(report, now, jitter),
        }
    }

    /// Takes in a trial that did not get through.
    fn trial_ended(&mut self, report: Report<'_>, now: Instant, jitter: f64) -> Option<Change> {
        let State::HalfOpen { mut outage, .. } = std::mem::take(&mut self.state) else {
            return None;
        };
        if matches!(report.health, Health::Unknown | Health::Slow) {
            let trial = Trial::Wanted;
            self.state = State::HalfOpen { outage, trial };
            return None;
        }
        self.strikes.clear();
        let is_news = outage.suspected;
        outage.goes_on(report.health, report.why, now, jitter);
        let pace = outage.pace;
        self.state = State::Open(outage);
        Some(if is_news {
            Change::Opened(pace)
        } else {
            Change::Reopened(pace)
        })
    }

    /// Whether the relay has failed at this mail, and no other has got through since.
    #[must_use]
    pub fn failed_at(&self, mail: MailId) -> bool {
        self.strikes.has(mail)
    }

    fn close(&mut self) -> Change {
        self.strikes.clear();
        self.state = State::Closed;
        Change::Closed
    }

    fn open(&mut self, outage: Outage) -> Change {
        let pace = outage.pace;
        if outage.suspected {
            let trial = Trial::Wanted;
            self.state = State::HalfOpen { outage, trial };
            return Change::Suspected;
        }
        self.strikes.clear();
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
