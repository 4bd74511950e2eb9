//! `POST /api/notes/batch/`: edits that were made offline, each on its own; what two sides changed is kept twice.

mod chains;
mod devices;
mod edits;
mod large;
mod misplaced;
mod trashed;

use serde_json::{Value, json};

use crate::support::{NOTES, Person, TestApp, deletion, path_of, upsert, uuid};

fn statuses(results: &[Value]) -> Vec<&str> {
    let statuses = results
        .iter()
        .map(|result| result["status"].as_str().unwrap());
    statuses.collect()
}

#[tokio::test]
async fn an_edit_of_a_version_that_is_no_more_becomes_a_copy_and_the_note_stays() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let long = "🦀".repeat(200);
    for (n, base, title, marked) in [
        (1, Some(1), "Milk", "Milk (conflict)"),
        (2, None, "", "(conflict)"),
        (3, Some(7), "Milk ", "Milk  (conflict)"),
        (
            4,
            Some(0),
            &long,
            &format!("{} (conflict)", "🦀".repeat(189)),
        ),
    ] {
        let path = path_of(&ada.note(&json!({"id": uuid(n), "title": "theirs"})).await);
        ada.send("PATCH", &path, &json!({"content": "newer"})).await;
        let theirs = ada.get(&path).await.json();
        let mine = json!({
            "title": title, "content": "mine", "tags": ["a"], "is_pinned": true, "is_archived": true,
        });

        let result = ada.batch(&[upsert(&uuid(n), base, &mine)]).await.remove(0);

        assert_eq!(
            (&result["status"], &result["id"]),
            (&json!("conflict"), &json!(uuid(n)))
        );
        assert_eq!(result["note"], theirs);
        assert_eq!(ada.get(&path).await.json(), theirs);
        let copy = &result["copy"];
        assert_eq!(ada.get(&path_of(copy)).await.json(), *copy);
        assert_eq!(
            (&copy["conflict_of"], &copy["title"]),
            (&json!(uuid(n)), &json!(marked))
        );
        assert_eq!(copy["version"], 1);
        for field in ["content", "tags", "is_pinned", "is_archived"] {
            assert_eq!(copy[field], mine[field], "{field}");
        }
    }
    assert_eq!(ada.get(NOTES).await.json()["count"], 8);
    app.finish().await;
}

#[tokio::test]
async fn an_edit_that_says_what_the_note_says_is_no_conflict() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let note = json!({"title": "Milk", "tags": ["a", "b"]});
    let path = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    ada.send("PUT", &path, &note).await;

    for base in [None, Some(0), Some(1), Some(2), Some(9)] {
        let result = ada.batch(&[upsert(&uuid(1), base, &note)]).await.remove(0);
        assert_eq!(
            (&result["status"], &result["note"]["version"]),
            (&json!("unchanged"), &json!(2)),
            "{base:?}"
        );
    }
    let other_order = json!({"title": "Milk", "tags": ["b", "a"]});
    let result = ada
        .batch(&[upsert(&uuid(1), Some(1), &other_order)])
        .await
        .remove(0);
    assert_eq!(result["status"], "conflict");
    app.finish().await;
}

#[tokio::test]
async fn what_was_deleted_meanwhile_lives_on_as_it_was_edited() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let trashed = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    let gone = path_of(&ada.note(&json!({"id": uuid(2), "title": "old"})).await);
    let as_it_was = path_of(&ada.note(&json!({"id": uuid(3), "title": "old"})).await);
    ada.delete(&trashed).await;
    ada.delete(&gone).await;
    ada.delete(&format!("{gone}?permanent=true")).await;
    ada.delete(&as_it_was).await;

    let results = ada
        .batch(&[
            upsert(&uuid(1), Some(1), &json!({"title": "edited"})),
            upsert(&uuid(2), Some(1), &json!({"title": "edited"})),
            upsert(&uuid(3), Some(1), &json!({"title": "old"})),
        ])
        .await;

    assert_eq!(statuses(&results), ["updated", "created", "updated"]);
    let versions: Vec<_> = results
        .iter()
        .map(|result| result["note"]["version"].as_i64().unwrap())
        .collect();
    assert_eq!(versions, [3, 4, 3]);
    assert_eq!(ada.get(&trashed).await.json()["title"], "edited");
    assert_eq!(ada.get(NOTES).await.json()["count"], 3);
    app.finish().await;
}

