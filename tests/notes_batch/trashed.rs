//! Edits of notes that others have put into the trash: what lies there is no more replaced unseen than what is live.

use serde_json::{Value, json};

use super::statuses;
use crate::support::{Client, NOTES, Person, TestApp, deletion, path_of, upsert, uuid};

const TRASH: &str = "/api/notes/?trashed=true";
const PHONE: &str = "phone-6f0d2c3e";

fn titled(base: Option<i64>, title: &str) -> Value {
    upsert(&uuid(1), base, &json!({"title": title}))
}

/// A note of version 3, in the trash: the text of version 1 was edited in version 2.
async fn edited_and_trashed(ada: &Client) -> String {
    let path = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    ada.send("PATCH", &path, &json!({"title": "newer"})).await;
    ada.delete(&path).await;
    path
}

#[tokio::test]
async fn an_edit_of_an_older_text_than_lies_in_the_trash_becomes_a_copy() {
    for (device, base) in [
        (None, Some(1)),
        (None, Some(0)),
        (None, Some(7)),
        (None, None),
        (Some(PHONE), Some(1)),
        (Some(PHONE), None),
    ] {
        let app = TestApp::start().await;
        let ada = app.member(&Person::new("ada")).await;
        edited_and_trashed(&ada).await;
        let trash = ada.get(TRASH).await.json();
        let pinned = json!({"title": "old", "is_pinned": true});
        let edits = [upsert(&uuid(1), base, &pinned)];

        let results = ada.batch_from(device, &edits).await;
        let again = ada.batch_from(device, &edits).await;

        assert_eq!(statuses(&results), ["conflict"], "{device:?} {base:?}");
        assert_eq!(results[0]["note"], trash["results"][0]);
        assert_eq!(ada.get(TRASH).await.json(), trash);
        assert_eq!(ada.titles(NOTES).await, ["old (conflict)"]);
        assert_eq!(results[0]["copy"]["conflict_of"], uuid(1));
        assert_eq!(again, results);
        app.finish().await;
    }
}

#[tokio::test]
async fn an_edit_of_the_text_that_lies_in_the_trash_takes_it_out() {
    for (device, base) in [(None, 2), (None, 3), (Some(PHONE), 2), (Some(PHONE), 3)] {
        let app = TestApp::start().await;
        let ada = app.member(&Person::new("ada")).await;
        edited_and_trashed(&ada).await;

        let results = ada
            .batch_from(device, &[titled(Some(base), "newest")])
            .await;

        assert_eq!(statuses(&results), ["updated"], "{device:?} {base}");
        assert_eq!(results[0]["note"]["version"], 4);
        assert_eq!(ada.titles(NOTES).await, ["newest"]);
        assert_eq!(ada.titles(TRASH).await, Vec::<String>::new());
        app.finish().await;
    }
}

/// The answer to the batch that made the note was lost.
#[tokio::test]
async fn a_note_made_again_after_others_edited_and_trashed_it_leaves_theirs_in_the_trash() {
    for device in [None, Some(PHONE)] {
        let app = TestApp::start().await;
        let ada = app.member(&Person::new("ada")).await;
        let made = [titled(None, "first draft")];
        ada.batch_from(device, &made).await;
        let path = format!("{NOTES}{}/", uuid(1));
        ada.send("PUT", &path, &json!({"title": "theirs"})).await;
        ada.delete(&path).await;

        let again = ada.batch_from(device, &made).await;
        let before = app.rows().await.of_notes().await;
        let once_more = ada.batch_from(device, &made).await;

        assert_eq!(statuses(&again), ["conflict"], "{device:?}");
        assert_eq!(once_more, again);
        assert_eq!(app.rows().await.of_notes().await, before);
        assert_eq!(ada.titles(TRASH).await, ["theirs"]);
        assert_eq!(ada.titles(NOTES).await, ["first draft (conflict)"]);
        app.finish().await;
    }
}

#[tokio::test]
async fn a_note_made_again_after_others_trashed_it_stays_in_the_trash() {
    for device in [None, Some(PHONE)] {
        let app = TestApp::start().await;
        let ada = app.member(&Person::new("ada")).await;
        let made = [titled(None, "first draft")];
        ada.batch_from(device, &made).await;
        ada.delete(&format!("{NOTES}{}/", uuid(1))).await;
        let before = app.rows().await.of_notes().await;

        let again = ada.batch_from(device, &made).await;

        assert_eq!(statuses(&again), ["unchanged"], "{device:?}");
        assert!(again[0]["note"]["trashed_at"].is_string(), "{again:?}");
        assert_eq!(app.rows().await.of_notes().await, before);
        app.finish().await;
    }
}

/// A proxy sends the first batch once more after the device has edited the note further and deleted it.
#[tokio::test]
async fn an_edit_sent_again_over_what_its_device_trashed_replaces_nothing() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let first = [titled(None, "one")];
    ada.batch_from(Some(PHONE), &first).await;
    let rest = [titled(Some(1), "two"), deletion(&uuid(1), Some(2))];
    ada.batch_from(Some(PHONE), &rest).await;

    let again = ada.batch_from(Some(PHONE), &first).await;

    assert_eq!(statuses(&again), ["conflict"]);
    assert_eq!(ada.titles(TRASH).await, ["two"]);
    assert_eq!(ada.titles(NOTES).await, ["one (conflict)"]);
    app.finish().await;
}

/// The version that the last edit names is that of the note in the trash, by chance.
#[tokio::test]
async fn edits_on_top_of_one_that_the_trash_is_in_conflict_with_replace_nothing() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    edited_and_trashed(&ada).await;
    let edits = [
        titled(Some(1), "a"),
        deletion(&uuid(1), Some(2)),
        titled(Some(3), "b"),
    ];

    for _ in 0..2 {
        let results = ada.batch(&edits).await;

        assert_eq!(statuses(&results), ["conflict", "unchanged", "conflict"]);
        assert_eq!(ada.titles(TRASH).await, ["newer"]);
        let mut titles = ada.titles(NOTES).await;
        titles.sort();
        assert_eq!(titles, ["a (conflict)", "b (conflict)"]);
    }
    app.finish().await;
}

#[tokio::test]
async fn without_room_for_the_copy_the_edit_is_refused_and_the_trash_stays() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    edited_and_trashed(&ada).await;
    for n in 2..=21 {
        ada.note(&json!({"id": uuid(n), "title": "live"})).await;
    }
    let before = app.rows().await.of_notes().await;

    let results = ada.batch(&[titled(Some(1), "mine")]).await;

    assert_eq!(results[0]["code"], "note_limit_reached", "{results:?}");
    assert_eq!(app.rows().await.of_notes().await, before);
    app.finish().await;
}
