//! Each edit by itself: what comes of it, and why it is refused.

use serde_json::{Value, json};

use super::statuses;
use crate::support::{BATCH, NOTES, Person, TestApp, deletion, path_of, upsert, uuid};

#[tokio::test]
async fn each_edit_has_a_result_in_its_place_that_says_what_came_of_it() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;

    let results = ada
        .batch(&[
            upsert(
                &uuid(1).to_uppercase(),
                None,
                &json!({"title": "Milk", "tags": ["shop"]}),
            ),
            upsert(&uuid(1), Some(1), &json!({"title": "Bread"})),
            upsert(&uuid(1), Some(2), &json!({"title": "Bread"})),
            upsert(&uuid(2), None, &json!({"content": "two"})),
            deletion(&uuid(2), Some(1)),
            deletion(&uuid(2), Some(2)),
            deletion(&uuid(3), None),
        ])
        .await;

    assert_eq!(
        statuses(&results),
        [
            "created",
            "updated",
            "unchanged",
            "created",
            "deleted",
            "unchanged",
            "unchanged"
        ]
    );
    let named: Vec<_> = results
        .iter()
        .map(|result| result["id"].as_str().unwrap())
        .collect();
    assert_eq!(named, [1, 1, 1, 2, 2, 2, 3].map(uuid));
    assert_eq!(
        (&results[0]["note"]["version"], &results[0]["note"]["title"]),
        (&json!(1), &json!("Milk"))
    );
    // What is not named is as in an empty note.
    assert_eq!(
        (&results[1]["note"]["version"], &results[1]["note"]["tags"]),
        (&json!(2), &json!([]))
    );
    assert_eq!(results[2]["note"], results[1]["note"]);
    assert_eq!(
        ada.get(NOTES).await.json()["results"],
        json!([results[1]["note"]])
    );
    assert_eq!(
        ada.get("/api/notes/?trashed=true").await.json()["results"][0]["id"],
        uuid(2)
    );
    app.finish().await;
}

#[tokio::test]
async fn one_bad_edit_among_good_ones_fails_alone_with_its_field_named() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let with = |field: &str, value: Value| {
        let mut edit = upsert(&uuid(99), None, &json!({"title": "never"}));
        edit[field] = value;
        edit
    };
    let bad = [
        (json!(null), "non_field_errors"),
        (json!("upsert"), "non_field_errors"),
        (json!([]), "non_field_errors"),
        (json!({}), "id"),
        (json!({"op": "upsert", "note": {"title": "t"}}), "id"),
        (with("id", json!(null)), "id"),
        (with("id", json!(7)), "id"),
        (with("id", json!("x")), "id"),
        (with("id", json!("\0".repeat(36))), "id"),
        (with("op", json!(null)), "op"),
        (with("op", json!("UPSERT")), "op"),
        (with("op", json!(["upsert"])), "op"),
        (with("base_version", json!("1")), "base_version"),
        (with("base_version", json!(-1)), "base_version"),
        (with("base_version", json!(1.5)), "base_version"),
        (with("base_version", json!(u64::MAX)), "base_version"),
        (with("base_version", json!([])), "base_version"),
        (with("note", json!(null)), "note"),
        (with("note", json!("text")), "note"),
        (with("note", json!([{"title": "t"}])), "note"),
        (with("note", json!({})), "content"),
        (with("note", json!({"title": 1})), "title"),
        (with("note", json!({"title": "a\0"})), "title"),
        (json!({"op": "upsert", "id": uuid(99)}), "content"),
        (
            json!({"op": "delete", "id": uuid(99), "base_version": true}),
            "base_version",
        ),
    ];
    let mut edits = Vec::new();
    for (n, (edit, _)) in bad.iter().enumerate() {
        edits.push(edit.clone());
        edits.push(upsert(
            &uuid(n as u64 % 20),
            None,
            &json!({"title": format!("good {}", n % 20)}),
        ));
    }

    let results = ada.batch(&edits).await;

    assert_eq!(results.len(), edits.len());
    for (pair, (edit, field)) in results.chunks(2).zip(&bad) {
        assert_eq!(
            (&pair[0]["status"], &pair[0]["code"]),
            (&json!("error"), &json!("invalid")),
            "{edit}"
        );
        let fields: Vec<_> = pair[0]["fields"].as_object().unwrap().keys().collect();
        assert_eq!(fields, [field], "{edit}");
        assert!(pair[0]["error"].is_string() && pair[0].get("note").is_none());
        let good = pair[1]["status"].as_str().unwrap();
        assert!(["created", "unchanged"].contains(&good), "{}", pair[1]);
    }
    assert_eq!(ada.get(NOTES).await.json()["count"], 20);
    app.finish().await;
}

