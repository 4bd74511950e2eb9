//! The password that a user who is logged in is asked for again, to change it or the address (OWASP ASVS 5.0
//! 6.2.3, 7.5.1): wrong ones count as refused logins do (6.3.1), and are recorded (16.3).

use futures_util::future::join_all;
use insta::assert_snapshot;

use crate::support::{Client, Person, Processes, TestApp, assert_lifted_after, assert_throttled};

const WRONG: &str = "a wrong password";
const NEW: &str = "an entirely different staple";
const NEXT: &str = "next@example.com";

/// How many wrong passwords stand in the ledger.
async fn counted(app: &TestApp) -> i64 {
    let mut rows = app.rows().await;
    let counted = "select count(*) from limit_hits where key like 'user-passwords%'";
    let counted = rows.number(counted).await;
    rows.close().await;
    counted
}

/// Tries the wrong password five times, on both routes.
async fn five_wrong(session: &Client) {
    for _ in 0..3 {
        let answer = session.change_password(WRONG, NEW).await;
        answer.assert_refused("current_password", "Invalid password.");
    }
    for _ in 0..2 {
        let answer = session.request_email(NEXT, WRONG).await;
        answer.assert_refused("password", "Invalid password.");
    }
}

#[tokio::test]
async fn wrong_passwords_on_both_routes_are_followed_by_pauses_that_double() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    five_wrong(&session).await;

    for pause in [1, 2, 4, 8] {
        let right = session.change_password(&ada.password, NEW).await;
        assert_throttled(&right, pause);
        let right = session.request_email(NEXT, &ada.password).await;
        assert_throttled(&right, pause);
        let again = async || session.request_email(NEXT, WRONG).await;
        let answer = assert_lifted_after(&app, pause, again).await;
        answer.assert_refused("password", "Invalid password.");
    }
    app.finish().await;
}

/// Only what is done with the user's tokens stands against a user who is logged in, and nothing of that against logins.
#[tokio::test]
async fn logins_and_passwords_asked_again_are_counted_apart() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    five_wrong(&session).await;
    let paused = session.change_password(&ada.password, NEW).await;
    assert_throttled(&paused, 1);

    for _ in 0..5 {
        assert_eq!(app.client.login(&ada.email, WRONG).await.status, 400);
    }
    app.advance(1).await;
    let changed = session.change_password(&ada.password, NEW).await;

    assert_eq!(changed.status, 200, "{}", changed.shown());
    app.finish().await;
}

#[tokio::test]
async fn a_right_password_counts_nothing_and_wipes_the_slate_of_its_client() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    for _ in 0..4 {
        session.change_password(WRONG, NEW).await;
    }
    assert_eq!(
        counted(&app).await,
        8,
        "each for the user, there and anywhere"
    );

    let changed = session.change_password(&ada.password, NEW).await;
    assert_eq!(changed.status, 200);
    assert_eq!(counted(&app).await, 4, "those for anywhere stay");
    for _ in 0..4 {
        session.request_email(NEXT, WRONG).await;
    }
    for _ in 0..3 {
        assert_eq!(session.request_email(NEXT, NEW).await.status, 200);
    }
    // One more than may be asked for in a minute: the password is right all the same.
    assert_throttled(&session.request_email(NEXT, NEW).await, 60);

    assert_eq!(counted(&app).await, 8);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.1.1: with stolen tokens as without, strangers slow each other down, and never the owner where it has
/// logged in before.
#[tokio::test]
async fn a_known_client_is_not_locked_out_by_strangers_and_strangers_are() {
    let app = TestApp::with()
        .limit("refused_logins_per_account_and_hour", 10)
        .behind_a_proxy()
        .start()
        .await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let token = app.client.from("198.51.100.200").token(&ada).await;
    let at = |n: u8| app.client.bearing(&token).from(&format!("198.51.100.{n}"));
    for n in 0..10 {
        let answer = at(n).change_password(WRONG, NEW).await;
        assert_eq!(answer.status, 400);
    }

    let stranger = async || at(11).change_password(WRONG, NEW).await;
    assert_throttled(&stranger().await, 3600);
    let elsewhere = at(12).request_email(NEXT, &ada.password).await;
    assert_throttled(&elsewhere, 3600);
    let home = at(200);
    assert_eq!(home.me_status().await, 200);
    assert_eq!(home.change_password(WRONG, NEW).await.status, 400);
    let changed = home.change_password(&ada.password, NEW).await;
    assert_eq!(changed.status, 200, "{}", changed.shown());
    assert_eq!(assert_lifted_after(&app, 3600, stranger).await.status, 400);
    app.finish().await;
}

/// Two processes count in one ledger, before the password is looked at.
#[tokio::test]
async fn of_thirty_wrong_passwords_at_two_processes_the_allowed_number_is_checked() {
    let app = Processes::with()
        .limited()
        .set(
            "SMART_NOTES__LIMITS__REFUSED_LOGINS_PER_ACCOUNT_AND_HOUR",
            "6",
        )
        .set("SMART_NOTES__HTTP__TRUSTED_PROXIES", "127.0.0.1/32")
        .apis(2)
        .start()
        .await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    app.client().verify(&ada, &code).await;
    let token = app.client().token(&ada).await;

    let tries = (0..30).map(|n| {
        let client = app.apis[n % 2].client.bearing(&token);
        let client = client.from(&format!("198.51.100.{n}"));
        async move { client.change_password(WRONG, NEW).await.status }
    });
    let statuses = join_all(tries).await;

    let with = |status| statuses.iter().filter(|other| **other == status).count();
    assert_eq!((with(400), with(429)), (6, 24));
    app.finish().await;
}

/// OWASP ASVS 5.0 16.3, with and without limits: each once, with who gave it and what for.
#[tokio::test]
async fn each_wrong_password_is_recorded_once() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    let by = |id: &str| {
        let client = session.from("198.51.100.7").with("User-Agent", "tests");
        client.with("X-Request-Id", id)
    };
    by("change-wrong").change_password(WRONG, NEW).await;
    by("email-wrong").request_email(NEXT, WRONG).await;
    by("email-right").request_email(NEXT, &ada.password).await;
    by("change-right").change_password(&ada.password, NEW).await;

    let mut rows = app.rows().await;
    let events = "select concat_ws(' | ', event, user_id, request_id, client, user_agent, detail)
                  from audit where client = '198.51.100.7' order by id";
    let events = rows.texts(events).await;
    rows.close().await;

    assert_snapshot!(events.join("\n"), @r"
    password_refused | 1 | change-wrong | 198.51.100.7 | tests | change_password
    password_refused | 1 | email-wrong | 198.51.100.7 | tests | change_email
    password_changed | 1 | change-right | 198.51.100.7 | tests
    ");
    let export = session.get("/api/auth/export/").await;
    assert!(export.text().contains("password_refused") && !export.text().contains(WRONG));
    app.finish().await;
}
