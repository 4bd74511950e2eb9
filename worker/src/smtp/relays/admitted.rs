//! A mail that may go to a relay. What came of it is reported, or nothing: a mail that nobody knows the
//! end of must not keep the relay's only trial for ever.

use std::time::Instant;

use domain::id::MailId;
use domain::relay::RelayState;

use super::super::breaker::{Health, Pass, Report};
use super::super::{Envelope, Mark, Slot, Stay, Try};
use super::Relays;
use crate::jitter::jitter;

/// A mail that may go to a relay, on a connection that is free for it.
pub(super) struct Admitted {
    relays: Relays,
    index: usize,
    slot: Slot,
    pass: Pass,
    reported: bool,
}

impl Admitted {
    pub(super) fn new(relays: Relays, index: usize, slot: Slot, pass: Pass) -> Self {
        Self {
            relays,
            index,
            slot,
            pass,
            reported: false,
        }
    }

    /// The relay's place.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Hands the mail over.
    pub(super) async fn send(
        &self,
        stay: Option<&Stay>,
        envelope: &Envelope,
        message: &[u8],
        mark: impl Future<Output = Mark> + Send,
    ) -> Try {
        let relay = &self.relays.0.relays[self.index];
        relay
            .send_in(&self.slot, stay, envelope, message, mark)
            .await
    }

    /// Says what came of it. True: no more mails go to that relay for now.
    pub(super) fn report(mut self, mail: MailId, to: &str, attempt: &Try) -> bool {
        self.reported = true;
        let health = Health::after(attempt);
        let (pass, why) = (self.pass, attempt.to_string());
        self.relays.change(self.index, |breaker| {
            let report = Report {
                mail,
                to,
                health,
                why: &why,
            };
            let change = breaker.tried(report, pass, Instant::now(), jitter());
            if health == Health::DoubtfulRefusal && change.is_none() {
                tracing::error!(mail.id = %mail, "the relay refuses a mail because of us: {why}");
            }
            (breaker.state() == RelayState::Open, change, Some(why))
        })
    }
}

impl Drop for Admitted {
    /// A handler that was given up leaves no trial behind that nobody will report.
    fn drop(&mut self) {
        if self.pass == Pass::Trial && !self.reported {
            self.relays
                .change(self.index, |breaker| (breaker.give_up_trial(), None, None));
        }
    }
}
