//! The outcome table, row by row, each over the wire: at which stage the relay says what, and what that
//! means for the mail and for the relay.
//!
//! The rows of the table, and the scene in which each is seen: a relay that does something at a stage.

mod replies;
mod setting_up;
mod silence;

use std::sync::Arc;

use domain::clock::ManualClock;
use domain::id::MailId;
use domain::mail::{Lane, MailKind, MailState};
use domain::queue::{Claim, Claimed};
use domain::relay::RelayState;
use jiff::Timestamp;
use smart_notes_worker::outcome::of_attempts;
use smart_notes_worker::smtp::{
    AttemptOutcome, Credentials, Envelope, Relay, RelayAttempt, RelayOptions, RelaySecurity,
    RelayUrl, Relays, Stage, classify,
};
use tempfile::NamedTempFile;

use crate::scripted::certificate::certificate;
use crate::scripted::{Act, MESSAGE, Script, Scripted, Tls, envelope, on};

/// What becomes of the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    /// Over, in that state.
    Over(MailState),
    /// Waits for its next attempt on the schedule; this one counts.
    OnSchedule,
    /// Waits; no attempt is counted.
    Waits,
    /// Gets at most one more attempt.
    OnceMore,
}

/// What becomes of the relay's breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    /// Stays closed.
    Healthy,
    /// Opens, or comes under suspicion, after three mails.
    Counts,
    /// Opens at once.
    OpensAtOnce,
}

/// A row of the table: the verdict, the job, the relay.
type Row = (AttemptOutcome, Job, Breaker);

const DELIVERED: Row = (
    AttemptOutcome::Delivered,
    Job::Over(MailState::Delivered),
    Breaker::Healthy,
);
const REFUSED: Row = (
    AttemptOutcome::RecipientRefused,
    Job::Over(MailState::Undeliverable),
    Breaker::Healthy,
);
const LATER: Row = (
    AttemptOutcome::RecipientLater,
    Job::OnSchedule,
    Breaker::Healthy,
);
const TROUBLE: Row = (AttemptOutcome::RelayTrouble, Job::Waits, Breaker::Counts);
const REFUSES_US: Row = (
    AttemptOutcome::RelayRefusesUs,
    Job::Waits,
    Breaker::OpensAtOnce,
);
/// A stranger may have chosen the address at which the relay says so: one mail alone holds up no other.
const REFUSES_US_AT_A_MAIL: Row = (AttemptOutcome::RelayRefusesUs, Job::Waits, Breaker::Counts);
const AMBIGUOUS: Row = (AttemptOutcome::Uncertain, Job::OnceMore, Breaker::Counts);

/// A server that a mail is handed to three times, each time another mail.
struct Scene {
    server: Scripted,
    url: RelayUrl,
    options: RelayOptions,
    _ca_file: NamedTempFile,
}

impl Scene {
    async fn new(script: Script, security: RelaySecurity, password: bool) -> Self {
        let (acceptor, ca_file) = certificate();
        let tls = match security {
            RelaySecurity::Plaintext => Tls::None,
            RelaySecurity::StartTls => Tls::Offered(acceptor),
            RelaySecurity::ImplicitTls => Tls::FromTheStart(acceptor),
        };
        let server = Scripted::start_with([script], tls).await;
        let mut url = server.url(security);
        url.credentials = password.then(|| Credentials {
            user: String::from("smart"),
            password: "notes".into(),
        });
        Self {
            url,
            options: RelayOptions {
                ca_file: Some(ca_file.path().to_owned()),
                // Each mail meets the script from its beginning.
                max_mails: 1,
                ..RelayOptions::default()
            },
            server,
            _ca_file: ca_file,
        }
    }

    /// The first mail's relay attempt, and the row that three mails show.
    async fn row(&self) -> (RelayAttempt, Row) {
        let clock = ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap());
        let relay = Relay::new(self.url.clone(), self.options.clone()).unwrap();
        let relays = Relays::new(vec![relay], 32, Arc::new(clock));
        let first = hand_over(&relays, "one.test").await.expect("it is closed");
        let after_one = relays.statuses()[0].state;
        for domain in ["two.test", "three.test"] {
            hand_over(&relays, domain).await;
        }
        let breaker = match (after_one, relays.statuses()[0].state) {
            (RelayState::Closed, RelayState::Closed) => Breaker::Healthy,
            (RelayState::Closed, _) => Breaker::Counts,
            (RelayState::Open, RelayState::Open) => Breaker::OpensAtOnce,
            other => panic!("{other:?}"),
        };
        let row = (classify(&first.attempt), job(&first), breaker);
        (first, row)
    }
}

async fn hand_over(relays: &Relays, domain: &str) -> Option<RelayAttempt> {
    let permit = async { Ok(()) };
    let envelope = Envelope {
        to: format!("ada@{domain}").parse().unwrap(),
        ..envelope()
    };
    let attempts = relays
        .hand_over(
            MailId::generate(),
            &envelope,
            MESSAGE,
            permit,
            Timestamp::now,
        )
        .await;
    attempts.into_iter().next()
}

/// What becomes of a first attempt's mail.
fn job(relay_attempt: &RelayAttempt) -> Job {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let mail = Claimed {
        claim: Claim {
            mail: MailId::generate(),
            number: 1,
        },
        kind: MailKind::VerifyEmail,
        to: String::from("someone@example.test"),
        request_id: String::from("request"),
        created: now,
        deadline: Some(now + std::time::Duration::from_mins(10)),
        tries: 0,
        uncertain_attempts: 0,
        lane: Lane::Main,
        challenge: None,
        suppressed: None,
    };
    let outcome = of_attempts(
        &mail,
        std::slice::from_ref(relay_attempt),
        relay_attempt,
        now,
    );
    match (outcome.state, outcome.counted, outcome.uncertain) {
        (MailState::Waiting, true, false) => Job::OnSchedule,
        (MailState::Waiting, false, false) => Job::Waits,
        (MailState::Waiting, true, true) => Job::OnceMore,
        (state, true, false) if state.is_final() => Job::Over(state),
        other => panic!("{other:?}"),
    }
}

fn stage_of(verb: &str) -> Stage {
    match verb {
        "GREETING" | "EHLO" => Stage::Greeting,
        "STARTTLS" => Stage::Tls,
        "AUTH" => Stage::Auth,
        "MAIL" => Stage::Mail,
        "RCPT" => Stage::Rcpt,
        "DATA" => Stage::Data,
        "DOT" => Stage::EndOfData,
        other => panic!("no stage for {other}"),
    }
}

/// A server that does this at that stage, reached as that stage needs it.
async fn scene(verb: &'static str, act: Act) -> Scene {
    let security = match verb {
        "STARTTLS" => RelaySecurity::StartTls,
        _ => RelaySecurity::Plaintext,
    };
    Scene::new(on(verb, act), security, verb == "AUTH").await
}
