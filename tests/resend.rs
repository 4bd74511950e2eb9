//! `POST /api/auth/resend-otp/`: the same digits while they have time, and one answer for everybody.

mod tries;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp};

#[tokio::test]
async fn a_resend_in_the_first_half_of_its_life_mails_the_same_digits() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    let first = app.code(&ada, 1).await;
    app.advance(300).await;

    let answer = app.client.resend(&ada.email).await;

    assert_snapshot!(answer.shown(), @r#"200 {"message":"New OTP sent to your email."}"#);
    assert_eq!(app.code(&ada, 2).await, first);
    assert_eq!(app.client.verify(&ada, &first).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn the_same_digits_do_not_live_longer_by_a_resend() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    app.advance(290).await;
    app.client.resend(&ada.email).await;
    let code = app.code(&ada, 2).await;

    app.advance(311).await;

    assert_eq!(app.client.verify(&ada, &code).await.status, 400);
    app.finish().await;
}

#[tokio::test]
async fn a_resend_in_the_second_half_mails_new_digits_which_replace_the_old() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    let old = app.code(&ada, 1).await;
    app.advance(301).await;

    app.client.resend(&ada.email).await;
    let new = app.code(&ada, 2).await;

    assert_ne!(new, old);
    assert_eq!(app.client.verify(&ada, &old).await.status, 400);
    app.advance(599).await;
    assert_eq!(app.client.verify(&ada, &new).await.status, 200);
    app.finish().await;
}

/// The old challenge stays good for its holder to its end, and its handle is good for the new digits.
#[tokio::test]
async fn the_holder_of_the_challenge_may_use_old_and_new_digits() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let (of_ada, of_bob) = (
        app.client.registered(&ada).await,
        app.client.registered(&bob).await,
    );
    let old_of_ada = app.code(&ada, 1).await;
    app.advance(301).await;
    app.client.resend(&ada.email).await;
    app.client.resend(&bob.email).await;
    let new_of_bob = app.code(&bob, 2).await;
    app.code(&ada, 2).await;

    assert_eq!(
        app.client
            .verify_with(&ada, &old_of_ada, &of_ada)
            .await
            .status,
        200
    );
    assert_eq!(
        app.client
            .verify_with(&bob, &new_of_bob, &of_bob)
            .await
            .status,
        200
    );
    app.finish().await;
}

#[tokio::test]
async fn the_old_digits_die_at_their_own_end() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let challenge = app.client.registered(&ada).await;
    let old = app.code(&ada, 1).await;
    app.advance(301).await;
    app.client.resend(&ada.email).await;
    let new = app.code(&ada, 2).await;

    app.advance(300).await;

    assert_eq!(
        app.client.verify_with(&ada, &old, &challenge).await.status,
        400
    );
    assert_eq!(
        app.client.verify_with(&ada, &new, &challenge).await.status,
        200
    );
    app.finish().await;
}

#[tokio::test]
async fn a_resend_after_the_codes_life_opens_a_new_one() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let challenge = app.client.registered(&ada).await;
    app.advance(3600).await;

    app.client.resend_with(&ada.email, &challenge).await;
    let code = app.code(&ada, 2).await;

    assert_eq!(
        app.client.verify_with(&ada, &code, &challenge).await.status,
        200
    );
    app.finish().await;
}

#[tokio::test]
async fn nothing_is_mailed_once_the_registration_has_lapsed() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    app.advance(86_400).await;

    let answer = app.client.resend(&ada.email).await;

    assert_eq!(answer.status, 200);
    assert_eq!(app.mails_to(&ada.email).await, 1);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8: the same bytes for everybody, and no mail where none is due.
#[tokio::test]
async fn every_address_is_answered_alike() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.client.registered(&ada).await;
    app.verified(&bob).await;

    let waiting = app.client.resend(&ada.email).await;
    app.mail(&ada.email, 2).await;
    for other in [
        json!("bob@example.com"),
        json!("nobody@example.com"),
        json!("no address"),
        json!("  "),
        json!(5),
        json!(["a"]),
        json!({"a": 1}),
        json!(true),
    ] {
        let answer = app
            .client
            .post("/api/auth/resend-otp/", &json!({"email": other}))
            .await;

        assert_eq!(answer.outside(), waiting.outside(), "{other}");
        assert_eq!(answer.body, waiting.body);
    }
    assert_eq!(app.mails_to(&bob.email).await, 1);
    assert_eq!(app.inbox().accepted(), 3);
    app.finish().await;
}

#[tokio::test]
async fn an_address_is_required() {
    let app = TestApp::start().await;

    for nothing in [
        json!({}),
        json!({"email": null}),
        json!({"email": ""}),
        json!({"email": 0}),
        json!({"email": []}),
        json!({"email": false}),
    ] {
        let answer = app.client.post("/api/auth/resend-otp/", &nothing).await;

        let refusal = r#"400 {"error":"Email is required","code":"email_required"}"#;
        assert_eq!(answer.shown(), refusal, "{nothing}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_challenge_names_the_attempt_that_is_meant() {
    let app = TestApp::start().await;
    let (ada, eve) = (Person::new("ada"), Person::new("eve").at("ada@example.com"));
    let challenge = app.client.registered(&ada).await;
    let of_ada = app.code(&ada, 1).await;
    app.client.registered(&eve).await;
    let of_eve = app.code(&eve, 2).await;

    app.client.resend_with(&ada.email, &challenge).await;
    assert_eq!(app.code(&ada, 3).await, of_ada);
    app.client.resend(&ada.email).await;
    assert_eq!(
        app.code(&ada, 4).await,
        of_eve,
        "without one, the newest is meant"
    );

    app.finish().await;
}

#[tokio::test]
async fn with_an_invented_challenge_nothing_is_mailed() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;

    let answer = app.client.resend_with(&ada.email, "0123456789abcdef").await;

    assert_snapshot!(answer.shown(), @r#"200 {"message":"New OTP sent to your email."}"#);
    assert_eq!(app.mails_to(&ada.email).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn without_a_challenge_the_clients_own_attempt_is_meant() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let (home, away) = (
        app.client.from("198.51.100.1"),
        app.client.from("203.0.113.9"),
    );
    let (ada, eve) = (Person::new("ada"), Person::new("eve").at("ada@example.com"));
    home.registered(&ada).await;
    let of_ada = app.code(&ada, 1).await;
    away.registered(&eve).await;
    let of_eve = app.code(&eve, 2).await;

    home.resend(&ada.email).await;
    assert_eq!(app.code(&ada, 3).await, of_ada);
    app.client.from("192.0.2.5").resend(&ada.email).await;
    assert_eq!(app.code(&ada, 4).await, of_eve);

    app.finish().await;
}

#[tokio::test]
async fn the_mail_goes_to_the_address_as_it_was_registered() {
    let app = TestApp::start().await;
    app.client
        .registered(&Person::new("ada").at("Ada.B@example.com"))
        .await;

    app.client.resend(" ada.b@EXAMPLE.com ").await;

    assert_eq!(
        app.mail("ada.b@example.com", 2).await.envelope_to,
        ["Ada.B@example.com"]
    );
    app.finish().await;
}
