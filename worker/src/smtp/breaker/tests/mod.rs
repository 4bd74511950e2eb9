//! The breaker's table, row by row.

use std::time::Duration;

use super::strikes::{MOST_STRIKES, WORKS_FOR};
use super::*;
use crate::smtp::{Attempt, AttemptOutcome, End, Reply, Stage};

mod opening;
mod probing;
mod trials;

const SECOND: Duration = Duration::from_secs(1);

/// A breaker and its clock. Chance is in the middle unless a test says otherwise.
struct Scene {
    breaker: Breaker,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self {
            breaker: Breaker::default(),
            now: Instant::now(),
        }
    }

    fn after(&mut self, pause: Duration) -> &mut Self {
        self.now += pause;
        self
    }

    /// How a mail that comes now goes.
    fn admits(&mut self) -> Option<Admission> {
        self.breaker.admit(MailId::generate(), false, self.now)
    }

    /// A mail to a domain of its own goes by that admission and comes to that.
    fn tries(&mut self, mail: MailId, admission: Admission, health: Health) -> Option<Change> {
        self.tries_to(&format!("ada@{mail}.test"), mail, admission, health)
    }

    /// The same to that recipient.
    fn tries_to(
        &mut self,
        to: &str,
        mail: MailId,
        admission: Admission,
        health: Health,
    ) -> Option<Change> {
        let report = Report {
            mail,
            to,
            health,
            why: &format!("{health:?}"),
        };
        self.breaker.tried(report, admission, self.now, 0.0)
    }

    /// Any mail is tried.
    fn comes(&mut self, health: Health) -> Option<Change> {
        self.tries(MailId::generate(), Admission::Free, health)
    }

    /// A mail to that recipient is tried.
    fn comes_to(&mut self, to: &str, health: Health) -> Option<Change> {
        self.tries_to(to, MailId::generate(), Admission::Free, health)
    }

    /// The next probe sets out when it is due; how long that took.
    fn waits_for_probe(&mut self) -> Duration {
        let due = self.breaker.next_probe().expect("it is open");
        let pause = due - self.now;
        if !pause.is_zero() {
            let early = due.checked_sub(Duration::from_millis(1)).unwrap();
            assert!(!self.breaker.probe_is_due(early, 0.0));
        }
        self.now = due;
        assert!(self.breaker.probe_is_due(due, 0.0));
        pause
    }

    /// A probe goes well, and a mail goes as the trial with that result.
    fn trial(&mut self, health: Health) -> Option<Change> {
        self.waits_for_probe();
        assert_eq!(self.breaker.probed_well(), Some(Change::HalfOpened));
        assert_eq!(self.admits(), Some(Admission::Trial));
        self.tries(MailId::generate(), Admission::Trial, health)
    }

    fn opened(health: Health) -> Self {
        let mut scene = Self::new();
        while scene.comes(health).is_none() {}
        if scene.breaker.state() == RelayState::HalfOpen {
            assert_eq!(scene.admits(), Some(Admission::Trial));
            scene.tries(MailId::generate(), Admission::Trial, health);
        }
        scene
    }
}
