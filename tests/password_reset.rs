//! `POST /api/auth/password-reset-request/` and `…-confirm/`: a new password for who reads the mailbox.

mod codes;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp, wrong};

const NEW: &str = "an entirely different staple";

#[tokio::test]
async fn a_code_sets_a_new_password_and_the_old_one_is_void() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    let requested = app.client.request_reset(" ADA@Example.com ").await;
    let code = app.newest_code(&ada.email).await;
    let reset = app.client.reset(&ada.email, &code, NEW).await;

    assert_snapshot!(requested.shown(), @r#"200 {"message":"Password reset OTP sent to email.","challenge":"…"}"#);
    assert_snapshot!(reset.shown(), @r#"200 {"message":"Password has been reset successfully. Please login."}"#);
    assert_eq!(app.client.login("ada", &ada.password).await.status, 400);
    assert_eq!(app.client.login("ada", NEW).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8: the same bytes for everybody, and no mail but to who has an account.
#[tokio::test]
async fn every_address_is_answered_alike() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.verified(&ada).await;
    app.registered(&bob, 1).await;

    let known = app.client.request_reset(&ada.email).await;
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
        let path = "/api/auth/password-reset-request/";
        let answer = app.client.post(path, &json!({"email": other})).await;

        assert_eq!(answer.outside(), known.outside(), "{other}");
        assert_ne!(answer.field("challenge"), known.field("challenge"));
    }
    assert_eq!(app.mails_to(&ada.email).await, 2);
    assert_eq!(app.mails_to(&bob.email).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn all_fields_are_required() {
    let app = TestApp::start().await;

    let none = app.client.request_reset("").await;
    assert_snapshot!(none.shown(), @r#"400 {"error":"Email is required","code":"email_required"}"#);
    for body in [
        json!({}),
        json!({"email": "ada@example.com", "otp": "123456"}),
        json!({"email": "ada@example.com", "new_password": NEW}),
        json!({"otp": "123456", "new_password": NEW}),
        json!({"email": "", "otp": "", "new_password": ""}),
        json!({"email": null, "otp": null, "new_password": null}),
    ] {
        let path = "/api/auth/password-reset-confirm/";
        let answer = app.client.post(path, &body).await;

        let refusal = r#"400 {"error":"Email, OTP, and New Password are required","code":"reset_fields_required"}"#;
        assert_eq!(answer.shown(), refusal, "{body}");
    }
    app.finish().await;
}

/// The rules for a new password come first, so that they tell nothing about a code, and cost no try.
#[tokio::test]
async fn what_is_wrong_with_a_password_is_said_before_the_code_is_looked_at() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;

    for password in ["sesame!", "password", "smartnotes"] {
        let right = app.client.reset(&ada.email, &code, password).await;
        let guess = app.client.reset(&ada.email, &wrong(&code), password).await;
        let nobody = app.client.reset("no@example.com", &code, password).await;

        assert_eq!(right.status, 400, "{}", right.shown());
        assert!(right.json()["new_password"].is_array());
        assert_eq!(right.body, guess.body);
        assert_eq!(right.body, nobody.body);
    }
    let path = "/api/auth/password-reset-confirm/";
    for odd in [json!(12_345_678), json!(["x"]), json!({"a": 1})] {
        let body = json!({"email": ada.email, "otp": code, "new_password": odd});
        let answer = app.client.post(path, &body).await;
        answer.assert_refused("new_password", "Not a valid string.");
    }
    assert_eq!(app.client.reset(&ada.email, &code, NEW).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 7.4.3: every session ends at once, and no token is part of the answer.
#[tokio::test]
async fn a_reset_ends_every_session_and_gives_none() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let first = app.member(&ada).await;
    let second = app.client.logged_in(&ada).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;

    let reset = app.client.reset(&ada.email, &code, NEW).await;

    assert!(!reset.text().contains("token"), "{}", reset.text());
    assert_eq!(
        (first.me_status().await, second.me_status().await),
        (401, 401)
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.7: the owner hears of it, and the notice carries no secret.
#[tokio::test]
async fn a_reset_mails_a_notice_without_a_code() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;
    app.client.reset(&ada.email, &code, NEW).await;

    let notice = app.mail(&ada.email, 3).await;

    assert_snapshot!(notice.subject().unwrap(), @"Your Smart Notes password was changed");
    assert_eq!(notice.code(), None);
    for secret in [code.as_str(), NEW, &ada.password, "OTP"] {
        assert!(!notice.text().unwrap().contains(secret));
        assert!(!notice.html().unwrap().contains(secret));
    }
    app.finish().await;
}

/// A reset is no way around the confirmation of an address.
#[tokio::test]
async fn an_unverified_address_gets_no_code_to_reset() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (_, code) = app.registered(&ada, 1).await;

    app.client.request_reset(&ada.email).await;

    assert_eq!(app.mails_to(&ada.email).await, 1);
    assert_eq!(app.client.reset(&ada.email, &code, NEW).await.status, 400);
    assert_eq!(app.client.verify(&ada, &code).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.1.1: a stranger who asks for a code changes nothing for who logs in.
#[tokio::test]
async fn a_request_alone_changes_nothing() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;

    app.client.request_reset(&ada.email).await;
    for _ in 0..9 {
        app.client.reset(&ada.email, "000000", NEW).await;
    }

    assert_eq!(session.me_status().await, 200);
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    app.finish().await;
}

/// A reset ends every code of its kind that is on its way or in the mailbox.
#[tokio::test]
async fn after_a_reset_no_earlier_code_is_good() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let challenge = app.client.reset_challenge(&ada.email).await;
    let first = app.newest_code(&ada.email).await;
    app.advance(301).await;
    app.client.request_reset(&ada.email).await;
    let second = app.newest_code(&ada.email).await;
    let reset = app.client.reset(&ada.email, &second, NEW).await;
    assert_eq!(reset.status, 200);

    let again = app
        .client
        .reset_with(&ada.email, &first, &ada.password, &challenge);

    assert_eq!(again.await.status, 400);
    app.finish().await;
}
