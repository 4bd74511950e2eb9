//! Clients that end their side of a connection before they are answered.

use crate::support::{Person, Processes, Raw, TestApp, until};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

/// As `nc -N` does, and RFC 9112, section 9.6, lets clients do.
#[tokio::test]
async fn a_client_that_only_sends_no_more_is_answered_and_its_connection_closed() {
    let app = TestApp::start().await;
    let long = "GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    let login =
        "POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\nlogin=ada&x=12";
    let two = LIVE.repeat(2);

    for (requests, answers) in [(LIVE, 1), (two.as_str(), 2), (long, 1), (login, 1)] {
        let mut connection = Raw::connect(app.client.address()).await;
        connection.write(requests).await;
        connection.end().await;
        let read = connection.rest().await;

        assert_eq!(read.matches("x-request-id: ").count(), answers);
        assert!(read.ends_with('}'));
    }
    app.finish().await;
}

/// Nothing tells them from one that hangs up. What is given up leaves no line of an answer.
#[tokio::test]
async fn of_requests_whose_client_has_hung_up_one_at_a_time_is_answered() {
    let app = Processes::start().await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    app.client().verify(&ada, &code).await;
    let token = app.client().token(&ada).await;
    let body = r#"{"username":"Ada"}"#;
    let change = format!(
        "PATCH /api/auth/me/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut rows = app.rows().await;

    rows.run("begin immediate").await;
    let address = app.client().address();
    let mut connections = Vec::new();
    for _ in 0..4 {
        let mut connection = Raw::connect(address).await;
        connection.write(&change).await;
        connections.push(connection);
    }
    drop(connections);
    let lines = |text: &str| {
        let log = app.apis[0].process.log();
        log.lines().filter(|line| line.contains(text)).count()
    };
    until("the others are given up", async || {
        (lines("connection ended early") == 3).then_some(())
    })
    .await;
    rows.run("rollback").await;
    rows.close().await;
    let changed = || lines("answered http.method=PATCH");
    until("one is answered", async || (changed() > 0).then_some(())).await;
    let me = app.client().bearing(&token).get("/api/auth/me/").await;

    assert_eq!((me.status, changed()), (200, 1));
    app.finish().await;
}
