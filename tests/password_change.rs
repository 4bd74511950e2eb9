//! `POST /api/auth/password-change/`: a new password for who knows the old one.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp};

const NEW: &str = "an entirely different staple";

/// OWASP ASVS 5.0 7.4.3: the session it is done in survives, every other ends at once.
#[tokio::test]
async fn a_change_ends_the_other_sessions_and_keeps_its_own() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let here = app.member(&ada).await;
    let there = app.client.logged_in(&ada).await;

    let answer = here.change_password(&ada.password, NEW).await;

    assert_snapshot!(answer.shown(), @r#"200 {"message":"Password changed. Other sessions were ended."}"#);
    assert_eq!(
        (here.me_status().await, there.me_status().await),
        (200, 401)
    );
    assert_eq!(app.client.login("ada", &ada.password).await.status, 400);
    assert_eq!(app.client.login("ada", NEW).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.2.3.
#[tokio::test]
async fn the_current_password_is_needed_and_its_field_is_named() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let here = app.member(&ada).await;
    let there = app.client.logged_in(&ada).await;

    for current in [
        "a wrong password",
        "Correct Horse Battery",
        " correct horse battery",
    ] {
        let answer = here.change_password(current, NEW).await;
        answer.assert_refused("current_password", "Invalid password.");
    }
    let path = "/api/auth/password-change/";
    let missing = here.post(path, &json!({"new_password": NEW})).await;
    missing.assert_refused("current_password", "This field is required.");
    let none = here.post(path, &json!({})).await;
    assert_snapshot!(none.shown(), @r#"400 {"current_password":["This field is required."],"new_password":["This field is required."]}"#);

    assert_eq!(
        (here.me_status().await, there.me_status().await),
        (200, 200)
    );
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    assert_eq!(app.mails_to(&ada.email).await, 1, "and no notice");
    app.finish().await;
}

/// OWASP ASVS 5.0 6.2.1, 6.2.4, 6.2.11.
#[tokio::test]
async fn the_new_password_follows_the_rules_of_a_registration() {
    let app = TestApp::start().await;
    let ada = Person::new("rosalind");
    let here = app.member(&ada).await;

    let short = here.change_password(&ada.password, "x7_Qp2!").await;
    let message = "This password is too short. It must contain at least 8 characters.";
    short.assert_refused("new_password", message);
    let common = here.change_password(&ada.password, "baseball").await;
    common.assert_refused("new_password", "This password is too common.");
    let similar = here.change_password(&ada.password, "rosalind1").await;
    assert!(
        similar.json()["new_password"].is_array(),
        "{}",
        similar.shown()
    );

    assert_eq!(
        app.client.login("rosalind", &ada.password).await.status,
        200
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.7.
#[tokio::test]
async fn a_change_mails_a_notice_without_a_secret() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let here = app.member(&ada).await;

    here.change_password(&ada.password, NEW).await;

    let notice = app.mail(&ada.email, 2).await;
    assert_snapshot!(notice.subject().unwrap(), @"Your Smart Notes password was changed");
    assert_eq!(notice.code(), None);
    for secret in [NEW, &ada.password, "OTP"] {
        assert!(!notice.text().unwrap().contains(secret));
        assert!(!notice.html().unwrap().contains(secret));
    }
    app.finish().await;
}

/// OWASP ASVS 5.0 7.2.4: a login whose password was checked before the change gets no session after it.
#[tokio::test]
async fn logins_with_the_old_password_beside_a_change_leave_no_session() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let here = app.member(&ada).await;

    let logins =
        futures_util::future::join_all((0..8).map(|_| app.client.login("ada", &ada.password)));
    let (change, logins) = tokio::join!(here.change_password(&ada.password, NEW), logins);

    assert_eq!(change.status, 200);
    assert!(
        logins
            .iter()
            .all(|login| [200, 400].contains(&login.status))
    );
    for login in logins.iter().filter(|login| login.status == 200) {
        let old = app.client.bearing(&login.field("token"));
        assert_eq!(old.me_status().await, 401);
    }
    assert_eq!(here.sessions().await.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn of_two_changes_at_once_one_succeeds() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let here = app.member(&ada).await;

    let (first, second) = tokio::join!(
        here.change_password(&ada.password, "the first new password"),
        here.change_password(&ada.password, "the second new password"),
    );

    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    let refused = if first.status == 400 { first } else { second };
    refused.assert_refused("current_password", "Invalid password.");
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.2: who could ask for a code, or read it, before the change has none that is good after it.
#[tokio::test]
async fn a_change_and_a_reset_void_every_code_that_was_mailed_before() {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .start()
        .await;
    for (name, resets) in [("ada", false), ("bob", true)] {
        let person = Person::new(name);
        let session = app.member(&person).await;
        let next = format!("next-{name}@example.com");
        let challenge = app.client.reset_challenge(&person.email).await;
        let to_reset = app.newest_code(&person.email).await;
        app.client.request_code_login(&person.email).await;
        let to_log_in = app.newest_code(&person.email).await;
        session.request_deletion().await;
        let to_delete = app.newest_code(&person.email).await;
        session.request_email(&next, &person.password).await;
        let to_move = app.newest_code(&next).await;

        let session = if resets {
            let reset = app.client.reset(&person.email, &to_reset, NEW).await;
            assert_eq!(reset.status, 200);
            app.client.logged_in(&person.clone().password(NEW)).await
        } else {
            let changed = session.change_password(&person.password, NEW).await;
            assert_eq!(changed.status, 200);
            session
        };

        let other = "yet another long staple";
        for (code, refused) in [
            (
                "to reset",
                app.client.reset(&person.email, &to_reset, other).await,
            ),
            (
                "to reset, with its challenge",
                app.client
                    .reset_with(&person.email, &to_reset, other, &challenge)
                    .await,
            ),
            (
                "to log in",
                app.client.login_by_code(&person.email, &to_log_in).await,
            ),
            ("to delete", session.delete_account(&to_delete).await),
            ("to move", session.confirm_email(&to_move).await),
        ] {
            assert_eq!(refused.status, 400, "{name}: {code}: {}", refused.shown());
        }
        // The next ones are good.
        app.client.request_reset(&person.email).await;
        let code = app.newest_code(&person.email).await;
        let reset = app.client.reset(&person.email, &code, other).await;
        assert_eq!(reset.status, 200, "{name}");
    }
    app.finish().await;
}
