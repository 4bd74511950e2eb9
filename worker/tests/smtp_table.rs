//! The outcome table, row by row, each over the wire: at which stage the relay says what, and what that
//! means for the mail and for the relay.

mod scripted;

use std::sync::Arc;

use domain::clock::ManualClock;
use domain::id::MailId;
use domain::mail::{MailKind, MailState};
use domain::queue::{Claim, Claimed};
use domain::relay::RelayState;
use jiff::Timestamp;
use scripted::certificate::certificate;
use scripted::{
    Act, MESSAGE, Script, Scripted, Tls, close, envelope, good, hasty, on, say, say_and_close,
};
use smart_notes_worker::outcome::Outcome;
use smart_notes_worker::smtp::{
    Credentials, End, Mark, Reach, Relay, RelayOptions, RelaySecurity, RelayUrl, Relays, Stage,
    Verdict, classify,
};
use tempfile::NamedTempFile;
use tokio::task::JoinSet;

/// What becomes of the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    /// Over, in that state.
    Over(MailState),
    /// Waits for its next try on the schedule; this one counts.
    OnSchedule,
    /// Waits; no try is counted.
    Waits,
    /// Gets at most one more try.
    OnceMore,
}

/// What becomes of the relay's breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breaker {
    /// Stays closed.
    Healthy,
    /// Opens after three tries.
    Counts,
    /// Opens at once.
    OpensAtOnce,
}

/// A row of the table: the verdict, the job, the relay.
type Row = (Verdict, Job, Breaker);

const DELIVERED: Row = (
    Verdict::Delivered,
    Job::Over(MailState::Delivered),
    Breaker::Healthy,
);
const REFUSED: Row = (
    Verdict::RecipientRefused,
    Job::Over(MailState::Undeliverable),
    Breaker::Healthy,
);
const LATER: Row = (Verdict::RecipientLater, Job::OnSchedule, Breaker::Healthy);
const TROUBLE: Row = (Verdict::RelayTrouble, Job::Waits, Breaker::Counts);
const REFUSES_US: Row = (Verdict::RelayRefusesUs, Job::Waits, Breaker::OpensAtOnce);
/// A stranger may have chosen the address at which the relay says so: one mail alone holds up nobody.
const REFUSES_US_AT_A_MAIL: Row = (Verdict::RelayRefusesUs, Job::Waits, Breaker::Counts);
const AMBIGUOUS: Row = (Verdict::Ambiguous, Job::OnceMore, Breaker::Counts);

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

    /// The first mail's reach, and the row that three mails show.
    async fn row(&self) -> (Reach, Row) {
        let clock = ManualClock::at(Timestamp::from_second(1_800_000_000).unwrap());
        let relay = Relay::new(self.url.clone(), self.options.clone()).unwrap();
        let relays = Relays::new(vec![relay], Arc::new(clock));
        let first = hand_over(&relays).await.expect("it is closed");
        let after_one = relays.standings()[0].state;
        for _ in 0..2 {
            hand_over(&relays).await;
        }
        let breaker = match (after_one, relays.standings()[0].state) {
            (RelayState::Closed, RelayState::Closed) => Breaker::Healthy,
            (RelayState::Closed, RelayState::Open) => Breaker::Counts,
            (RelayState::Open, RelayState::Open) => Breaker::OpensAtOnce,
            other => panic!("{other:?}"),
        };
        let row = (classify(&first.attempt), job(&first), breaker);
        (first, row)
    }
}

async fn hand_over(relays: &Relays) -> Option<Reach> {
    let mark = async { Mark::Go };
    let reaches = relays
        .hand_over(
            MailId::generate(),
            &envelope(),
            MESSAGE,
            mark,
            Timestamp::now,
        )
        .await;
    reaches.into_iter().next()
}

