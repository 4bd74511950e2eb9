//! `/api/subscription/`, and everywhere else a plan is shown.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Client, NOTES, Person, TestApp};

const PATH: &str = "/api/subscription/";

/// Grants premium, as a payment service or an operator does.
async fn grant(app: &TestApp, source: &str, until: &str) {
    let mut rows = app.rows().await;
    let statement = format!(
        "insert into plan_grants (user_id, source, until_at, granted_at) values (1, '{source}', {until}, 0)"
    );
    rows.run(&statement).await;
    rows.close().await;
}

/// The plan, in each of the places that show it.
async fn plans(session: &Client) -> [Value; 4] {
    let me = session.get("/api/auth/me/").await.json()["plan"].take();
    let renamed = session.send("PATCH", "/api/auth/me/", &json!({})).await;
    let export = session.get("/api/auth/export/").await.json();
    let shown = session.get(PATH).await.json();
    assert_eq!(export["subscription"], shown);
    assert_eq!(export["profile"]["plan"], me);
    [
        me,
        renamed.json()["plan"].take(),
        shown["plan"].clone(),
        shown["limit"].clone(),
    ]
}

#[tokio::test]
async fn without_a_grant_the_plan_is_free() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;

    let answer = session.get(PATH).await;

    assert_snapshot!(answer.shown(), @r#"200 {"plan":"free","limit":20,"used":0,"storage_limit":null,"storage_used":0,"premium_until":null}"#);
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
    assert_eq!(app.client.get(PATH).await.status, 401);
    assert_eq!(session.get("/api/subscription").await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn premium_has_no_limit_and_ends_by_itself_to_the_second() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;
    grant(&app, "operator", "1800003600000000").await;

    let during = session.get(PATH).await;
    let during_everywhere = plans(&session).await;
    app.advance(3600).await;
    let after = session.get(PATH).await;

    assert_snapshot!(during.shown(), @r#"200 {"plan":"premium","limit":null,"used":0,"storage_limit":null,"storage_used":0,"premium_until":"2027-01-15T09:00:00Z"}"#);
    assert_snapshot!(after.shown(), @r#"200 {"plan":"free","limit":20,"used":0,"storage_limit":null,"storage_used":0,"premium_until":null}"#);
    assert_eq!(
        during_everywhere,
        [
            json!("premium"),
            json!("premium"),
            json!("premium"),
            json!(null)
        ]
    );
    let everywhere = plans(&session).await;
    assert_eq!(
        everywhere,
        [json!("free"), json!("free"), json!("free"), json!(20)]
    );
    app.finish().await;
}

#[tokio::test]
async fn of_several_grants_the_longest_counts_and_one_without_end_outlasts_all() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;
    grant(&app, "stripe", "1800003600000000").await;
    grant(&app, "revenuecat", "1800007200000000").await;
    let longest = session.get(PATH).await;
    grant(&app, "operator", "null").await;

    let endless = session.get(PATH).await;

    assert_eq!(longest.field("premium_until"), "2027-01-15T10:00:00Z");
    assert_snapshot!(endless.shown(), @r#"200 {"plan":"premium","limit":null,"used":0,"storage_limit":null,"storage_used":0,"premium_until":null}"#);
    app.finish().await;
}

/// After a change of plan there may be more notes than the plan allows: they stay, and no more can be added.
#[tokio::test]
async fn what_is_used_is_counted_truly_whatever_the_limit() {
    let app = TestApp::with()
        .set("SMART_NOTES__NOTES__FREE_LIMIT", "1")
        .set("SMART_NOTES__NOTES__PREMIUM_LIMIT", "3")
        .start()
        .await;
    let session = app.member(&Person::new("ada")).await;
    grant(&app, "operator", "1800003600000000").await;
    let first = session.note_path("first").await;
    session.note_path("second").await;

    let premium = session.get(PATH).await;
    app.advance(3600).await;
    let free = session.get(PATH).await;
    let refused = session.post(NOTES, &json!({"title": "third"})).await;
    session.request("DELETE", &first).send().await;
    let trashed = session.get(PATH).await;

    assert_snapshot!(premium.shown(), @r#"200 {"plan":"premium","limit":3,"used":2,"storage_limit":null,"storage_used":1069,"premium_until":"2027-01-15T09:00:00Z"}"#);
    assert_snapshot!(free.shown(), @r#"200 {"plan":"free","limit":1,"used":2,"storage_limit":null,"storage_used":1069,"premium_until":null}"#);
    assert_eq!(refused.json()["code"], "note_limit_reached");
    assert_snapshot!(trashed.shown(), @r#"200 {"plan":"free","limit":1,"used":1,"storage_limit":null,"storage_used":1069,"premium_until":null}"#);
    app.finish().await;
}

#[tokio::test]
async fn one_users_premium_is_nobody_elses() {
    let app = TestApp::start().await;
    app.verified(&Person::new("ada")).await;
    let bob = app.member(&Person::new("bob")).await;
    grant(&app, "operator", "null").await;

    assert_eq!(bob.get(PATH).await.field("plan"), "free");
    app.finish().await;
}
