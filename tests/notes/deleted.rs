//! One note in the trash or deleted: restored, created again, and replaced.

use serde_json::json;

use super::ID;
use crate::support::{NOTES, Person, TestApp, path_of, uuid};

#[tokio::test]
async fn a_deleted_note_is_in_the_trash_and_comes_back_as_it_was() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let made = ada.note(&json!({"title": "Milk", "tags": ["shop"]})).await;
    let path = path_of(&made);

    let deleted = ada.request("DELETE", &path).send().await;
    let shown = ada.get(&path).await;
    let patched = ada.send("PATCH", &path, &json!({"title": "x"})).await;
    let live = ada.get(NOTES).await.json();
    let trash = ada.get("/api/notes/?trashed=true").await.json();
    let restored = ada.post_empty(&format!("{path}restore/")).await;
    let again = ada.post_empty(&format!("{path}restore/")).await;

    assert_eq!((deleted.status, deleted.text()), (204, ""));
    assert_eq!((shown.status, patched.status), (404, 404));
    assert_eq!((&live["count"], &trash["count"]), (&json!(0), &json!(1)));
    assert!(trash["results"][0]["trashed_at"].is_string(), "{trash}");
    assert_eq!(restored.status, 200, "{}", restored.shown());
    let restored = restored.json();
    assert_eq!(restored["version"], 3);
    for key in ["id", "title", "tags", "created_at", "updated_at"] {
        assert_eq!(restored[key], made[key], "{key}");
    }
    assert_eq!((again.status, again.json()), (200, restored));
    app.finish().await;
}

#[tokio::test]
async fn a_note_deleted_twice_is_in_the_trash_and_one_deleted_for_good_is_gone() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let twice = ada.note_path("twice").await;
    let at_once = ada.note_path("at once").await;
    let later = ada.note_path("later").await;
    let for_good = |path: &str| format!("{path}?permanent=true");

    let delete = async |path: &str| ada.request("DELETE", path).send().await.status;
    let answers = [
        delete(&twice).await,
        delete(&twice).await,
        delete(&for_good(&at_once)).await,
        delete(&at_once).await,
        delete(&later).await,
        delete(&for_good(&later)).await,
        delete(&for_good(&later)).await,
    ];
    let trash = ada.titles("/api/notes/?trashed=true").await;
    let restored = ada.post_empty(&format!("{twice}restore/")).await;

    assert_eq!(answers, [204, 204, 204, 404, 204, 204, 404]);
    assert_eq!(trash, ["twice"]);
    // 1 made, 2 in the trash, 3 out of it: the second DELETE made none.
    assert_eq!(
        (restored.status, &restored.json()["version"]),
        (200, &json!(3))
    );
    app.finish().await;
}

#[tokio::test]
async fn a_note_made_again_after_it_was_deleted_for_good_counts_its_versions_on() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let note = json!({"id": ID, "title": "Milk"});
    let path = path_of(&ada.note(&note).await);
    ada.delete(&path).await;
    ada.delete(&format!("{path}?permanent=true")).await;

    let again = ada.note(&note).await;

    // 1 made, 2 in the trash, 3 gone.
    assert_eq!(again["version"], 4);
    app.finish().await;
}

/// The first answer was lost, and another device has put the note into the trash since.
#[tokio::test]
async fn a_note_made_again_that_is_in_the_trash_stays_there_and_another_one_is_refused() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let note = json!({"id": uuid(1), "title": "Milk"});
    ada.delete(&path_of(&ada.note(&note).await)).await;
    let before = app.rows().await.of_notes().await;

    let again = ada.post(NOTES, &note).await;
    let another = ada
        .post(NOTES, &json!({"id": uuid(1), "title": "Bread"}))
        .await;

    assert_eq!((again.status, &again.json()["version"]), (200, &json!(2)));
    assert!(again.json()["trashed_at"].is_string(), "{}", again.shown());
    assert_eq!(
        (another.status, another.field("code").as_str()),
        (409, "taken")
    );
    assert_eq!(app.rows().await.of_notes().await, before);
    app.finish().await;
}

#[tokio::test]
async fn a_put_over_a_note_in_the_trash_brings_it_back_as_it_says() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = ada.note_path("Milk").await;
    ada.request("DELETE", &path).send().await;

    let put = ada.send("PUT", &path, &json!({"title": "Bread"})).await;

    assert_eq!(put.status, 200, "{}", put.shown());
    assert_eq!(
        (&put.json()["title"], &put.json()["version"]),
        (&json!("Bread"), &json!(3))
    );
    assert_eq!(ada.titles(NOTES).await, ["Bread"]);
    app.finish().await;
}
