//! Edits that stand on one another: each names the version that the one before it will make.

use serde_json::{Value, json};

use super::statuses;
use crate::support::{NOTES, Person, TestApp, deletion, path_of, upsert, uuid};

/// What a device did to a note offline: each edit on top of the one before, the first of version 2.
fn chained(edits: &[Option<&str>]) -> Vec<Value> {
    let with_base = (2..).zip(edits);
    with_base
        .map(|(base, title)| match title {
            Some(title) => upsert(&uuid(1), Some(base), &json!({"title": title})),
            None => deletion(&uuid(1), Some(base)),
        })
        .collect()
}

#[tokio::test]
async fn edits_on_top_of_one_another_sent_again_change_nothing() {
    let app = TestApp::start().await;
    let made_here = [
        upsert(&uuid(1), None, &json!({"title": "a"})),
        upsert(&uuid(1), Some(1), &json!({"title": "b"})),
    ];
    let deleted_whatever_it_was = [
        upsert(&uuid(1), Some(2), &json!({"title": "a"})),
        deletion(&uuid(1), None),
        upsert(&uuid(1), Some(4), &json!({"title": "b"})),
    ];
    let batches = [
        chained(&[Some("a"), Some("b")]),
        chained(&[Some("a"), Some("b"), Some("c")]),
        chained(&[Some("a"), Some("b"), Some("b")]),
        chained(&[Some("a"), None]),
        chained(&[Some("a"), Some("b"), None]),
        chained(&[Some("a"), None, Some("b")]),
        deleted_whatever_it_was.to_vec(),
        made_here.to_vec(),
    ];
    for (n, edits) in batches.into_iter().enumerate() {
        let ada = app.member(&Person::new(&format!("ada{n}"))).await;
        let edits: Vec<_> = edits
            .into_iter()
            .map(|mut edit| {
                edit["id"] = uuid(n as u64).into();
                edit
            })
            .collect();
        if !edits[0]["base_version"].is_null() {
            let note = ada.note(&json!({"id": uuid(n as u64), "title": "old"}));
            let path = path_of(&note.await);
            ada.send("PATCH", &path, &json!({"title": "older"})).await;
        }
        let first = ada.batch(&edits).await;
        let done = ["created", "updated", "deleted", "unchanged"];
        assert!(
            statuses(&first).iter().all(|status| done.contains(status)),
            "{first:?}"
        );
        let before = app.rows().await.of_notes().await;
        let (_, cursor) = ada.changes_after(None, 100).await;

        for _ in 0..2 {
            let again = ada.batch(&edits).await;

            let (changes, _) = ada.changes_after(Some(&cursor), 100).await;
            assert_eq!(app.rows().await.of_notes().await, before, "{edits:?}");
            assert_eq!(changes, Vec::<Value>::new(), "{edits:?}");
            let nothing = statuses(&again).iter().all(|status| *status == "unchanged");
            assert!(nothing, "{again:?}");
        }
    }
    app.finish().await;
}

/// It makes no version, so that the number that the next edit names is never given.
#[tokio::test]
async fn an_edit_on_top_of_one_that_says_nothing_new_is_written() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let batches = [
        (chained(&[Some("older"), Some("a")]), "a", 3),
        (chained(&[Some("a"), Some("a"), Some("b")]), "b", 4),
        (
            chained(&[Some("older"), Some("a"), Some("a"), Some("b")]),
            "b",
            4,
        ),
    ];
    for (n, (edits, title, version)) in (1..).zip(batches) {
        let edits: Vec<_> = edits
            .into_iter()
            .map(|mut edit| {
                edit["id"] = uuid(n).into();
                edit
            })
            .collect();
        let path = path_of(&ada.note(&json!({"id": uuid(n), "title": "old"})).await);
        ada.send("PATCH", &path, &json!({"title": "older"})).await;

        let results = ada.batch(&edits).await;
        let note = ada.get(&path).await.json();
        let again = ada.batch(&edits).await;

        assert!(!statuses(&results).contains(&"conflict"), "{results:?}");
        assert_eq!(
            (&note["title"], &note["version"]),
            (&json!(title), &json!(version))
        );
        let nothing = statuses(&again).iter().all(|status| *status == "unchanged");
        assert!(nothing, "{again:?}");
        assert_eq!(ada.get(&path).await.json(), note);
    }
    let deleted = chained(&[Some("older"), None]).into_iter().map(|mut edit| {
        edit["id"] = uuid(9).into();
        edit
    });
    let path = path_of(&ada.note(&json!({"id": uuid(9), "title": "old"})).await);
    ada.send("PATCH", &path, &json!({"title": "older"})).await;
    let results = ada.batch(&deleted.collect::<Vec<_>>()).await;
    assert_eq!(statuses(&results), ["unchanged", "deleted"]);
    app.finish().await;
}