#[tokio::test]
async fn a_deletion_of_a_version_that_is_no_more_deletes_nothing() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    ada.send("PATCH", &path, &json!({"title": "newer"})).await;
    let newer = ada.get(&path).await.json();

    for base in [0, 1, 3] {
        let result = ada.batch(&[deletion(&uuid(1), Some(base))]).await.remove(0);
        assert_eq!(
            (&result["status"], &result["note"]),
            (&json!("conflict"), &newer),
            "{base}"
        );
        assert!(result.get("copy").is_none());
    }
    assert_eq!(ada.get(&path).await.json(), newer);
    let result = ada.batch(&[deletion(&uuid(1), Some(2))]).await.remove(0);
    assert_eq!(result["status"], "deleted");
    assert_eq!(ada.get(&path).await.status, 404);
    app.finish().await;
}

/// The answer may be lost on its way: whoever sends the same again finds everything as it was.
#[tokio::test]
async fn the_same_batch_sent_again_changes_nothing() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    for n in 1..=5 {
        ada.note(&json!({"id": uuid(n), "title": "old"})).await;
    }
    for n in 1..=3 {
        let path = format!("{NOTES}{}/", uuid(n));
        ada.send("PATCH", &path, &json!({"content": "theirs"}))
            .await;
    }
    ada.delete(&format!("{NOTES}{}/", uuid(5))).await;
    let edits = [
        upsert(&uuid(1), Some(1), &json!({"title": "mine"})),
        upsert(&uuid(2), Some(2), &json!({"title": "mine"})),
        deletion(&uuid(3), Some(1)),
        deletion(&uuid(4), Some(1)),
        upsert(&uuid(5), Some(1), &json!({"title": "mine"})),
        upsert(&uuid(6), None, &json!({"title": "new"})),
        upsert(&uuid(7), None, &json!({"title": "made and deleted"})),
        deletion(&uuid(7), None),
        upsert(&uuid(8), None, &json!({"title": "made and deleted"})),
        deletion(&uuid(8), Some(1)),
        json!({"op": "nonsense"}),
    ];
    let first = ada.batch(&edits).await;
    assert_eq!(
        statuses(&first),
        [
            "conflict", "updated", "conflict", "deleted", "updated", "created", "created",
            "deleted", "created", "deleted", "error",
        ]
    );
    let before = app.rows().await.of_notes().await;
    let (_, cursor) = ada.changes_after(None, 100).await;

    for _ in 0..2 {
        let again = ada.batch(&edits).await;
        let (changes, _) = ada.changes_after(Some(&cursor), 100).await;

        assert_eq!(app.rows().await.of_notes().await, before);
        assert_eq!(changes, Vec::<Value>::new());
        assert_eq!(again[0], first[0], "the same conflict with the same copy");
        assert_eq!(again[1]["status"], "unchanged");
    }
    app.finish().await;
}

#[tokio::test]
async fn the_copy_that_was_deleted_is_not_made_again_by_the_same_batch() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    ada.send("PATCH", &path, &json!({"title": "theirs"})).await;
    let edits = [upsert(&uuid(1), Some(1), &json!({"title": "mine"}))];
    let first = ada.batch(&edits).await.remove(0);
    let copy = path_of(&first["copy"]);

    ada.delete(&copy).await;
    let trashed = ada.batch(&edits).await.remove(0);
    ada.delete(&format!("{copy}?permanent=true")).await;
    let before = app.rows().await.of_notes().await;
    let gone = ada.batch(&edits).await.remove(0);

    assert_eq!(trashed["copy"]["id"], first["copy"]["id"]);
    assert!(trashed["copy"]["trashed_at"].is_string(), "{trashed}");
    assert_eq!(
        gone,
        json!({"id": uuid(1), "status": "conflict", "note": first["note"]})
    );
    assert_eq!(app.rows().await.of_notes().await, before);
    let another = [upsert(&uuid(1), Some(1), &json!({"title": "mine, too"}))];
    assert!(ada.batch(&another).await[0]["copy"].is_object());
    app.finish().await;
}

#[tokio::test]
async fn twenty_same_batches_at_once_make_one_copy() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = path_of(&ada.note(&json!({"id": uuid(1), "title": "old"})).await);
    ada.send("PATCH", &path, &json!({"title": "theirs"})).await;
    let edits = [upsert(&uuid(1), Some(1), &json!({"title": "mine"}))];

    let all = futures_util::future::join_all((0..20).map(|_| ada.batch(&edits))).await;

    let copies: std::collections::HashSet<_> = all
        .iter()
        .map(|results| results[0]["copy"]["id"].to_string())
        .collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(ada.get(NOTES).await.json()["count"], 2);
    app.finish().await;
}
