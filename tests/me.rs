//! `me/` and `export/`: what a user sees and changes of itself.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Person, TestApp, wrong};

async fn patch(client: &Client, body: &Value) -> Answer {
    client.send("PATCH", "/api/auth/me/", body).await
}

#[tokio::test]
async fn the_profile_is_shown_to_its_user() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("Ada").at("Ada@Example.com")).await;

    let answer = session.get("/api/auth/me/").await;

    assert_snapshot!(answer.shown(), @r#"200 {"user_id":1,"username":"Ada","email":"Ada@Example.com","is_email_verified":true,"plan":"free","created_at":"2027-01-15T08:00:00Z"}"#);
    assert_eq!(answer.header("allow"), "GET, HEAD, PATCH, OPTIONS");
    assert_eq!(answer.header("cache-control"), "no-store");
    app.finish().await;
}

#[tokio::test]
async fn another_name_can_be_taken_and_logs_in_from_then_on() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;

    let answer = patch(&session, &json!({"username": " lovelace "})).await;

    assert_snapshot!(answer.shown(), @r#"200 {"user_id":1,"username":"lovelace","email":"ada@example.com","is_email_verified":true,"plan":"free","created_at":"2027-01-15T08:00:00Z"}"#);
    assert_eq!(session.get("/api/auth/me/").await.body, answer.body);
    assert_eq!(
        app.client.login("lovelace", &ada.password).await.status,
        200
    );
    assert_eq!(app.client.login("ada", &ada.password).await.status, 400);
    app.client
        .registered(&Person::new("ada").at("new@example.com"))
        .await;
    app.finish().await;
}

#[tokio::test]
async fn ones_own_name_in_another_case_is_fine() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;

    for name in ["ADA", "Ada", "Ada", "ａda"] {
        let answer = patch(&session, &json!({"username": name})).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.shown());
    }
    assert_eq!(session.get("/api/auth/me/").await.field("username"), "ada");
    app.finish().await;
}

#[tokio::test]
async fn a_taken_name_is_refused_and_nothing_changes() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;
    app.verified(&Person::new("bob")).await;
    app.client.registered(&Person::new("eve")).await;

    for name in ["bob", "BOB", "eve"] {
        let answer = patch(&session, &json!({"username": name})).await;
        answer.assert_refused("username", "A user with that username already exists.");
    }
    assert_eq!(session.get("/api/auth/me/").await.field("username"), "ada");
    app.finish().await;
}

#[tokio::test]
async fn a_name_follows_the_rules_of_a_registration() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;

    let blank = patch(&session, &json!({"username": " "})).await;
    blank.assert_refused("username", "This field may not be blank.");
    let null = patch(&session, &json!({"username": null})).await;
    null.assert_refused("username", "This field may not be null.");
    let list = patch(&session, &json!({"username": ["x"]})).await;
    list.assert_refused("username", "Not a valid string.");
    let long = patch(&session, &json!({"username": "x".repeat(151)})).await;
    long.assert_refused(
        "username",
        "Ensure this field has no more than 150 characters.",
    );
    let space = patch(&session, &json!({"username": "a b"})).await;
    assert_eq!(space.status, 400);
    let address = patch(&session, &json!({"username": "bob@example.com"})).await;
    let message = "A username that is a mail address must be your own address.";
    address.assert_refused("username", message);
    let own = patch(&session, &json!({"username": "ADA@example.com"})).await;
    assert_eq!(own.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 8.2.3: what is not to be changed is not changed by naming it.
#[tokio::test]
async fn other_fields_are_ignored() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;
    let before = session.get("/api/auth/me/").await;

    let answer = patch(
        &session,
        &json!({
            "user_id": 7, "id": 7, "email": "eve@example.com", "is_email_verified": false,
            "plan": "premium", "created_at": null, "is_active": false, "password": "x", "owner": 2,
        }),
    )
    .await;

    assert_eq!((answer.status, &answer.body), (200, &before.body));
    assert_eq!(patch(&session, &json!({})).await.body, before.body);
    app.finish().await;
}

#[tokio::test]
async fn one_name_taken_by_two_users_at_once_goes_to_one() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let bob = app.member(&Person::new("bob")).await;
    let name = json!({"username": "grace"});

    let (first, second) = tokio::join!(patch(&ada, &name), patch(&bob, &name));

    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    app.finish().await;
}

/// OWASP ASVS 5.0 14.2.1 by analogy: everything held about the user, and nothing to log in with.
#[tokio::test]
async fn the_export_holds_profile_and_sessions_and_no_secret() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;
    app.client.verify(&ada, &wrong(&code)).await;
    app.client.verify(&ada, &code).await;
    let token = app.client.token(&ada).await;
    app.client.logged_in(&ada).await;
    app.client.request_reset(&ada.email).await;
    let pending = app.newest_code(&ada.email).await;

    let answer = app.client.bearing(&token).get("/api/auth/export/").await;

    let export = answer.json();
    assert_eq!(answer.status, 200);
    assert_eq!(export["profile"]["username"], "ada");
    assert_eq!(export["profile"]["plan"], "free");
    assert_eq!(export["sessions"].as_array().unwrap().len(), 2);
    let mut rows = app.rows().await;
    let mut secrets = rows.texts("select password_hash from users").await;
    for hashes in [
        "select lower(hex(token_hash)) from sessions",
        "select lower(hex(nonce)) from challenges",
        "select lower(hex(handle_hash)) from challenges where handle_hash is not null",
    ] {
        secrets.extend(rows.texts(hashes).await);
    }
    rows.close().await;
    secrets.extend([token, challenge, ada.password.clone(), "argon2".to_owned()]);
    for secret in &secrets {
        assert!(!answer.text().to_lowercase().contains(secret), "{secret}");
    }
    for code in [code, pending] {
        let digits = |c: char| !c.is_ascii_digit();
        assert!(answer.text().split(digits).all(|number| number != code));
    }
    app.finish().await;
}

/// `api.md`: the user's own security events are part of what is held about it.
#[tokio::test]
async fn the_export_holds_the_users_security_events() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;

    let export = session.get("/api/auth/export/").await.text().to_owned();

    assert!(
        export.contains("logged_in") && export.contains("verified"),
        "{export}"
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 8.2.2.
#[tokio::test]
async fn the_export_holds_nothing_of_others() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let bob = app.client.with("User-Agent", "the browser of bob");
    app.verified(&Person::new("bob")).await;
    bob.logged_in(&Person::new("bob")).await;

    let export = ada.get("/api/auth/export/").await;

    assert!(!export.text().contains("bob"), "{}", export.text());
    app.finish().await;
}
