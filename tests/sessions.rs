//! `logout/`, `logout-all/`, `sessions/` and `sessions/{id}/`, and how sessions end by themselves.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp};

const DAY: u64 = 86_400;

/// OWASP ASVS 5.0 7.4.1.
#[tokio::test]
async fn logging_out_ends_this_session_alone() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let here = app.member(&ada).await;
    let there = app.client.logged_in(&ada).await;

    let answer = here.post_empty("/api/auth/logout/").await;

    assert_eq!((answer.status, answer.text()), (204, ""));
    assert_eq!(
        (here.me_status().await, there.me_status().await),
        (401, 200)
    );
    let again = here.post_empty("/api/auth/logout/").await;
    assert_snapshot!(again.shown(), @r#"401 {"detail":"Invalid token.","code":"invalid_token"}"#);
    app.finish().await;
}

/// OWASP ASVS 5.0 7.4.1, 7.4.5.
#[tokio::test]
async fn logging_out_everywhere_ends_every_session_of_the_user_and_nobody_elses() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let here = app.member(&ada).await;
    let there = app.client.logged_in(&ada).await;
    let of_bob = app.member(&bob).await;

    let answer = here.post_empty("/api/auth/logout-all/").await;

    assert_eq!((answer.status, answer.text()), (204, ""));
    assert_eq!(
        (here.me_status().await, there.me_status().await),
        (401, 401)
    );
    assert_eq!(of_bob.me_status().await, 200);
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 7.5.2: where one is logged in, without anything to log in with.
#[tokio::test]
async fn the_list_shows_each_session_and_which_one_asks() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let phone = app
        .client
        .from("198.51.100.1")
        .with("User-Agent", "a phone");
    let laptop = app
        .client
        .from("203.0.113.9")
        .with("User-Agent", "a laptop");
    let phone = phone.logged_in(&ada).await;
    app.advance(60).await;
    let token = laptop.token(&ada).await;

    let answer = laptop.bearing(&token).get("/api/auth/sessions/").await;

    let mut body = answer.json();
    for session in body["results"].as_array_mut().unwrap() {
        let id = session["id"].take();
        assert!(id.as_str().is_some_and(|id| id.len() >= 16), "{id}");
    }
    assert_snapshot!(body, @r#"{"count":2,"next":null,"previous":null,"results":[{"id":null,"created_at":"2027-01-15T08:01:00Z","last_used_at":"2027-01-15T08:01:00Z","expires_at":"2027-07-14T08:01:00Z","user_agent":"a laptop","ip":"203.0.113.9","current":true},{"id":null,"created_at":"2027-01-15T08:00:00Z","last_used_at":"2027-01-15T08:00:00Z","expires_at":"2027-07-14T08:00:00Z","user_agent":"a phone","ip":"198.51.100.1","current":false}]}"#);
    assert!(!answer.text().contains(&token), "never the token");
    let mut rows = app.rows().await;
    for hash in rows
        .texts("select lower(hex(token_hash)) from sessions")
        .await
    {
        assert!(!answer.text().contains(&hash), "nor its hash");
    }
    rows.close().await;
    let shown = phone.sessions().await;
    assert_eq!(
        (&shown[0]["current"], &shown[1]["current"]),
        (&json!(false), &json!(true))
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 7.5.2, 8.2.2: one's own can be ended, another's is not there.
#[tokio::test]
async fn a_session_can_be_revoked_by_its_user_alone() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let here = app.member(&ada).await;
    let id_of_here = here.sessions().await[0]["id"].as_str().unwrap().to_owned();
    let there = app.client.logged_in(&ada).await;
    let of_bob = app.member(&bob).await;
    let path = format!("/api/auth/sessions/{id_of_here}/");

    let foreign = of_bob.request("DELETE", &path).send().await;
    assert_snapshot!(foreign.shown(), @r#"404 {"detail":"Not found.","code":"not_found"}"#);
    assert_eq!(here.me_status().await, 200);

    let revoked = there.request("DELETE", &path).send().await;
    assert_eq!((revoked.status, revoked.text()), (204, ""));
    assert_eq!(
        (here.me_status().await, there.me_status().await),
        (401, 200)
    );

    let again = there.request("DELETE", &path).send().await;
    assert_eq!(again.body, foreign.body);
    app.finish().await;
}

#[tokio::test]
async fn an_id_that_is_none_is_not_found() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;

    for id in [
        "x",
        "0",
        "%20",
        "%FF",
        "%00",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "..",
        "%2e%2e",
        "%C3%A9",
    ] {
        let path = format!("/api/auth/sessions/{id}/");
        let answer = session.request("DELETE", &path).send().await;

        assert_eq!(
            answer.shown(),
            r#"404 {"detail":"Not found.","code":"not_found"}"#,
            "{id}"
        );
        assert_eq!(answer.header("content-type"), "application/json");
    }
    assert_eq!(session.me_status().await, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 7.3.1, NIST SP 800-63B-4 §2.1.3: unused for 30 days, and it has ended.
#[tokio::test]
async fn a_session_ends_when_it_was_not_used_for_thirty_days() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (idle, used) = (app.member(&ada).await, app.client.logged_in(&ada).await);

    app.advance(30 * DAY - 1).await;
    assert_eq!(used.me_status().await, 200);
    used_is_noted(&app).await;
    app.advance(1).await;

    let ended = idle.get("/api/auth/me/").await;
    assert_eq!(
        (ended.status, ended.field("code").as_str()),
        (401, "invalid_token")
    );
    assert_eq!(used.me_status().await, 200);
    assert_eq!(used.sessions().await.len(), 1, "it is not listed either");
    app.finish().await;
}

/// However soon sessions end, the use is noted sooner.
#[tokio::test]
async fn a_session_in_use_does_not_end_where_idle_ones_end_within_a_minute() {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__SESSION_IDLE_SECONDS", "60")
        .start()
        .await;
    let session = app.member(&Person::new("ada")).await;
    let mut rows = app.rows().await;
    let last_used = "select max(last_used_at) from sessions";

    for _ in 0..4 {
        let before = rows.number(last_used).await;
        app.advance(20).await;
        assert_eq!(session.me_status().await, 200);
        crate::support::until("the session's use is noted", async || {
            (rows.number(last_used).await > before).then_some(())
        })
        .await;
    }

    app.advance(60).await;
    assert_eq!(session.me_status().await, 401);
    rows.close().await;
    app.finish().await;
}

/// The use is noted off the request's path: waits until it has been.
async fn used_is_noted(app: &TestApp) {
    let mut rows = app.rows().await;
    crate::support::until("the session's use is noted", async || {
        let used = "select count(*) from sessions where last_used_at > created_at";
        (rows.number(used).await > 0).then_some(())
    })
    .await;
    rows.close().await;
}

/// OWASP ASVS 5.0 7.3.2, NIST SP 800-63B-4 §2.1.3: after 180 days it has ended, however much it was used.
#[tokio::test]
async fn a_session_ends_after_a_hundred_and_eighty_days_however_much_it_was_used() {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__SESSION_IDLE_SECONDS", "15552000")
        .start()
        .await;
    let session = app.member(&Person::new("ada")).await;

    app.advance(180 * DAY - 1).await;
    assert_eq!(session.me_status().await, 200);
    app.advance(1).await;

    assert_eq!(session.me_status().await, 401);
    app.finish().await;
}

/// `last_used_at` is written at most every five minutes.
#[tokio::test]
async fn the_use_of_a_session_is_noted_every_five_minutes() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;

    app.advance(299).await;
    assert_eq!(
        session.sessions().await[0]["last_used_at"],
        "2027-01-15T08:00:00Z"
    );
    app.advance(1).await;
    session.me_status().await;
    used_is_noted(&app).await;

    assert_eq!(
        session.sessions().await[0]["last_used_at"],
        "2027-01-15T08:05:00Z"
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 11.5.1, 6.5.2 by analogy: what is stored of a token is a hash, which logs nobody in.
#[tokio::test]
async fn what_is_stored_of_a_token_is_no_token() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let token = app.client.token(&ada).await;

    let mut rows = app.rows().await;
    let stored = rows
        .texts("select lower(hex(token_hash)) from sessions")
        .await;
    rows.close().await;

    assert_ne!(stored[0], token);
    for key in [&stored[0], &stored[0][..40], &token.to_uppercase()] {
        assert_eq!(app.client.bearing(key).me_status().await, 401, "{key}");
    }
    app.finish().await;
}

/// OWASP ASVS 5.0 7.4.2: a disabled user's sessions are of no use, at once.
#[tokio::test]
async fn a_disabled_user_is_told_so_and_can_not_log_in() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    let mut rows = app.rows().await;
    rows.run("update users set is_active = 0, credential_version = credential_version + 1")
        .await;
    rows.close().await;

    let answer = session.get("/api/auth/me/").await;
    let login = app.client.login("ada", &ada.password).await;

    assert_snapshot!(answer.shown(), @r#"401 {"detail":"User inactive or deleted.","code":"user_inactive"}"#);
    assert_snapshot!(login.shown(), @r#"400 {"error":"Invalid Credentials","code":"invalid_credentials"}"#);
    app.finish().await;
}
