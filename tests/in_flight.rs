//! The requests in flight of one user: a budget at once, the rest in turn, and no more than a few of those.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::json;

use crate::support::{Answer, Client, Person, Raw, Rows, TestApp, deletion, until, uuid};

/// Two requests of a user at once; nothing that waits for the database's lock gives up within a test.
async fn app() -> TestApp {
    TestApp::with()
        .limit("requests_in_flight_per_user", 2)
        .set("SMART_NOTES__DATABASE__BUSY_TIMEOUT_MS", "120000")
        .set("SMART_NOTES__HTTP__REQUEST_TIMEOUT_SECONDS", "240")
        .many_mails()
        .start()
        .await
}

/// Renames, which waits as long as somebody else has the database's lock.
async fn rename(client: &Client, name: &str) -> Answer {
    client
        .send("PATCH", "/api/auth/me/", &json!({"username": name}))
        .await
}

/// Keeps every writer waiting.
async fn locked(app: &TestApp) -> Rows {
    let mut rows = app.rows().await;
    rows.run("begin immediate").await;
    rows
}

#[tokio::test]
async fn what_goes_beyond_the_budget_waits_and_what_goes_beyond_that_is_refused() {
    let app = app().await;
    let alice = Person::new("alice");
    let member = app.member(&alice).await;
    let elsewhere = app.client.logged_in(&alice).await;
    let other = app.member(&Person::new("bob")).await;
    let mut lock = locked(&app).await;

    // 2 are in flight, and 32 wait, whatever session they come from.
    let mut answers: FuturesUnordered<_> = (0..40)
        .map(|n| rename(if n % 2 == 0 { &member } else { &elsewhere }, "Alice"))
        .collect();
    let mut refused = Vec::new();
    for _ in 0..6 {
        refused.push(answers.next().await.unwrap());
    }
    let others = other.get("/api/auth/me/").await;
    lock.run("rollback").await;
    let served: Vec<Answer> = answers.collect().await;

    for answer in refused {
        assert_eq!(answer.status, 429, "{}", answer.shown());
        assert_eq!(answer.field("code"), "throttled");
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=120).contains(&seconds), "{seconds}");
        let policy = format!(r#""requests-in-flight";q=34;w={seconds}"#);
        assert_eq!(answer.header("ratelimit-policy"), policy);
    }
    assert_eq!(others.status, 200);
    assert_eq!(served.len(), 34);
    for answer in served {
        assert_eq!(answer.status, 200, "{}", answer.shown());
    }
    lock.close().await;
    app.finish().await;
}

#[tokio::test]
async fn who_hangs_up_while_waiting_leaves_the_place() {
    let app = app().await;
    let alice = Person::new("alice");
    app.verified(&alice).await;
    let token = app.client.token(&alice).await;
    let member = app.client.bearing(&token);
    let mut lock = locked(&app).await;
    let mut held = Vec::new();
    for _ in 0..34 {
        let mut raw = Raw::connect(app.client.address()).await;
        let body = r#"{"username":"Alice"}"#;
        raw.write(format!(
            "PATCH /api/auth/me/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
        held.push(raw);
    }
    until("all places are taken", async || {
        let answer = member.get("/api/auth/me/");
        let answer = tokio::time::timeout(std::time::Duration::from_millis(200), answer).await;
        answer
            .is_ok_and(|answer| answer.status == 429)
            .then_some(())
    })
    .await;

    drop(held);
    let next = tokio::spawn({
        let member = member.clone();
        async move {
            loop {
                let answer = member.get("/api/auth/me/").await;
                if answer.status != 429 {
                    return answer;
                }
            }
        }
    });
    lock.run("rollback").await;

    assert_eq!(next.await.unwrap().status, 200);
    lock.close().await;
    app.finish().await;
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_answered_503_and_nothing_is_changed() {
    let app = TestApp::with()
        .limit("requests_in_flight_per_user", 1)
        .set("SMART_NOTES__DATABASE__BUSY_TIMEOUT_MS", "200")
        .set("SMART_NOTES__HTTP__REQUEST_TIMEOUT_SECONDS", "1")
        .start()
        .await;
    let member = app.member(&Person::new("alice")).await;
    let mut lock = locked(&app).await;

    let mut answers: FuturesUnordered<_> = (0..20).map(|_| rename(&member, "Alice")).collect();
    while let Some(answer) = answers.next().await {
        assert_eq!(answer.status, 503, "{}", answer.shown());
        assert_eq!(answer.header("retry-after"), "1");
    }
    lock.run("rollback").await;
    let after = member.get("/api/auth/me/").await;

    assert_eq!(after.field("username"), "alice");
    lock.close().await;
    app.finish().await;
}

/// Where limits are lifted, the budget stays and nothing is refused.
#[tokio::test]
async fn fifty_requests_of_one_token_at_once_are_all_answered_without_limits() {
    let app = TestApp::with()
        .set("SMART_NOTES__LIMITS__REQUESTS_IN_FLIGHT_PER_USER", "1")
        .start()
        .await;
    let member = app.member(&Person::new("alice")).await;

    let answers: FuturesUnordered<_> = (0..50)
        .map(|n| {
            let member = &member;
            async move {
                let path = ["/api/auth/me/", "/api/notes/", "/api/auth/export/"][n % 3];
                member.get(path).await.status
            }
        })
        .collect();

    let statuses: Vec<u16> = answers.collect().await;
    assert_eq!(statuses, [200; 50]);
    app.finish().await;
}

/// An answer of 4 MiB, of which the client takes the beginning.
#[tokio::test]
async fn a_long_answer_that_is_not_read_counts_until_its_client_is_gone() {
    let app = TestApp::with()
        .limit("requests_in_flight_per_user", 1)
        .set("SMART_NOTES__DATABASE__BUSY_TIMEOUT_MS", "200")
        .set("SMART_NOTES__HTTP__REQUEST_TIMEOUT_SECONDS", "1")
        .start()
        .await;
    let alice = Person::new("alice");
    app.verified(&alice).await;
    let token = app.client.token(&alice).await;
    let member = app.client.bearing(&token);
    let long = json!({"id": uuid(1), "title": "long", "content": "\u{1}".repeat(100_000)});
    member.note(&long).await;
    let edits = json!({"edits": vec![deletion(&uuid(1), Some(0)); 10]}).to_string();
    let mut unread = Raw::connect_to_read_little(app.client.address()).await;

    unread
        .write(format!(
            "POST /api/notes/batch/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{edits}",
            edits.len()
        ))
        .await;
    let begun = unread.until("\r\n\r\n").await;
    let meanwhile = member.get("/api/auth/me/").await;
    drop(unread);
    let after = member.get("/api/auth/me/").await;

    assert!(begun.starts_with("HTTP/1.1 200 "), "{begun}");
    assert_eq!(meanwhile.status, 503, "{}", meanwhile.shown());
    assert_eq!(after.status, 200, "{}", after.shown());
    app.finish().await;
}
