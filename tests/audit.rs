//! The record of security events (OWASP ASVS 5.0 16.3): each is written once, with who was behind it, and
//! without any secret.

use crate::support::{Client, PASSWORD, Person, TestApp, wrong};

const NEW: &str = "an entirely different staple";

/// What was recorded, one line an event, without the time: the event, user, address, request, client, agent and detail.
async fn recorded(app: &TestApp) -> Vec<String> {
    let mut rows = app.rows().await;
    let events =
        "select concat_ws(' | ', event, coalesce(user_id, '-'), coalesce(address, '-'), request_id,
                         coalesce(client, '-'), coalesce(user_agent, '-'), coalesce(detail, '-'))
                  from audit order by id";
    let events = rows.texts(events).await;
    rows.close().await;
    events
}

/// How often an event was recorded.
async fn times(app: &TestApp, event: &str) -> i64 {
    let mut rows = app.rows().await;
    let times = format!("select count(*) from audit where event = '{event}'");
    let times = rows.number(&times).await;
    rows.close().await;
    times
}

/// Requests of this id, from the agent `tests`; the proxy in front is trusted, so both are believed.
fn request(client: &Client, id: &str) -> Client {
    client
        .from("198.51.100.7")
        .with("User-Agent", "tests")
        .with("X-Request-Id", id)
}

#[tokio::test]
async fn each_event_is_recorded_once_with_who_was_behind_it() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let ada = Person::new("ada");
    let by = |id: &str| request(&app.client, id);
    by("register").registered(&ada).await;
    let code = app.newest_code(&ada.email).await;
    by("verify-wrong").verify(&ada, &wrong(&code)).await;
    by("verify-right").verify(&ada, &code).await;
    by("login-wrong").login("ada", "a wrong password").await;
    by("login-nobody").login("nobody", "a wrong password").await;
    let token = by("login-right").token(&ada).await;
    let session = app.client.bearing(&token);
    let by = |id: &str| request(&session, id);
    by("password-change").change_password(PASSWORD, NEW).await;
    by("name-change")
        .send(
            "PATCH",
            "/api/auth/me/",
            &serde_json::json!({"username": "king"}),
        )
        .await;
    by("email-request")
        .request_email("king@example.com", NEW)
        .await;
    let code = app.newest_code("king@example.com").await;
    by("email-confirm").confirm_email(&code).await;
    by("logout-one").post_empty("/api/auth/logout/").await;

    let recorded = recorded(&app).await;

    insta::assert_snapshot!(recorded.join("\n"), @r"
    registered | - | ada@example.com | register | 198.51.100.7 | tests | -
    code_refused | - | ada@example.com | verify-wrong | 198.51.100.7 | tests | verify_email
    verified | 1 | ada@example.com | verify-right | 198.51.100.7 | tests | -
    login_refused | 1 | - | login-wrong | 198.51.100.7 | tests | -
    login_refused | - | - | login-nobody | 198.51.100.7 | tests | -
    logged_in | 1 | - | login-right | 198.51.100.7 | tests | -
    password_changed | 1 | ada@example.com | password-change | 198.51.100.7 | tests | -
    renamed | 1 | - | name-change | 198.51.100.7 | tests | -
    email_changed | 1 | king@example.com | email-confirm | 198.51.100.7 | tests | -
    session_ended | 1 | - | logout-one | 198.51.100.7 | tests | -
    ");
    app.finish().await;
}

#[tokio::test]
async fn a_reset_and_the_ends_of_sessions_are_recorded() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let by = |id: &str| request(&app.client, id);
    by("reset-request").request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;
    by("reset-wrong")
        .reset(&ada.email, &wrong(&code), NEW)
        .await;
    by("reset-nobody").reset("no@example.com", &code, NEW).await;
    by("reset-right").reset(&ada.email, &code, NEW).await;
    let ada = ada.password(NEW);
    let first = by("login-first").logged_in(&ada).await;
    let second = app.client.logged_in(&ada).await;
    let id = second.sessions().await[1]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let by = |id: &str| request(&second, id);
    let path = format!("/api/auth/sessions/{id}/");
    by("revoke-first").request("DELETE", &path).send().await;
    by("revoke-again").request("DELETE", &path).send().await;
    by("logout-all").post_empty("/api/auth/logout-all/").await;
    assert_eq!(first.me_status().await, 401);

    let all = recorded(&app).await;

    let of_requests: Vec<_> = all
        .iter()
        .filter(|line| line.contains("198.51.100.7"))
        .cloned()
        .collect();
    insta::assert_snapshot!(of_requests.join("\n"), @r"
    code_refused | 1 | ada@example.com | reset-wrong | 198.51.100.7 | tests | reset_password
    code_refused | - | no@example.com | reset-nobody | 198.51.100.7 | tests | reset_password
    password_reset | 1 | ada@example.com | reset-right | 198.51.100.7 | tests | -
    logged_in | 1 | - | login-first | 198.51.100.7 | tests | -
    session_ended | 1 | - | revoke-first | 198.51.100.7 | tests | -
    sessions_ended | 1 | - | logout-all | 198.51.100.7 | tests | -
    ");
    app.finish().await;
}

