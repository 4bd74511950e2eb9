//! `POST /api/auth/register/`: the answer, the mail, who may have which name, and how often.

use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp, until, wrong};

#[tokio::test]
async fn a_registration_is_answered_with_a_challenge_and_without_secrets() {
    let app = TestApp::start().await;

    let answer = app.client.register(&Person::new("ada")).await;

    assert_snapshot!(answer.shown(), @r#"201 {"message":"Registration successful. Check email for OTP.","email":"ada@example.com","challenge":"…"}"#);
    assert!(answer.field("challenge").len() >= 16);
    assert_snapshot!(answer.header_names().join(" "), @"allow cache-control content-length content-type cross-origin-opener-policy date referrer-policy vary x-content-type-options x-frame-options x-request-id");
    assert_eq!(answer.header("content-type"), "application/json");
    app.finish().await;
}

#[tokio::test]
async fn a_registration_mails_a_code_and_shows_the_name_masked() {
    let app = TestApp::start().await;
    let ada = Person::new("ada.example.com");

    app.client.registered(&ada).await;

    let mail = app.mail(&ada.email, 1).await;
    let (text, code) = (mail.text().unwrap(), mail.code().unwrap());
    assert!(
        text.lines()
            .any(|line| line == format!("Your OTP code is: {code}"))
    );
    assert!(code.len() == 6 && !mail.subject().unwrap().contains(&code));
    assert!(text.contains("ad•••") && !text.contains(&ada.name));
    assert_eq!(mail.envelope_to, [ada.email]);
    assert_eq!(app.mails_to("ada.example.com@example.com").await, 1);
    app.finish().await;
}

/// The mail's row, its job and its Message-ID have one id (`reliability.md` calls it the mail's id).
#[tokio::test]
async fn the_message_id_is_the_id_of_the_job() {
    let app = TestApp::start().await;

    app.client.registered(&Person::new("ada")).await;

    let mail = app.mail("ada@example.com", 1).await;
    let (id, _) = mail.message_id().unwrap().split_once('@').unwrap();
    let mut rows = app.rows().await;
    assert_eq!(rows.texts("select id from Jobs").await, [id]);
    rows.close().await;
    app.finish().await;
}

#[tokio::test]
async fn a_taken_name_is_refused_whatever_its_case_or_width() {
    let app = TestApp::start().await;
    app.client
        .registered(&Person::new("straße").at("first@example.com"))
        .await;

    for twin in ["straße", "STRASSE", "Straße", "ｓtraße", " straße "] {
        let answer = app
            .client
            .register(&Person::new(twin).at("second@example.com"))
            .await;

        let refusal = r#"400 {"username":["A user with that username already exists."]}"#;
        assert_eq!(answer.shown(), refusal, "{twin}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_verified_users_name_is_taken_for_everybody_else() {
    let app = TestApp::start().await;
    app.verified(&Person::new("ada")).await;

    let answer = app
        .client
        .register(&Person::new("ADA").at("eve@example.com"))
        .await;

    assert_eq!(answer.status, 400);
    app.finish().await;
}

#[tokio::test]
async fn a_name_is_free_again_once_its_attempt_has_lapsed() {
    let app = TestApp::start().await;
    let (ada, eve) = (Person::new("ada"), Person::new("ada").at("eve@example.com"));
    app.client.registered(&ada).await;

    app.advance(86_399).await;
    assert_eq!(app.client.register(&eve).await.status, 400);
    app.advance(1).await;
    assert_eq!(app.client.register(&eve).await.status, 201);

    app.finish().await;
}

#[tokio::test]
async fn an_unverified_address_may_register_again_with_the_same_name() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");

    let first = app.client.registered(&ada).await;
    let second = app.client.registered(&ada).await;

    assert_ne!(first, second);
    app.mail(&ada.email, 2).await;
    app.finish().await;
}

#[tokio::test]
async fn one_name_for_ten_addresses_at_once_goes_to_one_of_them() {
    let app = TestApp::start().await;
    let people: Vec<_> = (0..10)
        .map(|n| Person::new("ada").at(&format!("ada{n}@example.com")))
        .collect();

    let answers =
        futures_util::future::join_all(people.iter().map(|p| app.client.register(p))).await;

    let with = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!((with(201), with(400)), (1, 9));
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8: a registered address is answered like any other.
#[tokio::test]
async fn a_verified_address_is_answered_like_an_unknown_one() {
    let app = TestApp::start().await;
    app.verified(&Person::new("ada")).await;

    let unknown = app
        .client
        .register(&Person::new("eve").at("eva@example.com"))
        .await;
    let verified = app
        .client
        .register(&Person::new("bob").at("ada@example.com"))
        .await;

    assert_eq!(
        verified.outside(),
        (
            201,
            unknown.header_names(),
            unknown.body.len(),
            unknown.shown().replace("eva@", "ada@")
        )
    );
    let challenge = |answer: &crate::support::Answer| answer.field("challenge").len();
    assert_eq!(challenge(&verified), challenge(&unknown));
    app.finish().await;
}

/// OWASP Forgot Password and Email Validation cheat sheets: nobody can fill a mailbox.
#[tokio::test]
async fn the_owner_hears_of_registrations_once_an_hour_whatever_the_spelling() {
    let app = TestApp::start().await;
    app.verified(&Person::new("ada")).await;
    let strangers = ["ada@example.com", "ADA@example.com", " Ada@EXAMPLE.com "];

    for (n, spelling) in strangers.iter().enumerate() {
        app.client
            .registered(&Person::new(&format!("eve{n}")).at(spelling))
            .await;
    }
    let notice = app.mail("ada@example.com", 2).await;
    assert_snapshot!(notice.subject().unwrap(), @"You already have a Smart Notes account");
    assert_eq!(notice.code(), None);
    assert!(!notice.text().unwrap().contains("OTP code"));
    assert_eq!(app.mails_to("ada@example.com").await, 2);

    app.advance(3599).await;
    app.client
        .registered(&Person::new("eve3").at("ada@example.com"))
        .await;
    assert_eq!(app.mails_to("ada@example.com").await, 2);
    app.advance(1).await;
    app.client
        .registered(&Person::new("eve4").at("ada@example.com"))
        .await;
    app.mail("ada@example.com", 3).await;
    app.finish().await;
}

/// A decoy can't be told by verifying it either: no code is right, with or without its challenge.
#[tokio::test]
async fn no_code_verifies_a_decoy_and_it_holds_its_name() {
    let app = TestApp::start().await;
    let owner = Person::new("ada");
    app.verified(&owner).await;
    let decoy = Person::new("eve").at("ada@example.com");
    let challenge = app.client.registered(&decoy).await;

    let with = app.client.verify_with(&decoy, "000000", &challenge).await;
    let without = app.client.verify(&decoy, "000000").await;
    let name = app
        .client
        .register(&Person::new("eve").at("bob@example.com"))
        .await;
    let resent = app.client.resend_with(&decoy.email, &challenge).await;

    assert_eq!(
        (with.status, without.status, name.status, resent.status),
        (400, 400, 400, 200)
    );
    assert_eq!(app.client.login("ada", &owner.password).await.status, 200);
    assert_eq!(app.mails_to("ada@example.com").await, 2);
    app.finish().await;
}

#[tokio::test]
async fn a_setting_brings_back_the_error_for_a_registered_address() {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__REVEAL_REGISTERED_EMAILS", "true")
        .start()
        .await;
    app.verified(&Person::new("ada")).await;

    let address = app
        .client
        .register(&Person::new("eve").at("ADA@example.com"))
        .await;
    let both = app.client.register(&Person::new("ada")).await;

    assert_snapshot!(address.shown(), @r#"400 {"email":["user with this email already exists."]}"#);
    assert_snapshot!(both.shown(), @r#"400 {"username":["A user with that username already exists."],"email":["user with this email already exists."]}"#);
    assert_eq!(app.mails_to("ada@example.com").await, 1);
    app.finish().await;
}

/// The relay is no part of a request (OWASP ASVS 5.0 16.5.2): the answer comes, the mail waits.
#[tokio::test]
async fn a_registration_succeeds_while_the_relay_is_down_and_is_mailed_when_it_returns() {
    let app = TestApp::start().await;
    app.faults().refuse_connections().await.unwrap();
    let ada = Person::new("ada");

    let challenge = app.client.registered(&ada).await;
    let guess = app.client.verify_with(&ada, "000000", &challenge).await;
    assert_eq!(guess.status, 400);
    let mut rows = app.rows().await;
    until("a try has failed", async || {
        (rows.number("select count(*) from mail_tries").await > 0).then_some(())
    })
    .await;
    rows.close().await;
    app.faults().accept_connections().await.unwrap();
    app.clock.advance(Duration::from_mins(1));

    let code = app.code(&ada, 1).await;
    assert_eq!(app.client.verify(&ada, &wrong(&code)).await.status, 400);
    assert_eq!(app.client.verify(&ada, &code).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn fields_that_are_not_asked_for_are_ignored() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let mut form = ada.form();
    for (field, value) in [
        ("is_superuser", json!(true)),
        ("is_email_verified", json!(true)),
        ("id", json!(1)),
        ("otp", json!("111111")),
        ("challenge", json!("mine")),
    ] {
        form[field] = value;
    }

    let answer = app.client.post("/api/auth/register/", &form).await;

    assert_eq!(answer.status, 201);
    assert_ne!(answer.field("challenge"), "mine");
    assert_eq!(app.client.login("ada", &ada.password).await.status, 403);
    app.finish().await;
}
