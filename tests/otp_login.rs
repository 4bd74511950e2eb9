//! `POST /api/auth/otp-login-request/` and `…-confirm/`: a session for a mailed code, where the operator wants that.
//! It is one factor and not a second one: mail is no authenticator (NIST SP 800-63B-4 §3.1.3.1).

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp, wrong};

async fn switched_on() -> TestApp {
    let name = "SMART_NOTES__ACCOUNTS__OTP_LOGIN";
    TestApp::with().set(name, "true").start().await
}

/// NIST SP 800-63B-4 §3.1.3.1: off unless the operator says otherwise.
#[tokio::test]
async fn it_is_not_there_by_default() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    let request = app.client.request_code_login(&ada.email).await;
    let confirm = app.client.login_by_code(&ada.email, "123456").await;

    assert_snapshot!(request.shown(), @r#"404 {"detail":"Not found.","code":"not_found"}"#);
    assert_eq!(confirm.body, request.body);
    assert_eq!(app.mails_to(&ada.email).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_code_opens_a_session() {
    let app = switched_on().await;
    let ada = Person::new("ada").at("Ada@example.com");
    app.verified(&ada).await;

    let requested = app.client.request_code_login("ada@example.com").await;
    let code = app.newest_code(&ada.email).await;
    let login = app.client.login_by_code("ada@example.com", &code).await;

    assert_snapshot!(requested.shown(), @r#"200 {"message":"Login OTP sent to email.","challenge":"…"}"#);
    assert_snapshot!(login.shown(), @r#"200 {"token":"…","user_id":1,"email":"Ada@example.com"}"#);
    let session = app.client.bearing(&login.field("token"));
    assert_eq!(session.me_status().await, 200);
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8.
#[tokio::test]
async fn every_address_is_answered_alike() {
    let app = switched_on().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.verified(&ada).await;
    app.registered(&bob, 1).await;

    let known = app.client.request_code_login(&ada.email).await;
    for email in [&*bob.email, "nobody@example.com", "no address"] {
        let answer = app.client.request_code_login(email).await;
        assert_eq!(answer.outside(), known.outside());
    }
    let code = app.newest_code(&ada.email).await;
    let refused = app.client.login_by_code(&ada.email, &wrong(&code)).await;
    assert_snapshot!(refused.shown(), @r#"400 {"error":"Invalid OTP","code":"invalid_otp"}"#);
    for email in [&*bob.email, "nobody@example.com"] {
        let answer = app.client.login_by_code(email, &code).await;
        assert_eq!(
            (answer.outside(), &answer.body),
            (refused.outside(), &refused.body)
        );
    }
    assert_eq!(app.mails_to(&bob.email).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn an_address_and_a_code_are_required() {
    let app = switched_on().await;

    let request = app.client.request_code_login("").await;
    let confirm = app
        .client
        .post("/api/auth/otp-login-confirm/", &json!({}))
        .await;

    assert_snapshot!(request.shown(), @r#"400 {"error":"Email is required","code":"email_required"}"#);
    assert_snapshot!(confirm.shown(), @r#"400 {"email":["This field is required."],"otp":["This field is required."]}"#);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.1.
#[tokio::test]
async fn of_twenty_logins_with_one_code_at_once_one_succeeds() {
    let app = switched_on().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.client.request_code_login(&ada.email).await;
    let code = app.newest_code(&ada.email).await;

    let logins = (0..20).map(|_| app.client.login_by_code(&ada.email, &code));
    let answers = futures_util::future::join_all(logins).await;

    let opened = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(opened, 1);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.5, 6.6.3.
#[tokio::test]
async fn a_burnt_and_an_expired_code_open_nothing() {
    let app = switched_on().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    app.client.request_code_login(&ada.email).await;
    let burnt = app.newest_code(&ada.email).await;
    for _ in 0..5 {
        app.client.login_by_code(&ada.email, &wrong(&burnt)).await;
    }
    assert_eq!(
        app.client.login_by_code(&ada.email, &burnt).await.status,
        400
    );
    app.client.request_code_login(&ada.email).await;
    let late = app.newest_code(&ada.email).await;
    app.advance(601).await;
    assert_eq!(
        app.client.login_by_code(&ada.email, &late).await.status,
        400
    );

    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 7.4.2.
#[tokio::test]
async fn a_disabled_user_gets_no_code() {
    let app = switched_on().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.client.request_code_login(&ada.email).await;
    let code = app.newest_code(&ada.email).await;
    let mut rows = app.rows().await;
    rows.run("update users set is_active = 0, credential_version = credential_version + 1")
        .await;
    rows.close().await;

    app.client.request_code_login(&ada.email).await;

    assert_eq!(app.mails_to(&ada.email).await, 2);
    assert_eq!(
        app.client.login_by_code(&ada.email, &code).await.status,
        400
    );
    app.finish().await;
}
