//! The web inbox: its page, its events, single mails, and who may read them.

use crate::support::http::{Events, get, request, send};
use crate::support::smtp::deliver;
use crate::support::{mail, start, start_with};

#[tokio::test]
async fn the_page_says_where_mail_is_taken_and_loads_nothing_from_elsewhere() {
    let catcher = start().await;

    let page = get(&catcher, "/").await;
    let style = get(&catcher, "/inbox.css").await;
    let script = get(&catcher, "/inbox.js").await;

    assert_eq!((page.status, style.status, script.status), (200, 200, 200));
    assert!(page.body.contains(&catcher.smtp_addr().to_string()));
    assert!(
        page.field("content-security-policy")
            .unwrap()
            .starts_with("default-src 'none'; script-src 'self';")
    );
    for file in [&page, &style, &script] {
        assert!(!file.body.contains("https://"));
        assert_eq!(
            file.field("x-content-type-options").as_deref(),
            Some("nosniff")
        );
    }
}

#[tokio::test]
async fn the_script_never_makes_markup_out_of_text() {
    let catcher = start().await;

    let script = get(&catcher, "/inbox.js").await.body;

    for sink in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "srcdoc",
        "eval(",
    ] {
        assert!(!script.contains(sink), "{sink}");
    }
}

#[tokio::test]
async fn events_tell_the_whole_inbox_first_and_then_each_change() {
    let catcher = start().await;
    deliver(
        catcher.smtp_addr(),
        "a@example.com",
        &mail("a@example.com", "One", "111111"),
    )
    .await;
    let mut events = Events::open(&catcher).await;

    let (first, inbox) = events.next().await.unwrap();
    deliver(
        catcher.smtp_addr(),
        "b@example.com",
        &mail("b@example.com", "<b>Two</b>", "222222"),
    )
    .await;
    let (second, two) = events.next().await.unwrap();
    catcher.inbox().delete([two["id"].as_str().unwrap()]);
    let (third, deleted) = events.next().await.unwrap();
    catcher.inbox().clear();
    let (fourth, _) = events.next().await.unwrap();

    assert_eq!(
        [first, second, third, fourth],
        ["inbox", "mail", "deleted", "cleared"]
    );
    assert_eq!(inbox["mails"][0]["subject"], "One");
    assert_eq!(inbox["keep"], 500);
    assert_eq!(two["subject"], "<b>Two</b>");
    assert_eq!(two["code"], "222222");
    assert_eq!(two["to"], serde_json::json!(["b@example.com"]));
    assert_eq!(two["html"], true);
    assert_eq!(deleted["ids"][0], two["id"]);
}

#[tokio::test]
async fn dropping_the_catcher_ends_event_streams() {
    let catcher = start().await;
    let mut events = Events::open(&catcher).await;
    events.next().await.unwrap();

    drop(catcher);

    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn the_html_of_a_mail_can_neither_run_nor_load_anything() {
    let catcher = start().await;
    let evil = "Content-Type: text/html\r\n\r\n<script>parent.alert(1)</script><img src=https://example.com/x>";
    deliver(catcher.smtp_addr(), "a@example.com", evil).await;
    let id = catcher.inbox().all()[0].id.clone();

    let html = get(&catcher, &format!("/mails/{id}/html")).await;
    let raw = get(&catcher, &format!("/mails/{id}/raw")).await;
    let page = get(&catcher, "/").await;

    let policy = html.field("content-security-policy").unwrap();
    assert!(
        policy.starts_with("sandbox; default-src 'none';"),
        "{policy}"
    );
    assert!(!policy.contains("allow-") && !policy.contains("script-src"));
    assert!(html.field("content-type").unwrap().starts_with("text/html"));
    assert!(raw.field("content-type").unwrap().starts_with("text/plain"));
    assert!(raw.body.contains("<script>"));
    assert!(page.body.contains("<iframe id=\"html\" sandbox title="));
}

#[tokio::test]
async fn a_mail_without_html_has_only_text() {
    let catcher = start().await;
    deliver(
        catcher.smtp_addr(),
        "a@example.com",
        "Subject: x\r\n\r\nhi & bye",
    )
    .await;
    let id = catcher.inbox().all()[0].id.clone();

    let text = get(&catcher, &format!("/mails/{id}/text")).await;
    let html = get(&catcher, &format!("/mails/{id}/html")).await;

    assert_eq!((text.status, text.body.trim_end()), (200, "hi & bye"));
    assert_eq!(html.status, 404);
}

#[tokio::test]
async fn only_names_of_this_machine_are_answered() {
    let catcher = start().await;
    let own = catcher.http_addr().unwrap().to_string();

    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST:8025", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8025", 200),
        (own.as_str(), 200),
        ("example.com", 403),
        ("localhost.example.com", 403),
        ("127.0.0.1.example.com:8025", 403),
        ("evil@localhost:1@example.com", 403),
        ("a b", 403),
        ("", 403),
    ] {
        for path in ["/", "/api/v1/messages", "/nowhere"] {
            let answer = request(&catcher, "GET", path, host, "").await;
            let expected = if status == 200 && path == "/nowhere" {
                404
            } else {
                status
            };
            assert_eq!(answer.status, expected, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_refused() {
    let catcher = start().await;
    let address = catcher.http_addr().unwrap();

    let none = send(address, "GET / HTTP/1.0\r\n\r\n").await;
    let two = send(
        address,
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: example.com\r\nConnection: close\r\n\r\n",
    )
    .await;

    assert_eq!((none.status, two.status), (400, 400));
}

#[tokio::test]
async fn unknown_pages_and_methods_are_answered_in_json() {
    let catcher = start().await;

    for (method, path, status) in [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/nowhere", 404),
        ("GET", "/mails/none/raw", 404),
        ("POST", "/", 405),
        ("POST", "/api/v1/messages", 405),
    ] {
        let answer = request(&catcher, method, path, "localhost", "").await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(
            answer.json()["Error"].is_string(),
            "{method} {path}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn the_web_inbox_is_optional() {
    let catcher = start_with(|config| config.http = None).await;

    assert_eq!(catcher.http_addr(), None);
    assert!(
        deliver(catcher.smtp_addr(), "a@example.com", "x")
            .await
            .starts_with("250 ")
    );
}