/// What becomes of a first try's mail.
fn job(reach: &Reach) -> Job {
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
        cut_offs: 0,
        challenge: None,
        suppressed: None,
    };
    let outcome = Outcome::of_reaches(&mail, std::slice::from_ref(reach), reach, now);
    match (outcome.state, outcome.counted, outcome.cut_off) {
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
        "DOT" => Stage::Dot,
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

/// Each of these replies at its stage is that row, is labelled and kept as it was said, and no mail is
/// taken for delivered.
async fn replies(expected: Row, rows: &[(&'static str, &str)]) {
    for (verb, line) in rows {
        let act = if line.starts_with("421") {
            say_and_close(line)
        } else {
            say(line)
        };
        let scene = scene(verb, act).await;

        let (reach, row) = scene.row().await;

        let attempt = &reach.attempt;
        assert_eq!(row, expected, "{attempt}");
        assert_eq!(attempt.stage, stage_of(verb), "{attempt}");
        match &attempt.end {
            End::Refused(reply) => assert_eq!(reply.to_string(), *line),
            other => panic!("not a refusal: {other:?}"),
        }
        assert_eq!(attempt.dot_written, *verb == "DOT", "{attempt}");
        assert!(scene.server.heard().mails.is_empty(), "{attempt}");
    }
}

#[tokio::test]
async fn delivered_is_exactly_250_after_the_dot() {
    let (_, row) = scene("DOT", say("250 2.0.0 queued as 4F2"))
        .await
        .row()
        .await;

    assert_eq!(row, DELIVERED);
}

#[tokio::test]
async fn a_recipient_or_a_content_that_is_refused() {
    let rows = [
        ("RCPT", "550 5.1.1 no such user"),
        ("RCPT", "550 unknown"),
        ("RCPT", "550 5.1.10 null MX"),
        ("RCPT", "550 5.2.1 disabled"),
        ("RCPT", "551 not here"),
        ("RCPT", "553 5.1.3 syntax"),
        ("RCPT", "552 5.2.2 mailbox full"),
        ("RCPT", "554 5.1.2 bad domain"),
        ("RCPT", "554 5.7.1 rejected by policy"),
        ("RCPT", "550 5.1.1 mx said: relaying denied"),
        ("DATA", "554 no valid recipients"),
        ("DOT", "552 5.2.2 full"),
        ("DOT", "552 5.3.4 too big"),
        ("DOT", "554 5.6.0 content"),
        ("DOT", "554 5.2.1 mailbox"),
        ("DOT", "550 5.7.1 looks like spam"),
    ];
    replies(REFUSED, &rows).await;
}

#[tokio::test]
async fn a_recipient_that_is_refused_for_now() {
    let rows = [
        ("RCPT", "450 mailbox busy"),
        ("RCPT", "450 4.2.0 greylisted"),
        ("RCPT", "450 4.2.1 over its rate"),
        ("RCPT", "450 4.7.1 Client host rejected: greylisted"),
        ("RCPT", "451 4.3.0 later"),
        ("RCPT", "451 4.7.1 greylisted"),
        ("RCPT", "452 4.2.2 full"),
        ("DATA", "451 4.3.0 later"),
        ("DOT", "450 4.2.0 greylisted"),
        ("DOT", "451 4.3.0 later"),
        ("DOT", "452 4.3.1 no space"),
        ("DOT", "454 4.3.0 later"),
    ];
    replies(LATER, &rows).await;
}

#[tokio::test]
async fn a_relay_in_trouble() {
    let rows = [
        ("GREETING", "554 no service"),
        ("GREETING", "450 busy"),
        ("EHLO", "554 go away"),
        ("EHLO", "502 what?"),
        ("EHLO", "450 later"),
        ("STARTTLS", "454 TLS not available"),
        ("AUTH", "454 4.7.0 later"),
        ("MAIL", "450 later"),
        ("MAIL", "451 4.3.0 later"),
        ("MAIL", "452 4.3.1 no space"),
        ("MAIL", "454 4.7.0 throttled"),
        ("MAIL", "550 you are throttled"),
        ("RCPT", "450 4.7.0 throttled"),
        ("RCPT", "503 5.5.1 bad sequence"),
        ("DATA", "451 4.7.0 Throttling"),
        ("DOT", "454 Throttling failure: maximum rate exceeded"),
        // Positive, but not what the stage needs.
        ("AUTH", "250 ok"),
        ("MAIL", "354 go on"),
        ("RCPT", "354 go on"),
        ("DATA", "250 ok"),
    ];
    replies(TROUBLE, &rows).await;
}

#[tokio::test]
async fn a_421_is_trouble_wherever_it_comes() {
    let rows = [
        "GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "DOT",
    ]
    .map(|verb| (verb, "421 4.3.2 relaying denied, closing"));
    replies(TROUBLE, &rows).await;
}

#[tokio::test]
async fn a_relay_that_refuses_us() {
    let rows = [
        ("STARTTLS", "502 not implemented"),
        ("STARTTLS", "501 no"),
        ("AUTH", "535 5.7.8 wrong"),
        ("AUTH", "534 5.7.9 too weak"),
        ("AUTH", "530 5.7.0 STARTTLS first"),
        ("MAIL", "530 5.7.0 authenticate"),
        ("MAIL", "550 5.7.1 sender"),
        ("MAIL", "553 5.1.8 sender's domain not found"),
        ("MAIL", "554 5.7.1 Relay access denied"),
    ];
    replies(REFUSES_US, &rows).await;
}

#[tokio::test]
async fn a_relay_that_refuses_us_only_when_it_knows_the_mail() {
    let rows = [
        ("RCPT", "530 5.7.0 authenticate"),
        ("RCPT", "554 5.7.1 Relay access denied"),
        ("RCPT", "454 4.7.1 Relay access denied"),
        ("RCPT", "550 relaying denied"),
        ("RCPT", "550 5.7.26 unauthenticated"),
        ("RCPT", "550 5.7.515 denied"),
        ("DATA", "550 5.7.26 unauthenticated"),
        ("DOT", "550 5.7.26 unauthenticated"),
        ("DOT", "550 5.7.515 denied"),
        ("DOT", "554 Email address is not verified"),
    ];
    replies(REFUSES_US_AT_A_MAIL, &rows).await;
}

#[tokio::test]
async fn a_positive_reply_to_the_dot_other_than_250() {
    let rows = [
        ("DOT", "251 will forward"),
        ("DOT", "252 maybe"),
        ("DOT", "220 hello"),
        ("DOT", "354 go on"),
    ];
    replies(AMBIGUOUS, &rows).await;
}

const STAGES: [&str; 8] = [
    "GREETING", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "DOT",
];

type MakeAct = fn() -> Act;

/// No readable answer is trouble before the dot, and nobody knows after it.
fn check_no_answer(verb: &str, what: &str, reach: &Reach, row: Row) {
    let expected = if verb == "DOT" { AMBIGUOUS } else { TROUBLE };
    let attempt = &reach.attempt;
    assert_eq!(row, expected, "{what} at {verb}: {attempt}");
    assert_eq!(attempt.stage, stage_of(verb), "{what} at {verb}: {attempt}");
    assert!(matches!(attempt.end, End::Failed(_)), "{what} at {verb}");
}

#[tokio::test]
async fn no_readable_answer_at_any_stage() {
    let acts: [(&str, MakeAct); 6] = [
        ("close", close),
        ("reset", || Act::Reset),
        ("garbage", || say("HTTP/1.1 400 Bad Request")),
        ("not text", || {
            Act::SayAndClose(vec![0xff, 0, 0xfe, b'\r', b'\n'])
        }),
        ("half a reply", || {
            Act::SayAndClose(b"250-well\r\n25".to_vec())
        }),
        ("without end", || Act::SayWithoutEnd(b"x".to_vec())),
    ];
    for verb in STAGES {
        for (what, act) in acts {
            let (reach, row) = scene(verb, act()).await.row().await;

            check_no_answer(verb, what, &reach, row);
        }
    }
}

#[tokio::test]
async fn no_answer_at_all_at_any_stage() {
    let mut rows: JoinSet<_> = STAGES
        .into_iter()
        .map(|verb| async move {
            let mut scene = scene(verb, Act::Hang).await;
            scene.options.timeouts = hasty().timeouts;
            (verb, scene.row().await)
        })
        .collect();

    while let Some(ended) = rows.join_next().await {
        let (verb, (reach, row)) = ended.unwrap();

        check_no_answer(verb, "a hang", &reach, row);
    }
}

/// A letter that is not ASCII does not cost us the code in front of it.
#[tokio::test]
async fn a_refusal_that_is_not_utf8_counts_by_its_code_at_any_stage() {
    for (verb, code, expected) in [
        ("GREETING", "554", TROUBLE),
        ("EHLO", "554", TROUBLE),
        ("STARTTLS", "502", REFUSES_US),
        ("AUTH", "535", REFUSES_US),
        ("MAIL", "550", REFUSES_US),
        ("RCPT", "550", REFUSED),
        ("DATA", "451", LATER),
        ("DOT", "554", REFUSED),
    ] {
        let line = [code.as_bytes(), b" refus\xe9 \xff\r\n"].concat();

        let (reach, row) = scene(verb, Act::Say(line)).await.row().await;

        assert_eq!(row, expected, "{}", reach.attempt);
        assert_eq!(reach.attempt.text(), "refus? ?");
    }
}

#[tokio::test]
async fn a_relay_that_lacks_what_the_settings_demand_refuses_us() {
    let bare = || on("EHLO", say("250 relay.example.com"));
    for (security, password, stage) in [
        (RelaySecurity::StartTls, false, Stage::Tls),
        (RelaySecurity::Plaintext, true, Stage::Auth),
    ] {
        // Both as a relay that never offered it, and as one whose offer somebody strips.
        let mut scene = Scene::new(bare(), RelaySecurity::Plaintext, password).await;
        scene.url.security = security;

        let (reach, row) = scene.row().await;

        assert_eq!(row, REFUSES_US, "{}", reach.attempt);
        assert_eq!(reach.attempt.stage, stage);
        assert_eq!(scene.server.heard().count("MAIL"), 0);
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_trusted_refuses_us() {
    for security in [RelaySecurity::StartTls, RelaySecurity::ImplicitTls] {
        let mut scene = Scene::new(good(), security, true).await;
        scene.options.ca_file = None;

        let (reach, row) = scene.row().await;

        assert_eq!(row, REFUSES_US, "{}", reach.attempt);
        assert_eq!(reach.attempt.stage, Stage::Tls);
        assert_eq!(scene.server.heard().count("AUTH"), 0, "no password either");
    }
}

#[tokio::test]
async fn a_handshake_that_fails_is_trouble() {
    // It does not speak TLS at all.
    let mut scene = Scene::new(good(), RelaySecurity::Plaintext, false).await;
    scene.url.security = RelaySecurity::ImplicitTls;

    let (reach, row) = scene.row().await;

    assert_eq!(row, TROUBLE, "{}", reach.attempt);
    assert_eq!(reach.attempt.stage, Stage::Tls);
}

#[tokio::test]
async fn a_relay_that_cannot_be_reached_is_trouble() {
    for (host, stage) in [
        ("127.0.0.1", Stage::Connect),
        ("relay.invalid", Stage::Resolve),
    ] {
        let mut scene = Scene::new(good(), RelaySecurity::Plaintext, false).await;
        let taken = tokio::net::TcpSocket::new_v4().unwrap();
        taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        scene.url.host = host.to_owned();
        scene.url.port = taken.local_addr().unwrap().port();

        let (reach, row) = scene.row().await;

        assert_eq!(row, TROUBLE, "{}", reach.attempt);
        assert_eq!(reach.attempt.stage, stage);
    }
}
