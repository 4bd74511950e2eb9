//! Web pages on other origins: none may call the API unless `http.cors_origins` names it.

use crate::support::{Answer, TestApp};

const PAGE: &str = "https://app.example.com";

async fn preflight(app: &TestApp, origin: &str, path: &str) -> Answer {
    let request = app.client.request("OPTIONS", path);
    request
        .header("origin", origin)
        .header("access-control-request-method", "DELETE")
        .header(
            "access-control-request-headers",
            "authorization, content-type, sentry-trace, x-app-version",
        )
        .send()
        .await
}

#[tokio::test]
async fn without_a_setting_no_answer_has_a_header_of_cors() {
    let app = TestApp::start().await;

    let preflight = preflight(&app, PAGE, "/api/auth/login/").await;
    let get = app
        .client
        .request("GET", "/health/live")
        .header("origin", PAGE);
    let get = get.send().await;

    for answer in [preflight, get] {
        let cors = answer
            .header_names()
            .into_iter()
            .any(|name| name.starts_with("access-control"));
        assert!(!cors, "{answer:?}");
        assert_eq!(answer.header("vary"), "Accept");
    }
    app.finish().await;
}

/// Neither a route's own `OPTIONS` nor its 401 meets a preflight.
#[tokio::test]
async fn a_preflight_of_a_named_page_is_allowed_and_of_another_is_not() {
    let app = TestApp::with()
        .set("SMART_NOTES__HTTP__CORS_ORIGINS", PAGE)
        .set("SMART_NOTES__HTTP__CORS_HEADERS", "X-App-Version")
        .start()
        .await;

    let named = preflight(&app, PAGE, "/api/auth/sessions/1/").await;
    let other = preflight(&app, "https://app.example.org", "/api/auth/sessions/1/").await;

    assert_eq!(named.status, 200);
    assert_eq!(named.header("access-control-allow-origin"), PAGE);
    assert!(
        named
            .header("access-control-allow-methods")
            .contains("DELETE")
    );
    let allowed = named.header("access-control-allow-headers");
    for header in [
        "authorization",
        "if-match",
        "x-requested-with",
        "sentry-trace",
        "baggage",
        "traceparent",
        "cache-control",
        "x-app-version",
    ] {
        assert!(allowed.contains(header), "{header}: {allowed}");
    }
    assert_eq!(named.header("access-control-allow-credentials"), "");
    assert_eq!(other.header("access-control-allow-origin"), "");
    app.finish().await;
}

#[tokio::test]
async fn a_named_page_may_read_an_answer_and_its_request_id() {
    let app = TestApp::with()
        .set("SMART_NOTES__HTTP__CORS_ORIGINS", PAGE)
        .start()
        .await;

    let request = app.client.request("GET", "/api/auth/me/");
    let answer = request.header("origin", PAGE).send().await;
    let plain = app
        .client
        .request("OPTIONS", "/api/auth/login/")
        .send()
        .await;

    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("access-control-allow-origin"), PAGE);
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("x-request-id")
    );
    assert_eq!(plain.header("allow"), "POST, OPTIONS");
    app.finish().await;
}
