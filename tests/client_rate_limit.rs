//! Too many anonymous requests of one client, and how every 429 names its limit.
//!
//! The flood limit refills by the machine's clock: with one request a second it can't refill much within a test.

use insta::assert_snapshot;

use serde_json::json;

use crate::support::{Answer, Client, Person, Processes, Scrape, TestApp};

async fn app() -> TestApp {
    TestApp::with()
        .limit("requests_per_second_per_client", 1)
        .limit("request_burst_per_client", 40)
        .behind_a_proxy()
        .start()
        .await
}

/// Sends the same request until it is refused; the burst and what may have refilled meanwhile bound how often.
async fn flooded(app: &TestApp, method: &str, path: &str, from: &str) -> Answer {
    let client = app.client.from(from);
    for _ in 0..1000 {
        let answer = client.request(method, path).send().await;
        if answer.status == 429 {
            return answer;
        }
    }
    panic!("1000 requests and no limit");
}

#[tokio::test]
async fn a_flood_is_cut_on_every_public_route_at_once() {
    let app = app().await;

    let refused = flooded(&app, "POST", "/api/auth/login/", "192.0.2.1").await;

    assert_snapshot!(refused.shown(), @r#"429 {"detail":"Request was throttled. Expected available in 1 second.","code":"throttled"}"#);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(
        refused.header("ratelimit-policy"),
        r#""requests";q=40;w=40"#
    );
    assert_eq!(refused.header("ratelimit"), r#""requests";r=0;t=1"#);
    assert_eq!(refused.header("allow"), "POST, OPTIONS");
    app.finish().await;
}

/// Without a good token, a request to a protected route is one more anonymous one; an unknown path as well.
#[tokio::test]
async fn a_flood_without_a_token_or_a_route_is_cut_as_well() {
    let app = app().await;
    let stale = app.client.with(
        "authorization",
        "Token 0123456789012345678901234567890123456789",
    );

    let protected = flooded(&app, "GET", "/api/auth/me/", "192.0.2.1").await;
    let unknown = flooded(&app, "GET", "/nothing", "192.0.2.2").await;
    let file = flooded(&app, "GET", "/api/docs/start.js", "192.0.2.4").await;
    let bad = flooded_by(&stale.from("192.0.2.3"), "/api/auth/sessions/").await;

    assert_eq!(
        [protected.status, unknown.status, file.status, bad],
        [429; 4]
    );
    app.finish().await;
}

async fn flooded_by(client: &Client, path: &str) -> u16 {
    for _ in 0..1000 {
        let answer = client.get(path).await;
        if answer.status != 401 {
            return answer.status;
        }
    }
    401
}

#[tokio::test]
async fn neither_a_session_nor_a_neighbour_nor_a_probe_suffers_from_a_flood() {
    let app = app().await;
    let ann = Person::new("ann");
    let member = app.client.from("192.0.2.1");
    app.verified(&ann).await;
    let member = member.logged_in(&ann).await;

    flooded(&app, "GET", "/health/ready", "192.0.2.1").await;

    for _ in 0..50 {
        assert_eq!(member.me_status().await, 200);
    }
    let probe = app.client.from("192.0.2.1").get("/health/live").await;
    let neighbour = app.client.from("192.0.2.2").get("/health/ready").await;
    assert_eq!((probe.status, neighbour.status), (200, 200));
    app.finish().await;
}

/// A note is added by one statement that looks the token up as well, in the one line that everybody's writes wait in.
#[tokio::test]
async fn a_flood_of_notes_with_a_made_up_token_does_not_reach_the_writer() {
    let mut app = Processes::with()
        .limited()
        .set("SMART_NOTES__LIMITS__REQUESTS_PER_SECOND_PER_CLIENT", "1")
        .set("SMART_NOTES__LIMITS__REQUEST_BURST_PER_CLIENT", "60")
        .set("SMART_NOTES__HTTP__METRICS_LISTEN", "0")
        .start()
        .await;
    let token = "Token 0123456789012345678901234567890123456789";
    let stale = app.client().with("authorization", token);
    let (mut let_through, mut cut) = (0.0, 0);

    // Long ones don't in any case: to fold their words takes long.
    let long = json!({"content": "word ".repeat(2000)});
    for _ in 0..50 {
        assert_eq!(stale.post("/api/notes/", &long).await.status, 401);
    }
    while cut < 200 {
        match stale
            .post("/api/notes/", &json!({"title": "t"}))
            .await
            .status
        {
            401 => let_through += 1.0,
            429 => cut += 1,
            other => panic!("{other}"),
        }
    }

    let scrape = Scrape::of(&mut app.apis[0].process).await;
    let writes = scrape.value("smart_notes_database_write_wait_seconds_count");
    // Those that were let through, the first that was cut, and what the program writes of itself.
    assert!(
        writes.unwrap() < let_through + 20.0,
        "{writes:?}, {let_through} let through"
    );
    app.finish().await;
}

/// draft-ietf-httpapi-ratelimit-headers-10: the limit that refused, what it grants, what is left, and until when.
#[tokio::test]
async fn an_answer_429_names_the_limit_that_refused() {
    let app = TestApp::with().limited().start().await;
    for n in 0..3 {
        app.client.request_reset(&format!("{n}@example.com")).await;
    }

    let refused = app.client.request_reset("3@example.com").await;

    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.header("ratelimit-policy"),
        r#""code-requests";q=3;w=60"#
    );
    let left = format!(r#""code-requests";r=0;t={}"#, refused.header("retry-after"));
    assert_eq!(refused.header("ratelimit"), left);
    app.finish().await;
}
