//! `/api/webhooks/stripe/`: who may send events, and in which form.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::TestApp;
use crate::support::payments::{STRIPE_SECRET, signature};

const BODY: &str = r#"{"id":"evt_1","type":"ping","created":1}"#;

async fn app() -> TestApp {
    TestApp::with().paid().start().await
}

#[tokio::test]
async fn signed_garbage_is_kept_once_under_a_hash_of_it() {
    let app = app().await;
    let garbage: [&[u8]; 7] = [
        b"no json",
        b"",
        b"[]",
        b"{\"id\":7}",
        b"{\"id\":\"\"}",
        b"\xff\xfe",
        br#"{"id":"\ud800"}"#,
    ];

    for body in garbage.iter().chain(&garbage) {
        let answer = app.stripe_body(*body).await;
        assert_eq!(answer.shown(), r#"200 {"message":"Event received."}"#);
    }

    let kept = app.payment_events().await;
    assert_eq!(kept.len(), garbage.len(), "{kept:?}");
    assert!(
        kept.iter()
            .all(|row| row.starts_with("sha256:") && row.ends_with(": nothing"))
    );
    app.finish().await;
}

#[tokio::test]
async fn what_is_not_signed_is_refused_and_not_kept() {
    let app = app().await;
    let now = app.second();
    let right = signature(STRIPE_SECRET, now, BODY.as_bytes());
    let other = signature("another secret", now, BODY.as_bytes());

    for header in [
        String::new(),
        format!("t={now}"),
        format!("v1={right}"),
        format!("t={now},v1={other}"),
        format!("t={now},v0={right}"),
        format!("t={},v1={right}", now + 1),
    ] {
        let answer = app.client.stripe_with(&header, BODY).await;
        assert_eq!(
            answer.shown(),
            r#"400 {"error":"The signature is missing or wrong.","code":"invalid_signature"}"#
        );
    }
    let header = format!("t={now},v1={right}");
    let changed = app.client.stripe_with(&header, format!("{BODY} ")).await;
    let bare = app
        .client
        .request("POST", "/api/webhooks/stripe/")
        .body(BODY)
        .send()
        .await;
    assert_eq!([changed.status, bare.status], [400; 2]);
    assert_eq!(app.payment_events().await.len(), 0);

    let several = format!("t={now},v1={other},v1={right}");
    assert_eq!(app.client.stripe_with(&several, BODY).await.status, 200);
    assert_eq!(app.payment_events().await.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_signature_is_good_for_five_minutes_either_way() {
    let app = app().await;
    let now = app.second();

    for (late, status) in [(-301, 400), (-300, 200), (300, 200), (301, 400)] {
        let right = signature(STRIPE_SECRET, now + late, BODY.as_bytes());
        let header = format!("t={},v1={right}", now + late);
        let answer = app.client.stripe_with(&header, BODY).await;
        assert_eq!(answer.status, status, "{late}");
    }
    app.finish().await;
}

#[tokio::test]
async fn without_a_secret_there_is_no_such_route() {
    for app in [
        TestApp::start().await,
        TestApp::with()
            .set("SMART_NOTES__PAYMENTS__STRIPE_SECRET", " ")
            .start()
            .await,
    ] {
        for path in ["/api/webhooks/stripe/", "/api/webhooks/revenuecat/"] {
            let answer = app.client.post(path, &json!({})).await;
            assert_eq!(
                answer.shown(),
                r#"404 {"detail":"Not found.","code":"not_found"}"#
            );
        }
        app.finish().await;
    }
}

/// A throttled service would come back later and later: nothing is counted against who signs.
#[tokio::test]
async fn who_signs_is_never_limited_and_who_does_not_is_a_flood() {
    let app = TestApp::with()
        .paid()
        .limit("requests_per_second_per_client", 1)
        .limit("request_burst_per_client", 40)
        .start()
        .await;
    for n in 0..60 {
        app.stripe(&format!("evt_{n}"), 1, "ping", json!({})).await;
    }

    let mut refused = 0;
    let flooded = loop {
        match app.client.stripe_with("t=1,v1=00", BODY).await {
            answer if answer.status == 400 && refused < 1000 => refused += 1,
            answer => break answer,
        }
    };

    assert_eq!(flooded.status, 429, "after {refused}");
    let other = app.client.get("/api/webhooks/stripe/").await;
    assert_eq!(other.status, 429);
    app.stripe("evt_signed", 1, "ping", json!({})).await;
    app.finish().await;
}

#[tokio::test]
async fn an_event_may_have_256_kib_and_not_more() {
    let app = app().await;
    let body = |bytes: usize| {
        let frame = r#"{"id":"evt_1","padding":""}"#;
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - frame.len())))
    };

    let largest = app.stripe_body(body(256 * 1024)).await;
    let larger = app.stripe_body(body(256 * 1024 + 1)).await;

    assert_eq!(largest.status, 200, "{}", largest.shown());
    assert_snapshot!(larger.shown(), @r#"413 {"detail":"The request's body is too large: at most 262144 bytes are read.","code":"body_too_large"}"#);
    app.finish().await;
}
