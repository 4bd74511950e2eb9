//! What is the same on every route: methods, paths, headers, and the form of answers.

use serde_json::{Value, json};

use crate::support::{Person, TestApp};

/// Every route that takes a body from anybody.
pub const ROUTES: [&str; 6] = [
    "/api/auth/register/",
    "/api/auth/verify-otp/",
    "/api/auth/resend-otp/",
    "/api/auth/login/",
    "/api/auth/password-reset-request/",
    "/api/auth/password-reset-confirm/",
];

#[tokio::test]
async fn another_method_is_not_allowed() {
    let app = TestApp::start().await;

    for route in ROUTES {
        for method in ["GET", "PUT", "PATCH", "DELETE", "BREW"] {
            let answer = app.client.request(method, route).send().await;

            let detail = format!("Method \"{method}\" not allowed.");
            assert_eq!((answer.status, answer.field("detail")), (405, detail));
            assert_eq!(answer.field("code"), "method_not_allowed");
            assert_eq!(answer.header("allow"), "POST, OPTIONS");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn head_is_not_allowed_and_has_no_body() {
    let app = TestApp::start().await;

    for route in ROUTES {
        let answer = app.client.request("HEAD", route).send().await;

        assert_eq!((answer.status, answer.body.len()), (405, 0), "{route}");
    }
    app.finish().await;
}

#[tokio::test]
async fn options_names_the_methods() {
    let app = TestApp::start().await;

    for route in ROUTES {
        let answer = app.client.request("OPTIONS", route).send().await;

        assert_eq!(
            (answer.status, answer.header("allow")),
            (200, "POST, OPTIONS")
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn a_method_can_not_be_overridden_by_a_header() {
    let app = TestApp::start().await;

    let client = app.client.with("X-HTTP-Method-Override", "DELETE");
    let answer = client.post("/api/auth/login/", &json!({})).await;

    assert_eq!(answer.status, 400);
    app.finish().await;
}

#[tokio::test]
async fn a_path_without_its_last_slash_is_served() {
    let app = TestApp::start().await;

    for route in ROUTES {
        let with = app.client.post(route, &json!({})).await;
        let without = app
            .client
            .post(route.trim_end_matches('/'), &json!({}))
            .await;

        assert_eq!(without.outside(), with.outside());
    }
    app.finish().await;
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let app = TestApp::start().await;

    for path in [
        "/",
        "/api/",
        "/api/auth/",
        "/api/auth/nope/",
        "/api/auth/LOGIN/",
        "/api/auth/login//",
        "/api//auth/login/",
        "/%2e%2e/etc/passwd",
        "/api/auth/login/%00",
        "/admin/",
    ] {
        for method in ["GET", "POST"] {
            let answer = app.client.request(method, path).send().await;

            assert_eq!(
                answer.shown(),
                r#"404 {"detail":"Not found.","code":"not_found"}"#,
                "{path}"
            );
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_an_id_of_its_own() {
    let app = TestApp::with()
        .set("SMART_NOTES__HTTP__BODY_LIMIT_BYTES", "1024")
        .start()
        .await;
    let large = "x".repeat(2000);
    let client = &app.client;
    let answers = [
        (200, client.get("/health/live").await),
        (200, client.get("/health/ready").await),
        (404, client.get("/nope").await),
        (405, client.get("/api/auth/login/").await),
        (405, client.request("POST", "/health/live").send().await),
        (
            200,
            client.request("OPTIONS", "/api/auth/login/").send().await,
        ),
        (400, client.post("/api/auth/login/", &json!({})).await),
        (
            415,
            client.post_raw("/api/auth/login/", "text/plain", "x").await,
        ),
        (
            413,
            client
                .post_raw("/api/auth/login/", "application/json", large)
                .await,
        ),
        (201, client.register(&Person::new("ada")).await),
    ];

    let mut ids = Vec::new();
    for (status, answer) in &answers {
        assert_eq!(answer.status, *status, "{}", answer.shown());
        for (header, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(
                answer.header(header),
                value,
                "{header} of {}",
                answer.shown()
            );
        }
        let id = answer.header("x-request-id");
        assert!(id.len() == 26 && !ids.contains(&id), "{id}");
        ids.push(id);
    }
    app.finish().await;
}

/// OWASP ASVS 5.0 4.1.3: what a client says about itself is not believed.
#[tokio::test]
async fn a_request_id_from_outside_counts_only_from_a_trusted_proxy() {
    let (direct, proxied) = (
        TestApp::start().await,
        TestApp::with().behind_a_proxy().start().await,
    );
    let id = "outer-id_1:2.3";

    let refused = direct
        .client
        .with("X-Request-Id", id)
        .get("/health/live")
        .await;
    let taken = proxied
        .client
        .with("X-Request-Id", id)
        .get("/health/live")
        .await;

    assert_eq!(refused.header("x-request-id").len(), 26);
    assert_eq!(taken.header("x-request-id"), id);
    let long = "x".repeat(129);
    for odd in ["short", "has space", "semi;colon", "quote\"s", &long] {
        let answer = proxied
            .client
            .with("X-Request-Id", odd)
            .get("/health/live")
            .await;
        assert_eq!(answer.header("x-request-id").len(), 26, "{odd}");
    }
    direct.finish().await;
    proxied.finish().await;
}

/// OWASP ASVS 5.0 4.1.3: otherwise everybody could be as many clients as they like.
#[tokio::test]
async fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
    let (direct, proxied) = (
        TestApp::start().await,
        TestApp::with().behind_a_proxy().start().await,
    );

    for (app, client) in [(direct, "127.0.0.1"), (proxied, "203.0.113.7")] {
        app.client
            .from("10.0.0.1, 203.0.113.7")
            .registered(&Person::new("ada"))
            .await;

        let mut rows = app.rows().await;
        assert_eq!(
            rows.texts("select client from registrations").await,
            [client]
        );
        rows.close().await;
        app.finish().await;
    }
}

/// Answers are JSON without a charset, as clients have it from before; text in them is UTF-8.
#[tokio::test]
async fn answers_are_compact_json_in_utf8() {
    let app = TestApp::start().await;

    let answer = app
        .client
        .post_raw("/api/auth/login/", "text/ünknown", "x")
        .await;

    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["code"], Value::from("unsupported_media_type"));
    assert!(!answer.text().contains(": ") && answer.text().contains('ü'));
    app.finish().await;
}

/// What stands before the last address that no trusted proxy wrote may be made up (OWASP ASVS 5.0 4.1.3). Of an
/// IPv6 address the /64 counts.
#[tokio::test]
async fn the_nearest_address_that_is_no_proxys_is_the_client() {
    let app = TestApp::with().behind_a_proxy().start().await;

    for (n, (header, client)) in [
        ("203.0.113.7", "203.0.113.7"),
        ("192.0.2.1, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 127.0.0.1", "203.0.113.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[2001:db8:1:2:3::4]:443", "2001:db8:1:2::/64"),
        ("nonsense", "127.0.0.1"),
        ("203.0.113.7, nonsense", "127.0.0.1"),
        ("", "127.0.0.1"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("ada{n}");
        app.client
            .from(header)
            .registered(&Person::new(&name))
            .await;

        let mut rows = app.rows().await;
        let found = format!("select client from registrations where username = '{name}'");
        assert_eq!(rows.texts(&found).await, [client], "{header:?}");
        rows.close().await;
    }
    app.finish().await;
}
