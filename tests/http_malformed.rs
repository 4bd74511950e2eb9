//! Connections on which nothing comes, and what comes but is no request of HTTP.

use crate::support::{Raw, TestApp};

#[tokio::test]
async fn a_connection_on_which_nothing_comes_is_closed() {
    let app = TestApp::with()
        .set("SMART_NOTES__HTTP__HEADER_TIMEOUT_SECONDS", "1")
        .start()
        .await;
    let mut connection = Raw::connect(app.client.address()).await;

    let answer = connection.rest().await;

    assert_eq!(answer, "");
    app.finish().await;
}

#[tokio::test]
async fn a_connection_whose_headers_do_not_come_is_closed() {
    let app = TestApp::with()
        .set("SMART_NOTES__HTTP__HEADER_TIMEOUT_SECONDS", "1")
        .start()
        .await;
    let mut connection = Raw::connect(app.client.address()).await;

    connection
        .write("POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nX-Slow")
        .await;

    let answer = connection.rest().await;
    assert!(!answer.contains(" 5"), "{answer}");
    app.finish().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_does_no_harm() {
    let app = TestApp::start().await;

    for bytes in [
        "\0\0\0\0\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            .to_owned(),
        format!(
            "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
            "x".repeat(100_000)
        ),
        format!(
            "GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "x".repeat(60_000)
        ),
    ] {
        let mut connection = Raw::connect(app.client.address()).await;
        connection.write(&bytes).await;
        connection.end().await;
        let answer = connection.rest().await;

        let start = bytes.get(..40).unwrap_or(&bytes);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{start}: {answer}"
        );
    }
    assert_eq!(app.client.get("/health/live").await.status, 200);
    app.finish().await;
}

/// hyper answers these by itself, with neither a body nor an id.
#[tokio::test]
async fn what_can_not_be_read_is_answered_in_full() {
    let app = TestApp::start().await;
    let malformed = r#"{"detail":"Not a valid HTTP/1.1 request.","code":"malformed_request"}"#;
    let long =
        r#"{"detail":"The request's path and query are too long.","code":"target_too_long"}"#;
    let large = r#"{"detail":"The request's headers are too many or too large.","code":"headers_too_large"}"#;
    let length = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ";
    let mut ids = Vec::new();

    for (bytes, status, body) in [
        ("GARBAGE\r\n\r\n".to_owned(), "400 Bad Request", malformed),
        (
            "GET / HTTP/9.9\r\n\r\n".to_owned(),
            "400 Bad Request",
            malformed,
        ),
        (format!("{length}-1\r\n\r\n"), "400 Bad Request", malformed),
        (
            format!("{length}1\r\nContent-Length: 2\r\n\r\n"),
            "400 Bad Request",
            malformed,
        ),
        (
            format!("GET /{}", "x".repeat(20_000)),
            "414 URI Too Long",
            long,
        ),
        (
            format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000)),
            "431 Request Header Fields Too Large",
            large,
        ),
        (
            format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(20_000)),
            "431 Request Header Fields Too Large",
            large,
        ),
    ] {
        let mut connection = Raw::connect(app.client.address()).await;
        connection.write(&bytes).await;

        let answer = connection.rest().await;

        let (head, sent) = answer.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let value = lines
                .filter(|(other, _)| *other == name)
                .map(|(_, value)| value);
            value.collect::<Vec<_>>().join("; ")
        };
        assert_eq!(head.lines().next(), Some(&*format!("HTTP/1.1 {status}")));
        assert_eq!(sent, body);
        for (name, value) in [
            ("connection", "close"),
            ("content-type", "application/json"),
            ("content-length", &*body.len().to_string()),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(header(name), value, "{status} {name}");
        }
        assert!(header("date").ends_with(" GMT"), "{head}");
        let id = header("x-request-id");
        assert!(id.len() == 26 && !ids.contains(&id), "{head}");
        ids.push(id);
    }
    app.finish().await;
}

/// As much as Node.js reads; nginx and Apache read single lines of 8 KiB.
#[tokio::test]
async fn a_head_of_15_kib_is_read() {
    let app = TestApp::start().await;
    let long = "x".repeat(15 * 1024);

    for head in [
        format!("GET /health/live?{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /health/live HTTP/1.1\r\nHost: x\r\nCookie: {long}\r\n\r\n"),
    ] {
        let mut connection = Raw::connect(app.client.address()).await;
        connection.write(head).await;
        let answer = connection.until("\r\n\r\n").await;

        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    app.finish().await;
}

#[tokio::test]
async fn what_can_not_be_read_is_answered_in_full_after_another_request_as_well() {
    let app = TestApp::start().await;
    let mut connection = Raw::connect(app.client.address()).await;
    connection
        .write("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    connection.until("ok").await;

    connection.write("GARBAGE\r\n\r\n").await;
    let answer = connection.rest().await;

    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.ends_with(r#""code":"malformed_request"}"#),
        "{answer}"
    );
    app.finish().await;
}
