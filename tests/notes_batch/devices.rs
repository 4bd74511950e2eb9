//! A batch that says which device sends it: what a device wrote itself is no conflict with what it writes next.

use serde_json::{Value, json};

use super::statuses;
use crate::support::{BATCH, Client, NOTES, Person, TestApp, deletion, path_of, upsert, uuid};

const PHONE: &str = "phone-6f0d2c3e";
const LAPTOP: &str = "laptop-7e10";

fn titled(base: Option<i64>, title: &str) -> Value {
    upsert(&uuid(1), base, &json!({"title": title}))
}

/// A note of version 2.
async fn second_version(ada: &Client) -> String {
    let path = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    ada.send("PATCH", &path, &json!({"title": "older"})).await;
    path
}

async fn sorted_titles(ada: &Client) -> Vec<String> {
    let mut titles = ada.titles(NOTES).await;
    titles.sort();
    titles
}

/// The answer to the first edit is lost, its owner types on, and the device folds both edits into one.
#[tokio::test]
async fn an_edit_of_the_version_before_the_devices_own_is_written() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = second_version(&ada).await;
    for (title, version) in [("one", 3), ("one two", 4), ("one two three", 5)] {
        let results = ada.batch_from(Some(PHONE), &[titled(Some(2), title)]).await;

        assert_eq!(statuses(&results), ["updated"]);
        assert_eq!(results[0]["note"]["version"], version);
    }

    let deleted = ada
        .batch_from(Some(PHONE), &[deletion(&uuid(1), Some(2))])
        .await;

    assert_eq!(statuses(&deleted), ["deleted"]);
    assert_eq!(ada.get(&path).await.status, 404);
    assert_eq!(ada.titles(NOTES).await, Vec::<String>::new());
    app.finish().await;
}

#[tokio::test]
async fn a_note_that_a_device_made_and_edited_further_is_written() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let chain = [titled(None, "one"), titled(Some(1), "one two")];

    let made = ada.batch_from(Some(PHONE), &chain).await;
    let folded = ada
        .batch_from(Some(PHONE), &[titled(None, "one two three")])
        .await;

    assert_eq!(statuses(&made), ["created", "updated"]);
    assert_eq!(statuses(&folded), ["updated"]);
    assert_eq!(ada.titles(NOTES).await, ["one two three"]);
    app.finish().await;
}

/// Two tabs share a session, and no outbox.
#[tokio::test]
async fn without_a_device_or_from_another_one_it_is_a_conflict_as_ever() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    for (first, second) in [
        (Some(PHONE), Some(LAPTOP)),
        (Some(PHONE), None),
        (None, Some(PHONE)),
        (None, None),
    ] {
        let path = second_version(&ada).await;
        ada.batch_from(first, &[titled(Some(2), "one")]).await;

        let results = ada.batch_from(second, &[titled(Some(2), "two")]).await;
        let deleted = ada.batch_from(second, &[deletion(&uuid(1), Some(2))]).await;

        assert_eq!(statuses(&results), ["conflict"], "{first:?} {second:?}");
        assert_eq!(statuses(&deleted), ["conflict"], "{first:?} {second:?}");
        assert_eq!(sorted_titles(&ada).await, ["one", "two (conflict)"]);
        for path in [path, path_of(&results[0]["copy"])] {
            ada.delete(&format!("{path}?permanent=true")).await;
        }
        let mut rows = app.rows().await;
        rows.run("delete from note_tombstones").await;
        rows.close().await;
    }
    app.finish().await;
}

#[tokio::test]
async fn what_others_wrote_in_between_is_never_replaced() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let path = second_version(&ada).await;
    ada.batch_from(Some(PHONE), &[titled(Some(2), "one")]).await;
    ada.send("PATCH", &path, &json!({"title": "theirs"})).await;

    let before = ada.batch_from(Some(PHONE), &[titled(Some(2), "two")]).await;
    let own = ada
        .batch_from(Some(PHONE), &[titled(Some(3), "three")])
        .await;
    let newest = ada
        .batch_from(Some(PHONE), &[titled(Some(4), "four")])
        .await;
    let since = ada
        .batch_from(Some(PHONE), &[titled(Some(4), "five")])
        .await;
    let across = ada.batch_from(Some(PHONE), &[titled(Some(3), "six")]).await;

    let all = [before, own, newest, since, across];
    let came = all.iter().flat_map(|results| statuses(results));
    let came: Vec<_> = came.collect();
    assert_eq!(
        came,
        ["conflict", "conflict", "updated", "updated", "conflict"]
    );
    assert_eq!(
        sorted_titles(&ada).await,
        [
            "five",
            "six (conflict)",
            "three (conflict)",
            "two (conflict)"
        ]
    );
    app.finish().await;
}

