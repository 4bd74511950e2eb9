//! What the sweep makes of the trash and of what devices are told of it.

use serde_json::json;

use crate::support::{Client, NOTES, Person, TestApp, path_of};

const CHANGES: &str = "/api/notes/changes/";
const DAY: u64 = 86_400;

async fn cursor(client: &Client) -> String {
    client.get(CHANGES).await.field("cursor")
}

#[tokio::test]
async fn the_trash_is_emptied_after_thirty_days_and_not_before() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let client = app.member(&ada).await;
    let old = client.note_path("old").await;
    let live = client.note_path("live").await;
    client.request("DELETE", &old).send().await;
    app.advance(DAY).await;
    let young = client.note_path("young").await;
    client.request("DELETE", &young).send().await;

    app.advance(29 * DAY - 60).await;
    app.swept().await;
    let client = app.client.logged_in(&ada).await;
    let just_before = client.titles("/api/notes/?trashed=true").await;
    app.advance(120).await;
    app.swept().await;

    assert_eq!(just_before, ["young", "old"]);
    assert_eq!(client.titles("/api/notes/?trashed=true").await, ["young"]);
    assert_eq!(client.get(&live).await.status, 200);
    assert_eq!(
        client.post_empty(&format!("{old}restore/")).await.status,
        404
    );
    app.finish().await;
}

#[tokio::test]
async fn a_device_that_was_away_for_longer_than_tombstones_are_kept_starts_over() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let client = app.member(&ada).await;
    let gone = client.note_path("gone").await;
    let before = cursor(&client).await;
    client
        .request("DELETE", &format!("{gone}?permanent=true"))
        .send()
        .await;
    let after = cursor(&client).await;
    let path = |cursor: &str| format!("{CHANGES}?cursor={cursor}");
    assert_eq!(
        client.get(&path(&before)).await.json()["changes"][0]["deleted"],
        true
    );

    app.advance(91 * DAY).await;
    let client = app.client.logged_in(&ada).await;
    app.swept().await;
    let refused = client.get(&path(&before)).await;

    assert_eq!(
        (refused.status, refused.field("code").as_str()),
        (410, "cursor_expired")
    );
    assert_eq!(client.get(&path(&after)).await.json()["changes"], json!([]));
    assert_eq!(client.get(CHANGES).await.json()["changes"], json!([]));
    app.finish().await;
}

/// api.md: everything held about the user is in the export.
#[tokio::test]
async fn the_export_has_every_note_live_and_in_the_trash_and_nobody_elses() {
    let app = TestApp::with()
        .set("SMART_NOTES__NOTES__FREE_LIMIT", "1000")
        .start()
        .await;
    let ada = app.member(&Person::new("ada")).await;
    let bob = app.member(&Person::new("bob")).await;
    let mut made = Vec::new();
    for n in 0..230 {
        made.push(
            ada.note(&json!({"title": format!("note {n}"), "tags": ["x"]}))
                .await,
        );
    }
    ada.request("DELETE", &path_of(&made[7])).send().await;
    bob.note_path("of bob").await;

    let export = ada.get("/api/auth/export/").await;

    assert_eq!(export.status, 200, "{}", export.shown());
    let notes = export.json()["notes"].as_array().unwrap().clone();
    assert_eq!(notes.len(), 230);
    let trashed: Vec<_> = notes
        .iter()
        .filter(|note| !note["trashed_at"].is_null())
        .collect();
    assert_eq!(trashed.len(), 1);
    assert_eq!(trashed[0]["id"], made[7]["id"]);
    assert!(
        made.iter()
            .filter(|note| note["id"] != made[7]["id"])
            .all(|note| notes.contains(note))
    );
    let none = bob.get(NOTES).await.json();
    assert_eq!(none["count"], 1);
    app.finish().await;
}
