//! One mail, from claim to outcome: still needed? → the code → the text → a relay → what it means.
//!
//! Knows no apalis and no database: it is given a claimed mail and a way to ask for its mark, and
//! answers with how it ended.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use domain::clock::Clock;
use domain::id::MailId;
use domain::mail::{Lane, MAX_CUT_OFFS, MailState, Priority};
use domain::otp::{CodeForm, CodeSeed, KeyRing};
use domain::queue::{Claimed, MailChallenge, SendPermit, TryRecord};
use domain::username;
use lettre::Address;
use lettre::message::Mailbox;
use tokio::time::timeout;

use crate::destinations::{Admission, Destinations, InFlight, Places};
use crate::jitter::jitter;
use crate::mail::{Code, Content, Outgoing, build};
use crate::outcome::Outcome;
use crate::queue::Ending;
use crate::smtp::{
    Envelope, Mark, Reach, Relays, Stage, Stay, Try, Verdict, classify, fails_at_recipient,
};

/// While this worker lacks the key that makes the code.
const KEY_PAUSE: Duration = Duration::from_secs(30);

/// How long the relay is kept waiting while the database can't put the mark on record.
const MARK_LIMIT: Duration = Duration::from_secs(10);

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
    /// For how long nothing is sent to an address that the relay has refused for good; zero: never that.
    pub suppress: Duration,
    /// Which recipients and domains relays hang at.
    pub destinations: Destinations,
    /// Which recipients mails are sent to now.
    pub places: Places,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Delivery {
    /// Delivers a mail, or finds out why not. `mark` puts on record that the final dot is about to be written.
    pub async fn deliver(
        &self,
        mail: &Claimed,
        mark: impl Future<Output = SendPermit> + Send,
    ) -> Ending {
        let mut ending = self.end(mail, mark).await;
        if let Ending::Settled(outcome) = &mut ending {
            outcome.woken.extend(self.places.woken(&mail.to));
        }
        ending
    }

    async fn end(&self, mail: &Claimed, mark: impl Future<Output = SendPermit> + Send) -> Ending {
        let (stay, _in_flight) = match self.admit(mail) {
            Ok(admitted) => admitted,
            Err(ending) => return *ending,
        };
        let (envelope, message) = match self.prepare(mail) {
            Ok(prepared) => prepared,
            Err(outcome) => return settled(mail, *outcome),
        };
        let mut refusal = None;
        let ask = async {
            match timeout(MARK_LIMIT, mark).await {
                Ok(SendPermit::Granted) => Mark::Go,
                Ok(refused) => {
                    refusal = Some(refused);
                    Mark::Stop("it is no longer to be sent".to_owned())
                }
                Err(_) => Mark::Stop("the database was busy for too long".to_owned()),
            }
        };
        let now = || self.clock.now();
        let reaches = (self.relays)
            .hand_over_within(Some(&stay), mail.claim.mail, &envelope, &message, ask, now)
            .await;
        drop(stay);
        let Some(last) = reaches.last() else {
            return Ending::Held;
        };
        let woken = self.learn(mail, &last.attempt);
        if let Some(SendPermit::ClaimLost(_)) = refusal {
            return Ending::Lost;
        }
        let outcome = match refusal {
            Some(SendPermit::CodeDead(life)) => Outcome::of_dead_code(life),
            _ => Outcome::of_reaches(mail, &reaches, last, now()).suppressing(
                last,
                self.suppress,
                now(),
            ),
        };
        let records = (reaches.iter())
            .map(|reach| record(reach, outcome.state))
            .collect();
        let outcome = Outcome {
            woken,
            records,
            ..outcome
        };
        settled(mail, outcome)
    }

    /// Whether the mail is to be tried now, and for how long it may be.
    fn admit(&self, mail: &Claimed) -> Result<(Stay, InFlight<'_>), Box<Ending>> {
        if let Some(outcome) = Outcome::not_needed(mail, self.max_tries, self.clock.now())
            .or_else(|| Outcome::suppressed(mail))
        {
            return Err(Box::new(settled(mail, outcome)));
        }
        let (id, slow) = (mail.claim.mail, mail.lane.is_slow());
        if let Admission::Later(wait, lane, why) = self.destinations.admit(id, &mail.to, slow) {
            return Err(Box::new(self.later(mail, wait, lane, why)));
        }
        let in_flight = (self.places.begin(id, &mail.to))
            .map_err(|(wait, why)| self.later(mail, wait, mail.lane, why.to_owned()))
            .map_err(Box::new)?;
        let stay = self.relays.lane().stay(mail.lane, self.age(mail));
        let stay = stay.ok_or_else(|| Box::new(Ending::Held))?;
        Ok((stay.last(mail.cut_offs + 1 >= MAX_CUT_OFFS), in_flight))
    }

    /// The mail waits; no try is counted.
    fn later(&self, mail: &Claimed, wait: Duration, lane: Lane, why: String) -> Ending {
        let again_at = self.clock.now() + wait.mul_f64(1.1 + 0.1 * jitter());
        let outcome = Outcome::waiting(why, again_at).on(lane);
        settled(mail, outcome)
    }

    /// The mail's envelope and bytes.
    fn prepare(&self, mail: &Claimed) -> Result<(Envelope, Vec<u8>), Box<Outcome>> {
        let content = self.content(mail)?;
        self.compose(mail, content)
            .map_err(|reason| Box::new(Outcome::finished(MailState::Undeliverable, reason)))
    }

    /// Keeps in mind whether the relay hangs at the recipient. Returns the mails that waited for an answer.
    fn learn(&self, mail: &Claimed, attempt: &Try) -> Vec<MailId> {
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
                let gone = || Outcome::finished(MailState::NotNeeded, "its challenge is gone");
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
            let outcome = Outcome::waiting(reason, self.clock.now() + KEY_PAUSE);
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

    /// The message's bytes. Id and date are those of the request, so that a repeated try is the same message.
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
fn record(reach: &Reach, state: MailState) -> TryRecord {
    let attempt: &Try = &reach.attempt;
    let reply = attempt.reply();
    TryRecord {
        started: reach.started,
        duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
        relay: attempt.relay.clone(),
        reused: attempt.reused,
        stage: attempt.stage.as_str().to_owned(),
        code: reply.map(|reply| reply.code),
        enhanced: reply.and_then(|reply| reply.enhanced.clone()),
        text: attempt.text().to_owned(),
        outcome: match classify(attempt) {
            Verdict::Stopped => state.as_str().to_owned(),
            Verdict::Ambiguous => "cut_off".to_owned(),
            verdict => verdict.as_str().to_owned(),
        },
        again_at: None,
    }
}

/// Says in one line what became of the mail.
fn settled(mail: &Claimed, outcome: Outcome) -> Ending {
    let outcome = outcome.honest(mail.cut_offs);
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
    Ending::Settled(Box::new(outcome))
}