/// A proxy may send a batch once more after the device has sent a newer one.
#[tokio::test]
async fn a_batch_sent_again_after_newer_ones_of_the_device_replaces_nothing() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    second_version(&ada).await;
    let first = [titled(Some(2), "one")];
    ada.batch_from(Some(PHONE), &first).await;
    ada.batch_from(Some(PHONE), &[titled(Some(3), "two")]).await;

    let twice = [
        ada.batch_from(Some(PHONE), &first).await,
        ada.batch_from(Some(PHONE), &first).await,
    ];

    assert_eq!(twice[0], twice[1]);
    assert_eq!(statuses(&twice[0]), ["conflict"]);
    assert_eq!(sorted_titles(&ada).await, ["one (conflict)", "two"]);
    let deleted = [deletion(&uuid(1), Some(4))];
    ada.batch_from(Some(PHONE), &deleted).await;
    ada.batch_from(Some(PHONE), &[titled(Some(5), "three")])
        .await;
    let again = ada.batch_from(Some(PHONE), &deleted).await;
    assert_eq!(statuses(&again), ["conflict"]);
    assert_eq!(sorted_titles(&ada).await, ["one (conflict)", "three"]);
    app.finish().await;
}

/// What was deleted meanwhile lives on as it was edited, and as it is edited further.
#[tokio::test]
async fn an_edit_of_a_deleted_note_is_edited_further_without_a_conflict() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = second_version(&ada).await;
    for query in ["", "?permanent=true"] {
        ada.delete(&format!("{path}{query}")).await;
        let one = [titled(Some(2), &format!("one{query}"))];
        ada.batch_from(Some(PHONE), &one).await;

        let two = [titled(Some(2), &format!("two{query}"))];
        let results = ada.batch_from(Some(PHONE), &two).await;

        assert_eq!(statuses(&results), ["updated"]);
        assert_eq!(ada.titles(NOTES).await, [format!("two{query}")]);
    }
    app.finish().await;
}

#[tokio::test]
async fn the_same_chain_sent_again_by_a_device_changes_nothing() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    second_version(&ada).await;
    let chain = [
        titled(Some(2), "one"),
        titled(Some(3), "two"),
        titled(Some(4), "two"),
        titled(Some(5), "three"),
    ];
    let first = ada.batch_from(Some(PHONE), &chain).await;
    let before = app.rows().await.of_notes().await;

    let again = ada.batch_from(Some(PHONE), &chain).await;
    let folded = ada
        .batch_from(Some(PHONE), &[titled(Some(2), "four")])
        .await;

    assert_eq!(
        statuses(&first),
        ["updated", "updated", "unchanged", "updated"]
    );
    assert!(statuses(&again).iter().all(|status| *status == "unchanged"));
    assert_eq!(statuses(&folded), ["updated"]);
    assert_ne!(app.rows().await.of_notes().await, before);
    assert_eq!(ada.titles(NOTES).await, ["four"]);
    app.finish().await;
}

#[tokio::test]
async fn a_device_has_a_name_of_8_to_64_characters() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let batch = |device: Value| json!({"device": device, "edits": [titled(None, "one")]});
    let before = app.rows().await.of_notes().await;

    for device in [
        json!(""),
        json!("1234567"),
        json!("é".repeat(65)),
        json!(12_345_678),
        json!(["12345678"]),
        json!({}),
        json!(true),
    ] {
        ada.post(BATCH, &batch(device))
            .await
            .assert_refused("device", "Must be a text of 8 to 64 characters.");
    }
    assert_eq!(app.rows().await.of_notes().await, before);

    for device in [json!(null), json!("12345678"), json!("é".repeat(64))] {
        assert_eq!(ada.post(BATCH, &batch(device)).await.status, 200);
    }
    app.finish().await;
}