/// A wrong code is part of the story of the user whose it was not, and so of their export; a registration has no user,
/// not even one with an address that somebody verified.
#[tokio::test]
async fn a_wrong_code_is_recorded_with_the_user_it_was_for() {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .start()
        .await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    session.reset(&ada.email, "guess!", NEW).await;
    session.delete_account("guess!").await;
    session.confirm_email("guess!").await;
    session.login_by_code(&ada.email, "guess!").await;
    session.verify(&ada, "guess!").await;
    session.login_by_code("no@example.com", "guess!").await;

    let mut rows = app.rows().await;
    let refused = "select concat_ws(' | ', coalesce(user_id, '-'), address, detail)
                   from audit where event = 'code_refused' order by id";
    let refused = rows.texts(refused).await;
    rows.close().await;

    insta::assert_snapshot!(refused.join("\n"), @r"
    1 | ada@example.com | reset_password
    1 | ada@example.com | delete_account
    1 | ada@example.com | change_email
    1 | ada@example.com | log_in
    - | ada@example.com | verify_email
    - | no@example.com | log_in
    ");
    let export = session.get("/api/auth/export/").await;
    assert_eq!(export.text().matches("code_refused").count(), 4);
    app.finish().await;
}

/// What is kept of a deleted account says that there was one, and nothing of whose it was.
#[tokio::test]
async fn a_deletion_is_recorded_without_address_client_and_agent() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    session.request_deletion().await;
    let code = app.newest_code(&ada.email).await;
    request(&session, "delete-right")
        .delete_account(&code)
        .await;

    let recorded = recorded(&app).await;

    let deleted: Vec<_> = recorded
        .iter()
        .filter(|line| line.starts_with("deleted"))
        .collect();
    assert_eq!(deleted.len(), 1);
    let parts: Vec<_> = deleted[0].split(" | ").collect();
    assert_eq!((parts[1], parts[3]), ("1", "delete-right"));
    assert_eq!(&parts[4..], ["-", "-", "-"]);
    let pseudonym = parts[2];
    assert!(
        pseudonym.len() >= 16 && !pseudonym.contains('@'),
        "{pseudonym}"
    );
    for line in &recorded {
        assert!(
            line.contains(pseudonym) && line.contains("| - | -"),
            "{line}"
        );
    }
    app.finish().await;
}

/// A flood fills no table: a reached limit is recorded once a minute for each client.
#[tokio::test]
async fn a_reached_limit_is_recorded_once_a_minute_for_each_client() {
    let app = TestApp::with().limited().behind_a_proxy().start().await;
    let (one, two) = (
        app.client.from("198.51.100.1"),
        app.client.from("198.51.100.2"),
    );
    for n in 0..10 {
        let email = format!("nobody{}@example.com", n % 3);
        one.resend(&email).await;
        two.request_reset(&email).await;
    }
    assert_eq!(times(&app, "limited").await, 2);

    app.advance(59).await;
    for _ in 0..4 {
        one.login("nobody", "x").await;
    }
    assert_eq!(times(&app, "limited").await, 2);
    app.advance(1).await;
    for n in 0..6 {
        one.resend(&format!("nobody{n}@example.com")).await;
    }

    assert_eq!(times(&app, "limited").await, 3);
    let all = recorded(&app).await;
    let limited: Vec<_> = all
        .iter()
        .filter(|line| line.starts_with("limited"))
        .collect();
    assert!(limited[0].contains("198.51.100.1") && limited[1].contains("198.51.100.2"));
    app.finish().await;
}

/// Too many live registrations of an address are a limit like any other.
#[tokio::test]
async fn the_limit_of_live_registrations_is_recorded_too() {
    let app = TestApp::with().many_mails().start().await;
    let ada = Person::new("ada");
    for _ in 0..3 {
        app.client.registered(&ada).await;
    }

    assert_eq!(app.client.register(&ada).await.status, 429);

    assert_eq!(times(&app, "limited").await, 1);
    app.finish().await;
}

/// OWASP ASVS 5.0 16.2.5: nothing that opens anything is part of the record.
#[tokio::test]
async fn no_secret_is_recorded() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;
    app.client
        .verify_with(&ada, &wrong(&code), &challenge)
        .await;
    app.client.verify_with(&ada, &code, &challenge).await;
    app.client.login("ada", "a wrong password").await;
    let token = app.client.token(&ada).await;
    app.client.request_reset(&ada.email).await;
    let to_reset = app.newest_code(&ada.email).await;
    app.client.reset(&ada.email, &wrong(&to_reset), NEW).await;
    app.client.reset(&ada.email, &to_reset, NEW).await;

    let mut rows = app.rows().await;
    let details = rows.texts("select coalesce(address, '') || ' ' || coalesce(detail, '') || ' ' || user_agent from audit").await;
    rows.close().await;

    for secret in [
        &challenge,
        &code,
        &wrong(&code),
        &token,
        &to_reset,
        &wrong(&to_reset),
        PASSWORD,
        NEW,
        "a wrong password",
    ] {
        assert!(
            details.iter().all(|line| !line.contains(secret)),
            "{secret} in {details:?}"
        );
    }
    app.finish().await;
}

/// An agent's name is kept as far as it is one; no more than 500 characters of it, and no line of ours is forged.
#[tokio::test]
async fn a_long_agent_is_cut_and_a_strange_one_is_kept() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    for agent in ["x".repeat(3000), "é\t'; drop table audit; --".to_owned()] {
        app.client
            .with("User-Agent", &agent)
            .login("ada", PASSWORD)
            .await;
    }

    let mut rows = app.rows().await;
    let agents = rows
        .texts("select user_agent from audit where event = 'logged_in' order by id")
        .await;
    rows.close().await;
    assert_eq!(agents[0], "x".repeat(500));
    assert_eq!(agents[1], "é\t'; drop table audit; --");
    app.finish().await;
}
