//! Which passwords are taken, and that no other one logs in.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp, wrong};

/// OWASP ASVS 5.0 6.2.1, NIST SP 800-63B-4 §3.1.1.2: eight code points at least, whatever they are.
#[tokio::test]
async fn a_password_has_at_least_eight_code_points() {
    let app = TestApp::start().await;

    for short in ["x7_Qp2!", "ééééééé", "🦀🦀🦀🦀🦀🦀🦀"] {
        let answer = app
            .client
            .register(&Person::new("ada").password(short))
            .await;
        let message = "This password is too short. It must contain at least 8 characters.";
        answer.assert_refused("password", message);
    }
    app.client
        .registered(&Person::new("ada").password("🦀🦀🦀🦀🦀🦀🦀🦀"))
        .await;
    app.finish().await;
}

#[tokio::test]
async fn a_setting_asks_for_longer_passwords() {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__PASSWORD_MIN_LENGTH", "15")
        .start()
        .await;

    let short = app
        .client
        .register(&Person::new("ada").password(&"x".repeat(14)))
        .await;
    let enough = app
        .client
        .register(&Person::new("ada").password(&"x".repeat(15)))
        .await;

    assert_eq!((short.status, enough.status), (400, 201));
    app.finish().await;
}

/// OWASP ASVS 5.0 6.2.9: long passwords are taken, and refused rather than cut.
#[tokio::test]
async fn a_password_has_at_most_256_code_points() {
    let app = TestApp::start().await;

    let longer = app
        .client
        .register(&Person::new("ada").password(&"é".repeat(257)))
        .await;
    let longest = app
        .client
        .register(&Person::new("ada").password(&"é".repeat(256)))
        .await;

    assert_snapshot!(longer.shown(), @r#"400 {"password":["Ensure this field has no more than 256 characters."]}"#);
    assert_eq!(longest.status, 201);
    assert_eq!(app.client.login("ada", &"é".repeat(256)).await.status, 403);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.2.8: a password is checked as it was typed, but for its canonical form. bcrypt would cut it after 72
/// bytes, and NFKC take wide letters for plain ones.
#[tokio::test]
async fn a_password_is_neither_trimmed_nor_cut() {
    let app = TestApp::start().await;
    let long = format!("{}a", "x".repeat(72));
    let people = [
        (
            Person::new("ada").password("  lead trail  "),
            "lead trail".to_owned(),
        ),
        (
            Person::new("bob").password(&long),
            format!("{}b", "x".repeat(72)),
        ),
        (
            Person::new("eve").password("pässword ñ 名"),
            "pässword ñ 名".replace('p', "ｐ"),
        ),
    ];

    for (person, other) in people {
        app.client.registered(&person).await;

        assert_eq!(
            app.client
                .login(&person.name, &person.password)
                .await
                .status,
            403
        );
        assert_eq!(app.client.login(&person.name, &other).await.status, 400);
    }
    app.finish().await;
}

/// OWASP ASVS 5.0 11.4.2: what is stored is an argon2id hash at or above the recommended cost.
#[tokio::test]
async fn passwords_are_stored_as_argon2id() {
    let app = TestApp::start().await;

    app.client.registered(&Person::new("ada")).await;

    let mut rows = app.rows().await;
    let hash = rows
        .texts("select password_hash from registrations")
        .await
        .remove(0);
    assert!(
        hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{hash}"
    );
    rows.close().await;
    app.finish().await;
}

/// OWASP ASVS 5.0 6.2.4, 6.2.11, 6.2.12: everything that is wrong with a new password is told at once.
#[tokio::test]
async fn a_common_password_and_one_like_the_account_are_refused() {
    let app = TestApp::start().await;
    let person = Person::new("rosalind").at("luxemburg@example.com");

    for (password, message) in [
        ("PassWord1", "This password is too common."),
        ("Rosalind1", "The password is too similar to the username."),
        ("luxemburg1", "The password is too similar to the email."),
        (
            "Smart-Notes1",
            "The password is too similar to the name of this service.",
        ),
    ] {
        let answer = app
            .client
            .register(&person.clone().password(password))
            .await;
        answer.assert_refused("password", message);
    }
    let answer = app.client.register(&person.password("rosalin")).await;
    assert_snapshot!(
        answer.shown(),
        @r#"400 {"password":["This password is too short. It must contain at least 8 characters.","The password is too similar to the username."]}"#
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 6.2.11, 6.3.8: whose address it is shows only to whoever has the code, which stays good.
#[tokio::test]
async fn a_reset_tells_of_likeness_to_the_account_after_the_code_alone() {
    let app = TestApp::start().await;
    let person = Person::new("rosalind").at("rl@example.com");
    app.verified(&person).await;
    let request = json!({"email": person.email});
    app.client
        .post("/api/auth/password-reset-request/", &request)
        .await;
    let code = app.code(&person, 2).await;
    let reset = async |code: &str, password: &str| {
        let body = json!({"email": person.email, "otp": code, "new_password": password});
        app.client
            .post("/api/auth/password-reset-confirm/", &body)
            .await
            .shown()
    };

    assert_snapshot!(
        reset(&wrong(&code), "baseball").await,
        @r#"400 {"new_password":["This password is too common."]}"#
    );
    assert_snapshot!(
        reset(&wrong(&code), "rosalind1").await,
        @r#"400 {"error":"Invalid OTP","code":"invalid_otp"}"#
    );
    assert_snapshot!(
        reset(&code, "rosalind1").await,
        @r#"400 {"new_password":["The password is too similar to the username."]}"#
    );
    assert_snapshot!(
        reset(&code, "N3w!pass-phrase").await,
        @r#"200 {"message":"Password has been reset successfully. Please login."}"#
    );
    app.settled().await;
    app.finish().await;
}

/// What a code's holder hears of the account costs a try, so that it can't be asked for ever (OWASP ASVS 5.0 6.6.3).
#[tokio::test]
async fn a_password_like_the_account_costs_a_try_of_the_right_code() {
    let app = TestApp::start().await;
    let person = Person::new("rosalind").at("rl@example.com");
    app.verified(&person).await;
    app.client.request_reset(&person.email).await;
    let code = app.code(&person, 2).await;

    for _ in 0..5 {
        let similar = app.client.reset(&person.email, &code, "rosalind1").await;
        assert!(similar.json()["new_password"].is_array());
    }

    let spent = app.client.reset(&person.email, &code, "N3w!pass-phrase");
    assert_eq!(spent.await.field("code"), "invalid_otp");
    app.finish().await;
}

/// OWASP ASVS 5.0 11.4.2: a hash imported from Django is replaced once, when its password is right.
#[tokio::test]
async fn an_imported_hash_becomes_argon2id_at_the_first_login() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let mut rows = app.rows().await;
    // Made by Django 5.2 of the password `correct horse`.
    rows.run(
        "update users set password_hash =
         'pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso='",
    )
    .await;
    let stored = "select substr(password_hash, 1, 30) || ' ' || credential_version from users";
    let before = rows.texts(stored).await;

    let refused = app.client.login("ada", &ada.password).await;
    assert_eq!((refused.status, rows.texts(stored).await), (400, before));

    let opened = app.client.login("ada", "correct horse").await;
    let after = rows.texts(stored).await;
    assert_eq!(opened.status, 200, "{}", opened.shown());
    assert_eq!(after, ["$argon2id$v=19$m=19456,t=2,p=1 1"]);
    assert_eq!(app.client.login("ada", "correct horse").await.status, 200);
    rows.close().await;
    app.finish().await;
}

/// The same characters, each in one code point and as a letter with a mark.
const COMPOSED: &str = "\u{fc}ber f\u{fc}nf Br\u{fc}cken";
const DECOMPOSED: &str = "u\u{308}ber fu\u{308}nf Bru\u{308}cken";

/// NIST SP 800-63B-4, section 3.1.1.2; RFC 8265, section 4.2: keyboards differ in how they write one character.
#[tokio::test]
async fn a_password_is_right_in_every_canonical_form() {
    let app = TestApp::start().await;
    let ada = Person::new("ada").password(COMPOSED);
    let mut form = ada.form();
    form["confirm_password"] = json!(DECOMPOSED);

    let registered = app.client.post("/api/auth/register/", &form).await;
    let code = app.code(&ada, 1).await;
    app.client.verify(&ada, &code).await;
    let session = app
        .client
        .logged_in(&ada.clone().password(DECOMPOSED))
        .await;
    let moved = session.request_email("next@example.com", DECOMPOSED).await;
    let changed = session
        .change_password(DECOMPOSED, "u\u{308}ber sieben Berge")
        .await;
    let login = app.client.login("ada", "\u{fc}ber sieben Berge").await;

    assert_eq!(registered.status, 201, "{}", registered.shown());
    assert_eq!(
        (moved.status, changed.status, login.status),
        (200, 200, 200)
    );
    assert_eq!(
        app.client.login("ada", "uber sieben Berge").await.status,
        400
    );
    app.finish().await;
}

/// The old hash is of the text as typed; the new one is marked as one of the NFC form.
#[tokio::test]
async fn a_hash_of_another_form_is_right_once_and_becomes_one_of_the_nfc_form() {
    let app = TestApp::start().await;
    app.verified(&Person::new("ada")).await;
    let mut rows = app.rows().await;
    // Made by Python's `hashlib.pbkdf2_hmac` of `DECOMPOSED`.
    rows.run(
        "update users set password_hash =
         'pbkdf2_sha256$1000$seasalt$qp1iR+K+4uMwb5sqJV2RtgZnyjCQH/KYGzhNGeWnpFk='",
    )
    .await;
    let kind = "select hash_kind from users";

    let wrong = app.client.login("ada", "uber funf Brucken").await;
    assert_eq!(
        (wrong.status, rows.texts(kind).await),
        (400, vec!["pbkdf2_sha256$1000$".to_owned()])
    );
    let right = app.client.login("ada", COMPOSED).await;
    assert_eq!(
        (right.status, rows.texts(kind).await),
        (200, vec!["$argon2id$v=19$m=19456,t=2,p=1$TkZD".to_owned()])
    );
    for form in [COMPOSED, DECOMPOSED] {
        assert_eq!(app.client.login("ada", form).await.status, 200);
    }
    rows.close().await;
    app.finish().await;
}
