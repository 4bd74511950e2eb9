//! How often one may be wrong, and register: OWASP ASVS 5.0 6.3.1, 6.1.1 and 2.4.1.

use serde_json::json;

use crate::support::{
    Client, PASSWORD, Person, TestApp, assert_lifted_after, assert_throttled, wrong,
};

const WRONG: &str = "a wrong password";

fn client(app: &TestApp, n: u8) -> Client {
    app.client.from(&format!("198.51.100.{n}"))
}

#[tokio::test]
async fn one_client_registers_thirty_times_an_hour() {
    let app = TestApp::with().many_mails().behind_a_proxy().start().await;
    let one = client(&app, 1);
    for n in 0..30 {
        one.registered(&Person::new(&format!("ada{n}"))).await;
    }

    let next = async || one.register(&Person::new("ada30")).await;
    assert_throttled(&next().await, 3600);
    client(&app, 2).registered(&Person::new("bob")).await;
    assert_eq!(assert_lifted_after(&app, 3600, next).await.status, 201);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: whomever the codes are for, and whatever for; before that none is even compared.
#[tokio::test]
async fn one_client_presents_fifty_wrong_codes_an_hour() {
    let app = TestApp::with().limited().behind_a_proxy().start().await;
    let ada = Person::new("ada");
    client(&app, 2).registered(&ada).await;
    let code = app.newest_code(&ada.email).await;
    let one = client(&app, 1);
    for n in 0..25 {
        let nobody = Person::new(&format!("nobody{n}"));
        assert_eq!(one.verify(&nobody, "123456").await.status, 400);
        let reset = one.reset(&nobody.email, "123456", PASSWORD).await;
        assert_eq!(reset.status, 400);
    }

    assert_throttled(&one.verify(&ada, &code).await, 3600);
    let reset = one.reset(&ada.email, "123456", PASSWORD).await;
    assert_throttled(&reset, 3600);
    assert_eq!(client(&app, 2).verify(&ada, &code).await.status, 200);
    let again = async || one.verify(&ada, "123456").await;
    assert_eq!(assert_lifted_after(&app, 3600, again).await.status, 400);
    app.finish().await;
}

/// What is right costs nothing.
#[tokio::test]
async fn right_codes_do_not_count() {
    let app = TestApp::with()
        .limit("wrong_codes_per_hour", 1)
        .start()
        .await;
    for name in ["ada", "bob"] {
        app.verified(&Person::new(name)).await;
    }

    let nobody = Person::new("nobody");
    assert_eq!(app.client.verify(&nobody, "123456").await.status, 400);
    assert_throttled(&app.client.verify(&nobody, "123456").await, 3600);
    app.finish().await;
}

#[tokio::test]
async fn pauses_between_refused_logins_double_up_to_a_minute() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    for _ in 0..5 {
        assert_eq!(app.client.login("ada", WRONG).await.status, 400);
    }

    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_throttled(&app.client.login("ada", &ada.password).await, pause);
        let again = async || app.client.login("ada", WRONG).await;
        assert_eq!(assert_lifted_after(&app, pause, again).await.status, 400);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_right_password_wipes_the_slate_of_its_client() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(app.client.login("ada", WRONG).await.status, 400);
        }
        assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    }
    app.finish().await;
}

/// A name that nobody has is slowed down like one that somebody has.
#[tokio::test]
async fn unknown_unverified_and_verified_logins_pause_alike() {
    let app = TestApp::with().limited().behind_a_proxy().start().await;
    app.verified(&Person::new("known1")).await;
    app.registered(&Person::new("waits2"), 1).await;

    let mut seen = Vec::new();
    for (n, name) in (1..).zip(["known1", "waits2", "fresh3"]) {
        for login in [name.to_owned(), format!("{name}@example.com")] {
            let one = client(&app, n + if login == name { 0 } else { 100 });
            let mut answers = Vec::new();
            for _ in 0..7 {
                let answer = one.login(&login, WRONG).await;
                let wait = answer.header("retry-after").to_owned();
                answers.push((answer.status, answer.body.to_vec(), wait));
            }
            seen.push(answers);
        }
    }

    assert!(seen.iter().all(|answers| *answers == seen[0]));
    let statuses: Vec<_> = seen[0].iter().map(|answer| answer.0).collect();
    assert_eq!(statuses, [400, 400, 400, 400, 400, 429, 429]);
    app.finish().await;
}

