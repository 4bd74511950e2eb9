//! Requests that can't be told from others on their connection, or don't say whom they are for (RFC 9112).

use crate::support::{NOTES, Person, Raw, TestApp};

/// What is answered to these bytes, until the server closes the connection or has answered all.
async fn answer(app: &TestApp, bytes: &str) -> String {
    let mut connection = Raw::connect(app.client.address()).await;
    connection.write(bytes).await;
    connection.end().await;
    connection.rest().await
}

/// RFC 9112, section 3.2.
#[tokio::test]
async fn a_request_in_http_1_1_names_its_host_exactly_once() {
    let app = TestApp::start().await;
    let get = "GET /health/live HTTP/1.1\r\n";

    for hosts in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a b\r\n",
        "Host: a, b\r\n",
        "Host: user@a\r\n",
        "Host: a/b\r\n",
        "Host: http://a\r\n",
    ] {
        let answer = answer(&app, &format!("{get}{hosts}\r\n{get}Host: a\r\n\r\n")).await;

        assert!(answer.starts_with("HTTP/1.1 400 "), "{hosts}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(answer.contains("\r\nx-request-id: "), "{answer}");
        assert!(answer.ends_with(r#""code":"invalid_host"}"#), "{answer}");
    }
    for host in ["", "a", "a:80", "127.0.0.1:80", "[::1]:80", "a.example"] {
        let answer = answer(&app, &format!("{get}Host: {host}\r\n\r\n")).await;

        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_request_in_http_1_0_needs_no_host() {
    let app = TestApp::start().await;

    for host in ["", "Host: a\r\n"] {
        let answer = answer(&app, &format!("GET /health/live HTTP/1.0\r\n{host}\r\n")).await;

        assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    }
    app.finish().await;
}

/// RFC 9112, section 6.1. Whoever takes such a body for plain chunks reads something else than was sent.
#[tokio::test]
async fn a_body_in_another_transfer_coding_than_chunked_is_not_implemented() {
    let app = TestApp::start().await;
    let send = async |codings: &str| {
        let head =
            "POST /api/auth/login/ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
        answer(&app, &format!("{head}{codings}\r\n2\r\n{{}}\r\n0\r\n\r\n")).await
    };

    for codings in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: , chunked\r\n",
    ] {
        let answer = send(codings).await;

        assert!(answer.starts_with("HTTP/1.1 501 "), "{codings}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        let code = r#""code":"unsupported_transfer_coding"}"#;
        assert!(answer.ends_with(code), "{answer}");
    }
    // What does not end in chunks has no end (section 6.3).
    for codings in ["gzip", "chunked, gzip", "identity"] {
        let answer = send(&format!("Transfer-Encoding: {codings}\r\n")).await;

        assert!(answer.starts_with("HTTP/1.1 400 "), "{codings}: {answer}");
    }
    for coding in ["chunked", "Chunked", " chunked "] {
        let answer = send(&format!("Transfer-Encoding:{coding}\r\n")).await;

        assert!(
            answer.ends_with(r#""code":"login_fields_required"}"#),
            "{answer}"
        );
    }
    app.finish().await;
}

/// RFC 9112, section 6.3: a proxy that went by the length would have let a second request through inside the first.
#[tokio::test]
async fn after_a_body_with_a_length_and_chunks_nothing_more_is_read() {
    let app = TestApp::start().await;
    let inner = "GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n";
    let both = format!(
        "POST /nope HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
        inner.len() + 5
    );

    let answer = answer(&app, &both).await;

    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    app.finish().await;
}

/// RFC 9112, section 3.2.2.
#[tokio::test]
async fn a_host_in_the_target_outweighs_the_header() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    for title in ["one", "two"] {
        ada.note_path(title).await;
    }

    let request = ada.request("GET", &format!("http://target.example{NOTES}?page_size=1"));
    let page = request.send().await.json();

    let next = page["next"].as_str().unwrap();
    assert!(
        next.starts_with("http://target.example/api/notes/?"),
        "{next}"
    );
    app.finish().await;
}
