//! One mail, from claim to result: still needed? → the code → the text → a relay → the verdict.
//!
//! Knows neither apalis nor the database: it gets a claimed mail and a way to ask for the permit to send, and returns the
//! handler's result.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use domain::clock::Clock;
use domain::delivery::{AttemptOutcome, AttemptRecord, Outcome, Stage};
use domain::id::MailId;
use domain::mail::{Lane, MAX_UNCERTAIN, MailState, Priority};
use domain::otp::{CodeForm, CodeSeed, KeyRing};
use domain::queue::{Claimed, MailChallenge, SendPermit};
use domain::username;
use lettre::Address;
use lettre::message::Mailbox;
use tokio::time::timeout;

use crate::destinations::{AttemptTime, Destinations, RecipientSlot, RecipientSlots};
use crate::jitter::jitter;
use crate::mail::{Code, Content, Outgoing, build};
use crate::outcome::{of_attempts, suppression};
use crate::queue::HandlerResult;
use crate::smtp::{Attempt, Envelope, RelayAttempt, Relays, Stay, classify, fails_at_recipient};

/// While this worker lacks the key that makes the code.
const KEY_PAUSE: Duration = Duration::from_secs(30);

/// How long the relay is kept waiting while the database can't record the permit.
const PERMIT_LIMIT: Duration = Duration::from_secs(10);

