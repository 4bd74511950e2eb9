//! How often one user may write, and that deleting is never counted.
//!
//! The limits refill by the machine's clock: with one write a second they can't refill much within a test.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Client, NOTES, Person, TestApp, deletion, upsert, uuid};

async fn app() -> TestApp {
    TestApp::with()
        .limit("note_writes_per_second_per_user", 1)
        .limit("note_write_burst_per_user", 100)
        .set("SMART_NOTES__NOTES__FREE_LIMIT", "1000")
        .many_mails()
        .start()
        .await
}

/// Edits that make so many notes, from the n-th on.
async fn batch(client: &Client, first: u64, count: u64) -> u16 {
    let edits: Vec<_> = (first..first + count)
        .map(|n| upsert(&uuid(n), None, &json!({"title": "t"})))
        .collect();
    client
        .post("/api/notes/batch/", &json!({"edits": edits}))
        .await
        .status
}

/// Spends what is left of a user's writes.
async fn spend(client: &Client) {
    for _ in 0..1000 {
        let note = json!({"title": "one of many"});
        if client.post(NOTES, &note).await.status == 429 {
            return;
        }
    }
    panic!("1000 notes and no limit");
}

#[tokio::test]
async fn notes_beyond_a_users_rate_are_answered_429_by_every_route_that_writes() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let path = session.note_path("first").await;
    spend(&session).await;

    let refused = session.post(NOTES, &json!({"title": "next"})).await;
    let others = [
        session
            .send("PUT", &path, &json!({"title": "x"}))
            .await
            .status,
        session
            .send("PATCH", &path, &json!({"title": "x"}))
            .await
            .status,
        session.post_empty(&format!("{path}restore/")).await.status,
        batch(&session, 1, 50).await,
    ];

    assert_snapshot!(refused.shown(), @r#"429 {"detail":"Request was throttled. Expected available in 1 second.","code":"throttled"}"#);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(
        refused.header("ratelimit-policy"),
        r#""note-writes";q=100;w=100"#
    );
    assert_eq!(refused.header("ratelimit"), r#""note-writes";r=0;t=1"#);
    assert_eq!(others, [429; 4]);
    app.finish().await;
}

#[tokio::test]
async fn deleting_is_never_counted_nor_stopped() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let path = session.note_path("first").await;
    let id = uuid(7);
    session.note(&json!({"id": id, "title": "second"})).await;
    spend(&session).await;

    session.delete(&path).await;
    session.delete(&format!("{path}?permanent=true")).await;
    let results = session.batch(&[deletion(&id, None)]).await;

    assert_eq!(results[0]["status"], "deleted");
    app.finish().await;
}

#[tokio::test]
async fn a_batch_counts_for_its_edits_and_passes_as_a_whole_or_not_at_all() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;

    let first = batch(&session, 1, 60).await;
    let second = batch(&session, 101, 60).await;
    let count = session.get(NOTES).await.json()["count"].take();

    assert_eq!((first, second, count), (200, 429, json!(60)));
    app.finish().await;
}

#[tokio::test]
async fn all_sessions_of_a_user_share_a_rate_and_others_have_their_own() {
    let app = app().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    let bob = app.member(&Person::new("bob")).await;
    let other = app.client.logged_in(&ada).await;
    spend(&session).await;

    let of_another_session = other.post(NOTES, &json!({"title": "t"})).await.status;
    let of_another_user = bob.post(NOTES, &json!({"title": "t"})).await.status;

    assert_eq!((of_another_session, of_another_user), (429, 201));
    app.finish().await;
}

/// A wrong note is told what is wrong, and counts for nothing; without a good token it is 401 all the same.
#[tokio::test]
async fn what_is_not_written_for_other_reasons_is_answered_as_ever() {
    let app = app().await;
    let session = app.member(&Person::new("ada")).await;
    let ended = app.client.logged_in(&Person::new("ada")).await;
    ended.post(NOTES, &json!({"title": "written"})).await;
    ended.post_empty("/api/auth/logout/").await;

    let wrong = session.post(NOTES, &json!({"title": 7})).await.status;
    let nobody = ended.post(NOTES, &json!({"title": "t"})).await.status;

    assert_eq!((wrong, nobody), (400, 401));
    app.finish().await;
}

#[tokio::test]
async fn changes_of_an_account_are_bounded_and_so_are_the_rows_that_record_them() {
    let app = TestApp::with()
        .limit("account_changes_per_hour_per_user", 1)
        .limit("account_change_burst_per_user", 5)
        .start()
        .await;
    // The first of the five.
    let session = app.member(&Person::new("ada")).await;
    let rename = async |name: &str| {
        let body = json!({"username": name});
        session.send("PATCH", "/api/auth/me/", &body).await
    };

    let names = ["eve", "ivy", "zoe", "amy", "mia", "joy"];
    let mut renamed = Vec::new();
    for name in names {
        renamed.push(rename(name).await.status);
    }
    let throttled = rename("kim").await;
    let unchanged = rename("amy").await.status;
    let password = session
        .change_password(crate::support::PASSWORD, "an entirely different staple")
        .await;
    let email = session
        .request_email("next@example.com", crate::support::PASSWORD)
        .await;
    let login = app.client.login("amy", crate::support::PASSWORD).await;

    assert_eq!(renamed, [200, 200, 200, 200, 429, 429]);
    assert_eq!(
        throttled.header("ratelimit-policy"),
        r#""account-changes";q=5;w=18000"#
    );
    let seconds: u64 = throttled.header("retry-after").parse().unwrap();
    assert!((3000..=3600).contains(&seconds), "{seconds}");
    assert_eq!(unchanged, 200);
    assert_eq!(
        [password.status, email.status, login.status],
        [429, 429, 429]
    );
    let mut rows = app.rows().await;
    let recorded = "select count(*) from audit where event = 'renamed'";
    assert_eq!(rows.number(recorded).await, 4);
    rows.close().await;
    assert_eq!(
        session.post_empty("/api/auth/logout-all/").await.status,
        204
    );
    app.finish().await;
}

#[tokio::test]
async fn a_name_that_stays_as_it_is_is_not_recorded() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;

    let same = session
        .send("PATCH", "/api/auth/me/", &json!({"username": "ada"}))
        .await;

    assert_eq!(same.status, 200);
    let mut rows = app.rows().await;
    let recorded = "select count(*) from audit where event = 'renamed'";
    assert_eq!(rows.number(recorded).await, 0);
    rows.close().await;
    app.finish().await;
}

#[tokio::test]
async fn edits_that_a_batch_did_not_try_count_once() {
    let app = app().await;
    let ada = app.member(&Person::new("ada")).await;
    let long = json!({"id": uuid(1), "title": "long", "content": "\u{1}".repeat(100_000)});
    ada.note(&long).await;
    let stale = vec![deletion(&uuid(1), Some(0)); 10];
    let new: Vec<_> = (2..82)
        .map(|n| upsert(&uuid(n), None, &json!({"title": "t"})))
        .collect();

    let first = ada.batch(&[&stale[..], &new].concat()).await;
    let again = ada.batch(&new).await;

    assert!(
        first[10..]
            .iter()
            .all(|result| result["code"] == "answer_too_large")
    );
    assert!(again.iter().all(|result| result["status"] == "created"));
    app.finish().await;
}
