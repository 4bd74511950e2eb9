//! The permit to send a mail to a relay. Its result is reported; a dropped permit gives up the trial, so that a mail
//! without a result does not keep the relay's only trial for ever.

use std::time::Instant;

use domain::id::MailId;
use domain::relay::RelayState;

use super::super::breaker::{Admission, Health, Report};
use super::super::{Attempt, Envelope, Slot, Stay};
use super::Relays;
use crate::jitter::jitter;

/// The permit to send a mail to a relay, with a free connection.
pub(super) struct RelayPermit {
    relays: Relays,
    index: usize,
    slot: Slot,
    admission: Admission,
    reported: bool,
}

impl RelayPermit {
    pub(super) fn new(relays: Relays, index: usize, slot: Slot, admission: Admission) -> Self {
        Self {
            relays,
            index,
            slot,
            admission,
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
        permit: impl Future<Output = Result<(), String>> + Send,
    ) -> Attempt {
        let relay = &self.relays.0.relays[self.index];
        relay
            .send_in(&self.slot, stay, envelope, message, permit)
            .await
    }

    /// Reports the result. True: no more mails go to that relay for now.
    pub(super) fn report(mut self, mail: MailId, to: &str, attempt: &Attempt) -> bool {
        self.reported = true;
        let health = Health::after(attempt);
        let (admission, why) = (self.admission, attempt.to_string());
        self.relays.change(self.index, |breaker| {
            let report = Report {
                mail,
                to,
                health,
                why: &why,
            };
            let change = breaker.tried(report, admission, Instant::now(), jitter());
            if health == Health::DoubtfulRefusal && change.is_none() {
                tracing::error!(mail.id = %mail, "the relay refuses a mail because of us: {why}");
            }
            (breaker.state() == RelayState::Open, change, Some(why))
        })
    }
}

impl Drop for RelayPermit {
    /// An aborted handler leaves no trial behind without a report.
    fn drop(&mut self) {
        if self.admission == Admission::Trial && !self.reported {
            self.relays
                .change(self.index, |breaker| (breaker.give_up_trial(), None, None));
        }
    }
}