/// What every delivery needs.
pub struct Delivery {
    /// The relays that mails go to.
    pub relays: Relays,
    /// Who mails are from.
    pub from: Mailbox,
    /// The keys that codes are derived with.
    pub keys: Arc<KeyRing>,
    /// How many wrong tries a code allows.
    pub max_tries: u32,
    /// For how long nothing is sent to an address that the relay has refused for good; zero: such addresses are not suppressed.
    pub suppress: Duration,
    /// Which recipients and domains relays hang at.
    pub destinations: Destinations,
    /// The mails that are being sent to each recipient.
    pub recipient_slots: RecipientSlots,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Delivery {
    /// Delivers a mail, or finds out why not. `permit` records that the end of data is about to be written.
    pub async fn deliver(
        &self,
        mail: &Claimed,
        permit: impl Future<Output = SendPermit> + Send,
    ) -> HandlerResult {
        let mut result = self.end(mail, permit).await;
        if let HandlerResult::Settled { woken, .. } = &mut result {
            woken.extend(self.recipient_slots.woken(&mail.to));
        }
        result
    }

    async fn end(
        &self,
        mail: &Claimed,
        permit: impl Future<Output = SendPermit> + Send,
    ) -> HandlerResult {
        let (stay, _slot) = match self.admit(mail) {
            Ok(admitted) => admitted,
            Err(result) => return *result,
        };
        let (envelope, message) = match self.prepare(mail) {
            Ok(prepared) => prepared,
            Err(outcome) => return settled(mail, *outcome, Vec::new()),
        };
        let mut refusal = None;
        let ask = async {
            match timeout(PERMIT_LIMIT, permit).await {
                Ok(SendPermit::Granted) => Ok(()),
                Ok(refused) => {
                    refusal = Some(refused);
                    Err("it is no longer to be sent".to_owned())
                }
                Err(_) => Err("the database was busy for too long".to_owned()),
            }
        };
        let now = || self.clock.now();
        let attempts = (self.relays)
            .hand_over_within(Some(&stay), mail.claim.mail, &envelope, &message, ask, now)
            .await;
        drop(stay);
        let Some(last) = attempts.last() else {
            return HandlerResult::Held;
        };
        let woken = self.learn(mail, &last.attempt);
        if let Some(SendPermit::ClaimLost(_)) = refusal {
            return HandlerResult::Lost;
        }
        let outcome = match refusal {
            Some(SendPermit::CodeDead(life)) => Outcome::of_dead_code(mail.claim, life, now()),
            _ => Outcome {
                suppress_until: suppression(last, self.suppress, now()),
                ..of_attempts(mail, &attempts, last, now())
            },
        };
        let records = (attempts.iter())
            .map(|attempt| record(attempt, outcome.state))
            .collect();
        settled(mail, Outcome { records, ..outcome }, woken)
    }

    /// Whether the mail is to be tried now, and for how long it may be.
    fn admit(&self, mail: &Claimed) -> Result<(Stay, RecipientSlot<'_>), Box<HandlerResult>> {
        if let Some(outcome) = Outcome::not_needed(mail, self.max_tries, self.clock.now()) {
            return Err(Box::new(settled(mail, outcome, Vec::new())));
        }
        let (id, slow) = (mail.claim.mail, mail.lane.is_slow());
        if let AttemptTime::Later(wait, lane, why) = self.destinations.admit(id, &mail.to, slow) {
            return Err(Box::new(self.later(mail, wait, lane, why)));
        }
        let recipient = (self.recipient_slots.begin(id, &mail.to))
            .map_err(|(wait, why)| self.later(mail, wait, mail.lane, why.to_owned()))
            .map_err(Box::new)?;
        let stay = self.relays.lane().stay(mail.lane, self.age(mail));
        let stay = stay.ok_or_else(|| Box::new(HandlerResult::Held))?;
        Ok((
            stay.last(mail.uncertain_attempts + 1 >= MAX_UNCERTAIN),
            recipient,
        ))
    }

    /// The mail waits; no attempt is counted.
    fn later(&self, mail: &Claimed, wait: Duration, lane: Lane, why: String) -> HandlerResult {
        let now = self.clock.now();
        let again_at = now + wait.mul_f64(1.1 + 0.1 * jitter());
        let outcome = Outcome::waiting(mail.claim, why, again_at, now).on(lane);
        settled(mail, outcome, Vec::new())
    }

    /// The mail's envelope and bytes.
    fn prepare(&self, mail: &Claimed) -> Result<(Envelope, Vec<u8>), Box<Outcome>> {
        let content = self.content(mail)?;
        self.compose(mail, content)
            .map_err(|reason| Box::new(self.finished(mail, MailState::Undeliverable, reason)))
    }

    fn finished(&self, mail: &Claimed, state: MailState, reason: impl Into<String>) -> Outcome {
        Outcome::finished(mail.claim, state, reason, self.clock.now())
    }

    /// Keeps in mind whether the relay hangs at the recipient. Returns the mails that waited for an answer.
    fn learn(&self, mail: &Claimed, attempt: &Attempt) -> Vec<MailId> {
        if fails_at_recipient(attempt) {
            self.destinations.failed(&mail.to, attempt.duration);
        } else if attempt.reply().is_some() && attempt.stage >= Stage::Rcpt {
            return self.destinations.answered(&mail.to);
        }
        Vec::new()
    }

    fn age(&self, mail: &Claimed) -> Duration {
        let age = self.clock.now().duration_since(mail.created);
        Duration::try_from(age).unwrap_or_default()
    }

    fn content(&self, mail: &Claimed) -> Result<Content, Box<Outcome>> {
        match mail.kind.priority() {
            Priority::Notice => Ok(Content::Notice(mail.kind)),
            Priority::Code => {
                let gone = || self.finished(mail, MailState::NotNeeded, "its challenge is gone");
                let challenge = mail.challenge.as_ref().ok_or_else(|| Box::new(gone()))?;
                Ok(Content::Code(mail.kind, self.code(mail, challenge)?))
            }
        }
    }

    fn code(&self, mail: &Claimed, challenge: &MailChallenge) -> Result<Code, Box<Outcome>> {
        let of_form = |form| {
            let seed = CodeSeed {
                form,
                ..challenge.seed.clone()
            };
            let code = self.keys.code(&seed)?;
            Some(code.expose().to_owned())
        };
        let Some(code) = of_form(CodeForm::Short) else {
            let reason = format!(
                "this worker lacks the secret key {} that makes its code",
                challenge.seed.key
            );
            tracing::error!(mail.id = %mail.claim.mail, "{reason}");
            let now = self.clock.now();
            let outcome = Outcome::waiting(mail.claim, reason, now + KEY_PAUSE, now);
            return Err(Box::new(outcome));
        };
        Ok(Code {
            code,
            long_code: (challenge.needs_long_code(self.max_tries))
                .then(|| of_form(CodeForm::Long))
                .flatten(),
            username_masked: username::mask(&challenge.username),
            minutes_valid: minutes(mail),
        })
    }

    /// The message's bytes. Id and date are those of the request, so that a repeated attempt is the same message.
    fn compose(&self, mail: &Claimed, content: Content) -> Result<(Envelope, Vec<u8>), String> {
        let to: Address = mail
            .to
            .parse()
            .map_err(|error| format!("its address can't be mailed to: {error}"))?;
        let outgoing = Outgoing {
            message_id: format!("<{}@{}>", mail.claim.mail, self.from.email.domain()),
            from: self.from.clone(),
            to,
            date: SystemTime::from(mail.created),
            content,
        };
        build(&outgoing).map_err(|error| {
            tracing::error!(mail.id = %mail.claim.mail, %error, "a mail could not be composed");
            format!("it could not be composed: {error}")
        })
    }
}

/// The life of the mail's code in whole minutes, one at least.
fn minutes(mail: &Claimed) -> u32 {
    let seconds = mail.deadline.map_or(0, |deadline| {
        deadline.duration_since(mail.created).as_secs()
    });
    u32::try_from(seconds / 60).unwrap_or(u32::MAX).max(1)
}

/// The row in the mail's timeline.
fn record(relay_attempt: &RelayAttempt, state: MailState) -> AttemptRecord {
    let attempt: &Attempt = &relay_attempt.attempt;
    let reply = attempt.reply();
    AttemptRecord {
        started: relay_attempt.started,
        duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
        relay: attempt.relay.clone(),
        reused: attempt.reused,
        stage: attempt.stage.into(),
        code: reply.map(|reply| reply.code),
        enhanced: reply.and_then(|reply| reply.enhanced.clone()),
        text: attempt.text().to_owned(),
        outcome: match classify(attempt) {
            AttemptOutcome::Stopped => AttemptOutcome::stopped(state),
            outcome => outcome,
        }
        .into(),
        again_at: None,
    }
}

/// Logs the result in one line.
fn settled(mail: &Claimed, outcome: Outcome, woken: Vec<MailId>) -> HandlerResult {
    let outcome = outcome.honest(mail.uncertain_attempts);
    let record = outcome.records.last();
    tracing::info!(
        mail.id = %mail.claim.mail,
        mail.kind = mail.kind.as_str(),
        mail.state = outcome.state.as_str(),
        mail.to = domain::email::mask(&mail.to),
        job.attempt = mail.tries + u32::from(outcome.counted),
        smtp.code = record.and_then(|record| record.code),
        duration_ms = record.map(|record| record.duration_ms),
        request.id = mail.request_id,
        reason = outcome.reason,
        "a mail was handled"
    );
    let outcome = Box::new(outcome);
    HandlerResult::Settled { outcome, woken }
}