#[tokio::test]
async fn half_of_a_surrogate_pair_spoils_its_own_edit_alone() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let (one, two, three) = (uuid(1), uuid(2), uuid(3));
    let body = format!(
        r#"{{"edits":[{{"op":"upsert","id":"{one}","note":{{"title":"t","tags":["a\ud800"]}}}},
            {{"op":"upsert","id":"{two}","note":{{"title":"fine"}}}},
            {{"op":"upsert","id":"{three}\udc00","note":{{"title":"t"}}}}]}}"#
    );

    let answer = ada.post_raw(BATCH, "application/json", body).await;

    let answer = answer.json();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(statuses(results), ["error", "created", "error"]);
    assert!(results[0]["fields"]["tags"].is_array(), "{}", results[0]);
    assert!(results[2]["fields"]["id"].is_array(), "{}", results[2]);
    assert_eq!(ada.titles(NOTES).await, ["fine"]);
    app.finish().await;
}

#[tokio::test]
async fn a_full_plan_refuses_what_would_be_one_more_and_nothing_else() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    for n in 1..=21 {
        ada.note(&json!({"id": uuid(n), "title": "old"})).await;
        if n == 1 {
            ada.delete(&format!("{NOTES}{}/", uuid(1))).await;
        }
    }
    ada.send(
        "PATCH",
        &format!("{NOTES}{}/", uuid(2)),
        &json!({"title": "theirs"}),
    )
    .await;
    let theirs = ada.get(&format!("{NOTES}{}/", uuid(2))).await.json();

    let results = ada
        .batch(&[
            upsert(&uuid(2), Some(1), &json!({"title": "mine"})),
            upsert(&uuid(30), None, &json!({"title": "new"})),
            upsert(&uuid(1), Some(1), &json!({"title": "out of the trash"})),
            upsert(&uuid(3), Some(1), &json!({"title": "edited"})),
            upsert(&uuid(4), None, &json!({"title": "old"})),
            deletion(&uuid(5), Some(1)),
            upsert(&uuid(31), None, &json!({"title": "into the gap"})),
            upsert(&uuid(32), None, &json!({"title": "too many again"})),
        ])
        .await;

    assert_eq!(
        statuses(&results),
        [
            "error",
            "error",
            "error",
            "updated",
            "unchanged",
            "deleted",
            "created",
            "error"
        ]
    );
    for refused in [0, 1, 2, 7] {
        let refused = &results[refused];
        assert_eq!(refused["code"], "note_limit_reached");
        let words = refused["error"].as_str().unwrap();
        assert!(
            words.starts_with("The free plan holds 20 notes. "),
            "{words}"
        );
    }
    assert_eq!(
        ada.get(&format!("{NOTES}{}/", uuid(2))).await.json(),
        theirs
    );
    assert_eq!(ada.get(NOTES).await.json()["count"], 20);
    app.finish().await;
}

/// OWASP ASVS 5.0 8.2.2.
#[tokio::test]
async fn the_notes_of_others_are_neither_written_nor_deleted_nor_told_of() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let eve = app.member(&Person::new("eve")).await;
    ada.note(&json!({"id": uuid(1), "title": "live"})).await;
    let trashed = path_of(&ada.note(&json!({"id": uuid(2), "title": "trashed"})).await);
    ada.delete(&trashed).await;
    let before = app.rows().await.of_notes().await;

    for n in [1, 2] {
        for base in [None, Some(1), Some(2)] {
            let results = eve
                .batch(&[
                    upsert(&uuid(n), base, &json!({"title": "live"})),
                    deletion(&uuid(n), base),
                ])
                .await;

            assert_eq!(
                results,
                [
                    json!({"id": uuid(n), "status": "error", "error": "Another note has this id.", "code": "taken"}),
                    json!({"id": uuid(n), "status": "unchanged"}),
                ]
            );
        }
    }
    assert_eq!(app.rows().await.of_notes().await, before);
    app.finish().await;
}

#[tokio::test]
async fn a_hundred_edits_are_taken_and_no_more() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let edits: Vec<_> = (0..101)
        .map(|n| upsert(&uuid(n), None, &json!({"title": n.to_string()})))
        .collect();
    let before = app.rows().await.of_notes().await;

    let more = ada.post(BATCH, &json!({"edits": edits})).await;
    more.assert_refused("edits", "Ensure this field has no more than 100 elements.");
    assert_eq!(app.rows().await.of_notes().await, before);
    let results = ada.batch(&edits[..100]).await;

    assert!(results.iter().all(|result| result["status"] == "created"));
    assert_eq!(results.len(), 100);
    assert_eq!(ada.batch(&[]).await, Vec::<Value>::new());
    for (body, message) in [
        (json!({}), "This field is required."),
        (json!({"edits": null}), "Expected a list of items."),
        (json!({"edits": {}}), "Expected a list of items."),
        (json!({"edits": "x"}), "Expected a list of items."),
        (json!({"edits": 1}), "Expected a list of items."),
    ] {
        ada.post(BATCH, &body)
            .await
            .assert_refused("edits", message);
    }
    app.finish().await;
}