/// Others had the note say again what the first edit says: the second one replaces that no more than any other text.
#[tokio::test]
async fn an_edit_on_top_of_one_that_others_wrote_after_it_as_well_replaces_nothing() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let path = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    ada.send("PATCH", &path, &json!({"title": "older"})).await;
    let edits = chained(&[Some("a"), Some("b")]);
    ada.batch(&edits).await;
    ada.send("PATCH", &path, &json!({"title": "a"})).await;

    let results = ada.batch(&edits).await;

    assert_eq!(statuses(&results), ["unchanged", "conflict"]);
    assert_eq!(ada.get(&path).await.json()["title"], "a");
    app.finish().await;
}

/// Who deletes a note and then wants it back says the same as before, but not for the second time.
#[tokio::test]
async fn a_note_that_is_deleted_and_written_again_in_one_batch_lives() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let (made_before, keep) = (json!({"title": "made before"}), json!({"title": "keep"}));
    ada.batch(&[upsert(&uuid(2), None, &made_before)]).await;
    let edits = [
        upsert(&uuid(1), None, &keep),
        deletion(&uuid(1), None),
        upsert(&uuid(1), None, &keep),
        deletion(&uuid(2), None),
        upsert(&uuid(2), None, &made_before),
    ];

    for _ in 0..2 {
        let results = ada.batch(&edits).await;

        let done = statuses(&results);
        assert_eq!(done[1..], ["deleted", "updated", "deleted", "updated"]);
        let mut titles = ada.titles(NOTES).await;
        titles.sort();
        assert_eq!(titles, ["keep", "made before"]);
    }
    app.finish().await;
}

/// The second edit names the version that the first would have made, which is now another's.
#[tokio::test]
async fn an_edit_on_top_of_one_that_was_not_written_replaces_and_deletes_nothing() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let path = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    ada.send("PATCH", &path, &json!({"title": "older"})).await;
    ada.send("PATCH", &path, &json!({"title": "theirs"})).await;
    let theirs = ada.get(&path).await.json();
    let edits = chained(&[Some("a"), Some("b"), None]);

    for _ in 0..2 {
        let results = ada.batch(&edits).await;

        assert_eq!(statuses(&results), ["conflict", "conflict", "conflict"]);
        assert!(results.iter().all(|result| result["note"] == theirs));
        assert_eq!(ada.get(&path).await.json(), theirs);
        let mut titles = ada.titles(NOTES).await;
        titles.sort();
        assert_eq!(titles, ["a (conflict)", "b (conflict)", "theirs"]);
    }
    app.finish().await;
}

/// The same where the first edit says what no note may say.
#[tokio::test]
async fn an_edit_on_top_of_one_that_can_not_be_read_replaces_and_deletes_nothing() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let path = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    ada.send("PATCH", &path, &json!({"title": "older"})).await;
    ada.send("PATCH", &path, &json!({"title": "theirs"})).await;
    let theirs = ada.get(&path).await.json();
    let too_long = "a".repeat(201);

    let results = ada
        .batch(&chained(&[Some(&too_long), Some("b"), None]))
        .await;

    assert_eq!(statuses(&results), ["error", "conflict", "conflict"]);
    assert_eq!(ada.get(&path).await.json(), theirs);
    let mut titles = ada.titles(NOTES).await;
    titles.sort();
    assert_eq!(titles, ["b (conflict)", "theirs"]);
    app.finish().await;
}

/// Also where the plan has no room for the copy.
#[tokio::test]
async fn an_edit_on_top_of_one_that_was_refused_replaces_nothing() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    for n in 1..=20 {
        ada.note(&json!({"id": uuid(n), "title": "old"})).await;
    }
    let path = format!("{NOTES}{}/", uuid(1));
    ada.send("PATCH", &path, &json!({"title": "older"})).await;
    ada.send("PATCH", &path, &json!({"title": "theirs"})).await;

    let results = ada.batch(&chained(&[Some("a"), Some("b")])).await;

    assert_eq!(statuses(&results), ["error", "error"]);
    assert_eq!(results[1]["code"], "note_limit_reached");
    assert_eq!(ada.get(&path).await.json()["title"], "theirs");
    app.finish().await;
}

/// The same edits twice are one thing; others' between them another.
#[tokio::test]
async fn edits_on_top_of_one_another_sent_again_over_the_edit_of_others_are_kept_beside_it() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let path = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    ada.send("PATCH", &path, &json!({"title": "older"})).await;
    let edits = chained(&[Some("a"), Some("b")]);
    ada.batch(&edits).await;
    ada.send("PATCH", &path, &json!({"title": "theirs"})).await;

    ada.batch(&edits).await;

    let mut titles = ada.titles(NOTES).await;
    titles.sort();
    assert_eq!(titles, ["a (conflict)", "b (conflict)", "theirs"]);
    app.finish().await;
}
