//! Whether an address has an account is told by nothing (OWASP ASVS 5.0 6.3.8): on every public route, the whole
//! series of answers is the same bytes for a known, an unverified and an unknown address, from the first
//! to the one that says when to come again.

use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, Person, Rows, TestApp};

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

/// Who registers an address and logs in with the password of that registration hears that the address is not verified,
/// whether it has an account or not: there, and by the username from anywhere; elsewhere by the address it is a wrong one.
#[tokio::test]
async fn the_password_of_ones_own_registration_tells_nothing_of_the_address() {
    let app = TestApp::with().behind_a_proxy().start().await;
    app.verified(&Person::new(KNOWN)).await;
    let [here, elsewhere] = [1, 2].map(|n| app.client.from(&format!("198.51.100.{n}")));

    let mut answers = Vec::new();
    for name in [KNOWN, UNKNOWN] {
        let twin = Person::new(&format!("{name}-twin"))
            .at(&format!("{name}@example.com"))
            .password("the password of the twin");
        here.registered(&twin).await;
        let mut seen = Vec::new();
        for client in [&here, &elsewhere] {
            for login in [&twin.email, &twin.name] {
                seen.push(client.login(login, &twin.password).await.shown());
                seen.push(client.login(login, "a wrong password").await.shown());
            }
        }
        answers.push(seen);
    }

    assert_eq!(answers[0], answers[1]);
    let statuses: Vec<_> = answers[0].iter().map(|answer| &answer[..3]).collect();
    let (by_address, by_name) = (["403", "400"], ["403", "400"]);
    let there = [by_address, by_name].concat();
    assert_eq!(statuses[..4], there);
    assert_eq!(statuses[4..], ["400", "400", "403", "400"]);
    app.finish().await;
}

/// So does a rival when the owner verifies: its registration is answered as before until it lapses.
#[tokio::test]
async fn a_rival_does_not_hear_that_the_owner_has_verified() {
    let app = TestApp::with().many_mails().behind_a_proxy().start().await;
    let [home, rivals, third] = [1, 2, 3].map(|n| app.client.from(&format!("198.51.100.{n}")));
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let mut seen = Vec::new();
    for owner in [&ada, &bob] {
        let twin = Person::new(&format!("{}-twin", owner.name))
            .at(&owner.email)
            .password("the password of the twin");
        let challenge = rivals.registered(&twin).await;
        for n in 0..2 {
            let twin = Person::new(&format!("{}{n}", owner.name)).at(&owner.email);
            rivals.registered(&twin).await;
        }
        app.settled().await;
        let code = if owner.name == "ada" {
            let (challenge, code) = registered(&app, &home, owner).await;
            let verified = home.verify_with(owner, &code, &challenge).await;
            assert_eq!(verified.status, 200);
            code
        } else {
            home.registered(owner).await;
            app.newest_code(&owner.email).await
        };

        let fifth = Person::new(&format!("{}-fifth", owner.name)).at(&owner.email);
        seen.push([
            rivals.login(&twin.email, &twin.password).await.shown(),
            rivals.login(&twin.name, &twin.password).await.shown(),
            third.login(&twin.name, &twin.password).await.shown(),
            rivals.verify_with(&twin, &code, &challenge).await.shown(),
            rivals.verify(&twin, "guess!").await.shown(),
            rivals.resend_with(&twin.email, &challenge).await.shown(),
            third
                .register(&fifth)
                .await
                .shown()
                .replace(&owner.name, "•"),
            app.client.register(&fifth).await.shown(),
            third.register(&fifth).await.shown(),
            rivals.register(&fifth).await.shown(),
        ]);
    }

    assert_eq!(seen[0], seen[1]);
    let statuses: Vec<_> = seen[0].iter().map(|answer| &answer[..3]).collect();
    let expected = [
        "403", "403", "403", "400", "400", "200", "201", "429", "429", "429",
    ];
    assert_eq!(statuses, expected);
    // What was asked for at the verified address went to nobody, but for one notice.
    assert_eq!(app.mails_to(&ada.email).await, 5);
    app.finish().await;
}

/// Registers somebody from a client; returns the challenge and the code.
async fn registered(app: &TestApp, client: &Client, person: &Person) -> (String, String) {
    let challenge = client.registered(person).await;
    (challenge, app.newest_code(&person.email).await)
}

/// What is written takes most of the time of an answer; `tests/timing/run.py` measures all of it.
#[tokio::test]
async fn a_wrong_code_writes_as_many_rows_where_no_code_lives() {
    let app = system().await;
    let pending = Person::new("pending");
    app.client.from("192.0.2.1").registered(&pending).await;
    let mut rows = app.rows().await;
    let mut written = Vec::new();

    for email in [pending.email.as_str(), "nobody@example.com"] {
        let before = counts(&mut rows).await;
        let body = json!({"email": email, "otp": "000000"});
        let client = app.client.from("192.0.2.2");
        let answer = client.post("/api/auth/verify-otp/", &body).await;
        assert_eq!(answer.field("code"), "invalid_otp");
        let after = counts(&mut rows).await;
        written.push(std::array::from_fn::<_, 4, _>(|n| after[n] - before[n]));
    }

    assert_eq!(written[0], written[1]);
    rows.close().await;
    app.finish().await;
}

/// How many rows the tables have that wrong codes are counted and recorded in.
async fn counts(rows: &mut Rows) -> [i64; 4] {
    let tables = ["open_tries", "guess_runs", "limit_hits", "audit"];
    let mut counts = [0; 4];
    for (table, count) in tables.into_iter().zip(&mut counts) {
        *count = rows.number(&format!("select count(*) from {table}")).await;
    }
    counts
}
