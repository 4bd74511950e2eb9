//! Whether an address has an account is told by nothing (OWASP ASVS 5.0 6.3.8): on every public route, the whole
//! series of answers is the same bytes for a known, an unverified and an unknown address, from the first
//! to the one that says when to come again.

use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, TestApp};

/// Names of one length, so that bodies that hold them are, too.
const KNOWN: &str = "known1";
const WAITING: &str = "waits2";
const UNKNOWN: &str = "fresh3";

const NEW: &str = "an entirely different staple";

/// What is sent to a route about a name; `n` counts the requests.
type Body = fn(&str, usize) -> Value;

const ROUTES: [(&str, Body); 8] = [
    ("/api/auth/register/", |name, n| {
        json!({
            "username": format!("{name}-{n}"), "email": format!("{name}@example.com"),
            "password": PASSWORD, "confirm_password": PASSWORD,
        })
    }),
    (
        "/api/auth/verify-otp/",
        |name, _| json!({"email": format!("{name}@example.com"), "otp": "guess!"}),
    ),
    (
        "/api/auth/resend-otp/",
        |name, _| json!({"email": format!("{name}@example.com")}),
    ),
    (
        "/api/auth/login/",
        |name, _| json!({"login": format!("{name}@example.com"), "password": "a wrong password"}),
    ),
    (
        "/api/auth/password-reset-request/",
        |name, _| json!({"email": format!("{name}@example.com")}),
    ),
    (
        "/api/auth/password-reset-confirm/",
        |name, _| json!({"email": format!("{name}@example.com"), "otp": "guess!", "new_password": NEW}),
    ),
    (
        "/api/auth/otp-login-request/",
        |name, _| json!({"email": format!("{name}@example.com")}),
    ),
    (
        "/api/auth/otp-login-confirm/",
        |name, _| json!({"email": format!("{name}@example.com"), "otp": "guess!"}),
    ),
];

/// What a client sees, with the name it sent itself and what is random replaced.
fn seen(answer: &Answer, name: &str) -> (u16, Vec<String>, usize, String, String) {
    let (status, names, length, shown) = answer.outside();
    let names = names.into_iter().map(str::to_owned).collect();
    let wait = answer.header("retry-after").to_owned();
    (status, names, length, shown.replace(name, "•"), wait)
}

/// A system with a verified address, one that waits for its code, and budgets that are full again.
async fn system() -> TestApp {
    let app = TestApp::with()
        .limit("wrong_codes_per_hour", 6)
        .behind_a_proxy()
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .start()
        .await;
    app.verified(&Person::new(KNOWN)).await;
    app.registered(&Person::new(WAITING), 1).await;
    app.advance(3600).await;
    app
}

#[tokio::test]
async fn every_public_route_answers_every_address_alike_until_it_is_throttled_and_then() {
    for (route, body) in ROUTES {
        let app = system().await;
        let mut series = Vec::new();
        for (n, name) in (1..).zip([KNOWN, WAITING, UNKNOWN]) {
            let client = app.client.from(&format!("198.51.100.{n}"));
            let mut answers = Vec::new();
            for request in 0..8 {
                let answer = client.post(route, &body(name, request)).await;
                answers.push(seen(&answer, name));
            }
            series.push(answers);
        }

        assert_eq!(series[0], series[1], "{route}: verified and unverified");
        assert_eq!(series[0], series[2], "{route}: verified and unknown");
        let last = series[0].last().unwrap();
        assert_eq!(
            last.0, 429,
            "{route}: the series goes on until it is throttled"
        );
        app.finish().await;
    }
}

/// The same with a live code of every kind for the known address, which a stranger may have asked for.
#[tokio::test]
async fn an_address_with_live_codes_is_answered_like_one_without() {
    for (route, body) in ROUTES
        .into_iter()
        .filter(|(route, _)| route.ends_with("confirm/") || route.contains("verify"))
    {
        let app = system().await;
        let owner = app.client.from("203.0.113.9");
        for name in [KNOWN, WAITING] {
            let email = format!("{name}@example.com");
            owner.resend(&email).await;
        }
        let email = format!("{KNOWN}@example.com");
        owner.request_reset(&email).await;
        app.advance(60).await;
        owner.request_code_login(&email).await;
        let mut series = Vec::new();
        for (n, name) in (1..).zip([KNOWN, WAITING, UNKNOWN]) {
            let client = app.client.from(&format!("198.51.100.{n}"));
            let mut answers = Vec::new();
            for request in 0..7 {
                let answer = client.post(route, &body(name, request)).await;
                answers.push(seen(&answer, name));
            }
            series.push(answers);
        }

        assert_eq!(series[0], series[1], "{route}");
        assert_eq!(series[0], series[2], "{route}");
        app.finish().await;
    }
}

/// The relay stands still meanwhile: no answer waits for it, none differs, and nothing fails open (OWASP ASVS 5.0
/// 16.5.2, 16.5.3).
#[tokio::test]
async fn a_relay_that_hangs_changes_no_answer() {
    let app = system().await;
    app.faults().add(devmail::Fault::hang(devmail::Stage::Rcpt));

    let mut answers = Vec::new();
    for (n, name) in (1..).zip([KNOWN, WAITING, UNKNOWN]) {
        let client = app.client.from(&format!("198.51.100.{n}"));
        let email = format!("{name}@example.com");
        let twin = Person::new(&format!("{name}-twin")).at(&email);
        answers.push([
            seen(&client.request_reset(&email).await, name),
            seen(&client.resend(&email).await, name),
            seen(&client.register(&twin).await, name),
            seen(&client.login(&email, "a wrong password").await, name),
            seen(&client.verify(&twin, "guess!").await, name),
            seen(&client.reset(&email, "guess!", NEW).await, name),
            // The fourth mail in a minute.
            seen(&client.request_reset(&email).await, name),
        ]);
    }

    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    let statuses: Vec<_> = answers[0].iter().map(|answer| answer.0).collect();
    assert_eq!(statuses, [200, 200, 201, 400, 400, 400, 429]);
    app.faults().clear();
    app.faults().release();
    app.finish().await;
}
