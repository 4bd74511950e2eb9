//! Fields in the wrong place of a batch: which they are, and where they belong, is said.

use serde_json::{Value, json};

use crate::support::{BATCH, NOTES, Person, TestApp, upsert, uuid};

#[tokio::test]
async fn fields_of_an_edit_or_of_a_note_beside_no_edits_are_named() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let body = json!({
        "op": "upsert", "id": uuid(1), "base_version": 1, "note": {}, "title": "t", "device": "12345678",
    });

    let answer = ada.post(BATCH, &body).await;

    assert_eq!(answer.status, 400);
    let errors = answer.json();
    let errors = errors.as_object().unwrap();
    assert_eq!(errors["edits"], json!(["This field is required."]));
    for field in ["op", "id", "base_version", "note", "title"] {
        let message = errors[field][0].as_str().unwrap();
        assert!(
            message.contains(r#"{"edits": [{"op": "upsert","#),
            "{message}"
        );
    }
    assert_eq!(errors.len(), 6, "{errors:?}");
    app.finish().await;
}

#[tokio::test]
async fn fields_of_a_note_in_an_edit_without_one_are_named() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let flat = json!({"op": "upsert", "id": uuid(1), "title": "t", "tags": []});
    let mut with_device = upsert(&uuid(1), None, &json!({"title": "t"}));
    with_device["device"] = json!("12345678");

    let results = ada.batch(&[flat, with_device]).await;

    let fields = |n: usize| results[n]["fields"].as_object().unwrap().clone();
    assert_eq!(
        Value::from(fields(0)),
        json!({
            "title": [r#"Belongs into `note`: {"note": {"title": …}}."#],
            "tags": [r#"Belongs into `note`: {"note": {"tags": …}}."#],
        })
    );
    assert_eq!(
        Value::from(fields(1)),
        json!({"device": ["Belongs beside `edits`, once for all of them."]})
    );
    assert_eq!(ada.get(NOTES).await.json()["count"], 0);
    app.finish().await;
}