/// Who knows a name learns nothing of its address by being slowed down: what was typed is what is counted.
#[tokio::test]
async fn refusals_by_name_do_not_tell_the_address() {
    let app = TestApp::with().limited().start().await;
    app.verified(&Person::new("ada")).await;
    for _ in 0..5 {
        app.client.login("ada", WRONG).await;
    }

    let own = app.client.login("ada@example.com", WRONG).await;
    let other = app.client.login("eve@example.com", WRONG).await;

    assert_eq!(own.shown(), other.shown());
    app.finish().await;
}

#[tokio::test]
async fn one_client_is_refused_so_many_logins_an_hour_whomever_they_are_for() {
    let app = TestApp::with()
        .limit("refused_logins_per_client_and_hour", 8)
        .behind_a_proxy()
        .start()
        .await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let one = client(&app, 1);
    for n in 0..8 {
        assert_eq!(one.login(&format!("nobody{n}"), WRONG).await.status, 400);
    }

    let ninth = async || one.login("nobody8", WRONG).await;
    assert_throttled(&ninth().await, 3600);
    assert_eq!(
        client(&app, 2).login("ada", &ada.password).await.status,
        200
    );
    assert_eq!(assert_lifted_after(&app, 3600, ninth).await.status, 400);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.1.1: strangers slow each other down, and never the owner where it has logged in before.
#[tokio::test]
async fn a_known_client_is_not_locked_out_by_strangers_and_strangers_are() {
    let app = TestApp::with()
        .limit("refused_logins_per_account_and_hour", 20)
        .behind_a_proxy()
        .start()
        .await;
    let ada = Person::new("ada");
    let home = client(&app, 200);
    app.verified(&ada).await;
    home.token(&ada).await;
    for n in 0..10 {
        assert_eq!(client(&app, n).login("ada", WRONG).await.status, 400);
    }

    let stranger = async || client(&app, 11).login("ada", WRONG).await;
    assert_throttled(&stranger().await, 3600);
    let elsewhere = client(&app, 12).login("ada", &ada.password).await;
    assert_throttled(&elsewhere, 3600);
    for _ in 0..3 {
        assert_eq!(home.login("ada", WRONG).await.status, 400);
        assert_eq!(home.login("ada", &ada.password).await.status, 200);
    }
    app.finish().await;
}

/// Whoever has a token is not slowed down by logins.
#[tokio::test]
async fn a_session_works_while_its_account_is_attacked() {
    let app = TestApp::with().limited().start().await;
    let session = app.member(&Person::new("ada")).await;

    for _ in 0..9 {
        app.client.login("ada", WRONG).await;
    }

    assert_eq!(session.me_status().await, 200);
    app.finish().await;
}

/// What is lifted: every rate and budget. What is not: the tries of a code, and the hourly notice.
#[tokio::test]
async fn without_limits_the_tries_of_a_code_and_the_hourly_notice_stay() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let bob = Person::new("bob");
    app.client.registered(&bob).await;

    for _ in 0..12 {
        assert_eq!(app.client.resend(&bob.email).await.status, 200);
        assert_eq!(app.client.login("ada", WRONG).await.status, 400);
    }
    for n in 0..60 {
        let nobody = json!({"email": format!("nobody{n}@example.com"), "otp": "123456"});
        let answer = app.client.post("/api/auth/verify-otp/", &nobody).await;
        assert_eq!(answer.status, 400);
    }
    for n in 0..8 {
        let decoy = Person::new(&format!("eve{n}")).at(&ada.email);
        app.client.registered(&decoy).await;
    }
    let code = app.newest_code(&bob.email).await;
    for _ in 0..5 {
        app.client.verify(&bob, &wrong(&code)).await;
    }

    assert_eq!(app.client.verify(&bob, &code).await.status, 400);
    assert_eq!(app.mails_to(&ada.email).await, 2, "one code, one notice");
    assert_eq!(app.mails_to(&bob.email).await, 13);
    app.finish().await;
}
