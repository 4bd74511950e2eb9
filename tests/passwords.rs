//! Which passwords are taken, and that they are kept as they were typed.

use insta::assert_snapshot;

use crate::support::{Person, TestApp};

/// OWASP ASVS 5.0 6.2.1, NIST SP 800-63B-4 §3.1.1.2: eight code points at least, whatever they are.
#[tokio::test]
async fn a_password_has_at_least_eight_code_points() {
    let app = TestApp::start().await;

    for short in ["1234567", "ééééééé", "🦀🦀🦀🦀🦀🦀🦀"] {
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

/// OWASP ASVS 5.0 6.2.8: a password is checked as it was typed. bcrypt would cut it after 72 bytes.
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
            "pa\u{308}ssword ñ 名".to_owned(),
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
