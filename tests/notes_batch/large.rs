//! Batches whose answers would be large: the edits that find no room are sent again in another batch.

use serde_json::{Value, json};

use super::statuses;
use crate::support::{BATCH, Client, NOTES, Person, TestApp, deletion, path_of, upsert, uuid};

const MIB: usize = 1024 * 1024;

/// A user with a long note, six bytes of an answer for each of its characters, that others have changed since.
async fn with_a_long_note(app: &TestApp) -> Client {
    let ada = app.member(&Person::new("ada")).await;
    let long = json!({"id": uuid(1), "title": "long", "content": "\u{1}".repeat(100_000)});
    let path = path_of(&ada.note(&long).await);
    let changed = ada.send("PATCH", &path, &json!({"title": "longer"})).await;
    assert_eq!(changed.status, 200);
    ada
}

/// Edits that answer with more than there is room for.
fn too_much() -> Vec<Value> {
    vec![deletion(&uuid(1), Some(0)); 10]
}

#[tokio::test]
async fn past_4_mib_of_answer_edits_are_not_tried() {
    let app = TestApp::start().await;
    let ada = with_a_long_note(&app).await;
    let stale = vec![deletion(&uuid(1), Some(0)); 98];
    let new = [
        upsert(&uuid(2), None, &json!({"title": "new"})),
        json!({"op": "upsert", "id": uuid(3), "note": {"title": 7}}),
    ];
    let edits = [&stale[..], &new[..]].concat();

    let answer = ada.post(BATCH, &json!({ "edits": edits })).await;

    assert!(
        (4 * MIB..5 * MIB).contains(&answer.body.len()),
        "{}",
        answer.body.len()
    );
    let results = answer.json()["results"].take();
    let results: Vec<Value> = serde_json::from_value(results).unwrap();
    let tried = results
        .iter()
        .take_while(|result| result["status"] == "conflict");
    let tried = tried.count();
    assert!((1..98).contains(&tried), "{tried}");
    assert!(
        results[..tried]
            .iter()
            .all(|result| result["note"]["title"] == "longer")
    );
    for (n, result) in results.iter().enumerate().skip(tried) {
        let id = uuid(n.saturating_sub(96).max(1) as u64);
        assert_eq!(
            result,
            &json!({"id": id, "status": "error", "code": "answer_too_large",
                    "error": "The answer is too large. Send this edit again in another batch."})
        );
    }
    let again = ada.batch(&new).await;
    assert_eq!(statuses(&again), ["created", "error"]);
    assert_eq!(again[1]["code"], "invalid");
    app.finish().await;
}

/// Sent again by itself, it would be taken for an edit of the version that others have made, and write over that.
#[tokio::test]
async fn an_edit_on_one_that_was_refused_is_tried_without_room_as_well() {
    let app = TestApp::start().await;
    let ada = with_a_long_note(&app).await;
    let path = path_of(&ada.note(&json!({"id": uuid(2), "title": "first"})).await);
    let theirs = ada
        .send("PATCH", &path, &json!({"title": "theirs"}))
        .await
        .json();
    let mut edits = vec![upsert(&uuid(2), Some(1), &json!({"title": "mine"}))];
    edits.extend(too_much());
    edits.push(upsert(&uuid(2), Some(2), &json!({"title": "mine again"})));
    edits.push(upsert(&uuid(2), Some(3), &json!({"title": "and again"})));
    edits.push(upsert(&uuid(3), None, &json!({"title": "another"})));

    let results = ada.batch(&edits).await;

    let [.., again, and_again, another] = &results[..] else {
        panic!("{results:?}");
    };
    for (result, title) in [
        (again, "mine again (conflict)"),
        (and_again, "and again (conflict)"),
    ] {
        assert_eq!(result["status"], "conflict", "{result}");
        assert_eq!(result["copy"]["title"], title);
        assert!(result.get("note").is_none());
    }
    assert_eq!(another["code"], "answer_too_large");
    assert_eq!(ada.get(&path).await.json(), theirs);
    assert_eq!(ada.get(&format!("{NOTES}{}/", uuid(3))).await.status, 404);
    app.finish().await;
}

/// Sent again by itself, it would pass for an edit that was deleted since.
#[tokio::test]
async fn an_edit_that_undoes_a_deletion_is_tried_without_room_as_well() {
    let app = TestApp::start().await;
    let ada = with_a_long_note(&app).await;
    let path = path_of(&ada.note(&json!({"id": uuid(2), "title": "kept"})).await);
    let mut edits = vec![deletion(&uuid(2), Some(1))];
    edits.extend(too_much());
    edits.push(upsert(&uuid(2), None, &json!({"title": "kept"})));

    let results = ada.batch(&edits).await;

    assert_eq!(results[11]["status"], "updated", "{}", results[11]);
    assert_eq!(ada.get(&path).await.json()["title"], "kept");
    app.finish().await;
}
