//! A clock that was ahead for a while, as after a start without NTP: what was counted then closes nothing once the clock
//! is right again.

use std::time::Duration;

use domain::clock::Clock;

use crate::support::{Person, TestApp, wrong};

const A_YEAR: Duration = Duration::from_hours(24 * 400);

#[tokio::test]
async fn what_was_counted_in_the_future_closes_no_limit() {
    let app = TestApp::with().limited().behind_a_proxy().start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.settled().await;
    let today = app.clock.now();
    let stranger = app.client.from("198.51.100.7");

    app.clock.advance(A_YEAR);
    for n in 1..4 {
        let client = app.client.from(&format!("198.51.100.{n}"));
        assert_eq!(client.request_reset(&ada.email).await.status, 200);
    }
    for _ in 0..52 {
        stranger.verify(&Person::new("nobody"), "000000").await;
    }
    for _ in 0..8 {
        stranger.login("ada", "not the password").await;
    }
    app.settled().await;
    app.clock.set(today);

    let reset = app.client.request_reset(&ada.email).await;
    let guess = stranger.verify(&Person::new("nobody"), "000000").await;
    let login = stranger.login("ada", &ada.password).await;
    assert_eq!((reset.status, guess.status, login.status), (200, 400, 200));
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.5, 7.3.1, 7.3.2: nor does anything live longer for that. A worker sets it right.
#[tokio::test]
async fn what_was_begun_in_the_future_lives_no_longer_for_it() {
    let app = TestApp::with().limited().start().await;
    let (ada, eve) = (Person::new("ada"), Person::new("eve"));
    app.verified(&ada).await;
    app.settled().await;
    let today = app.clock.now();

    app.clock.advance(A_YEAR);
    let (challenge, code) = app.registered(&eve, 1).await;
    let fay = Person::new("fay");
    app.client.registered(&fay).await;
    let session = app.client.logged_in(&ada).await;
    app.settled().await;
    app.clock.set(today);
    app.swept().await;

    let late = app.client.verify_with(&eve, &code, &challenge).await;
    assert_eq!(late.status, 200, "the code was mailed just now");
    assert_eq!(session.me_status().await, 200);
    app.advance(24 * 3600 + 1).await;
    let another = Person::new("fay").at("other@example.com");
    let name_is_free = app.client.register(&another).await;
    assert_eq!(name_is_free.status, 201, "a day is over");
    app.advance(30 * 24 * 3600).await;
    assert_eq!(session.me_status().await, 401, "idle for 30 days");
    app.finish().await;
}

/// Neither do the rows that a request for an address without an account leaves.
#[tokio::test]
async fn what_was_asked_for_nobody_in_the_future_is_dated_anew() {
    let app = TestApp::start().await;
    let today = app.clock.now();
    app.clock.advance(A_YEAR);
    app.client.request_reset("nobody@example.com").await;
    app.settled().await;
    app.clock.set(today);

    app.swept().await;

    let mut rows = app.rows().await;
    let ends = rows.number("select expires_at from challenges").await;
    assert_eq!(ends, (today.as_second() + 600) * 1_000_000);
    rows.close().await;
    app.finish().await;
}

/// The owner of an address hears of registrations with it once an hour, by a clock that is right.
#[tokio::test]
async fn a_notice_of_the_future_keeps_none_of_today_back() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let twin = Person::new("mallory").at(&ada.email);
    app.settled().await;
    let today = app.clock.now();
    app.clock.advance(A_YEAR);
    app.client.registered(&twin).await;
    app.settled().await;
    app.clock.set(today);
    app.swept().await;

    app.client.registered(&twin).await;

    assert_eq!(app.mails_to(&ada.email).await, 3);
    app.finish().await;
}

/// A clock without a battery shows 1970 at start: then everything seems to lie in the future, and stays as it is.
#[tokio::test]
async fn a_clock_that_can_not_be_right_removes_nothing() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;
    app.client
        .verify_with(&ada, &wrong(&code), &challenge)
        .await;
    app.settled().await;
    let (today, counted) = (app.clock.now(), "select count(*) from limit_hits");
    let mut rows = app.rows().await;
    let before = rows.number(counted).await;

    app.clock.set(jiff::Timestamp::UNIX_EPOCH);
    app.swept().await;
    app.clock.set(today);

    assert_eq!(rows.number(counted).await, before);
    rows.close().await;
    let right = app.client.verify_with(&ada, &code, &challenge).await;
    assert_eq!(right.status, 200);
    app.finish().await;
}
