//! Every value that no note has is refused with its field named.

use serde_json::json;

use super::{NO_UUID, NOT_BOOL, NOT_LIST, NOT_TEXT, NUL, send_raw};
use crate::support::{BATCH, NOTES, Person, TestApp, upsert, uuid};

fn half(code: &str) -> String {
    format!("Surrogate characters are not allowed: U+{code}.")
}

fn at_most(characters: usize) -> String {
    format!("Ensure this field has no more than {characters} characters.")
}

/// A JSON list of so many times the same.
fn list(item: &str, times: usize) -> String {
    format!("[{}]", vec![item; times].join(","))
}

/// Fields with values that no note has, as JSON, and what is said of them.
fn wrong_values() -> Vec<(&'static str, String, String)> {
    let text = |length: usize, character: &str| format!("\"{}\"", character.repeat(length));
    let mut wrong = Vec::new();
    for (field, most) in [("title", 200), ("content", 100_000)] {
        for value in ["null", "1", "-1.5", "true", "[]", "{}", "[\"a\"]"] {
            wrong.push((field, value.to_owned(), NOT_TEXT.to_owned()));
        }
        wrong.push((field, r#""a\u0000""#.to_owned(), NUL.to_owned()));
        wrong.push((field, r#""a\ud800b""#.to_owned(), half("D800")));
        wrong.push((field, r#""\udc00\ud800""#.to_owned(), half("DC00")));
        for character in ["a", "é", "🦀", "\\ud83e\\udd80"] {
            wrong.push((field, text(most + 1, character), at_most(most)));
        }
    }
    for value in ["null", "1", "false", "\"a\"", "{}", "{\"0\":\"a\"}"] {
        wrong.push(("tags", value.to_owned(), NOT_LIST.to_owned()));
    }
    for item in ["null", "1", "true", "[]", "{}"] {
        wrong.push(("tags", format!("[\"a\",{item}]"), NOT_TEXT.to_owned()));
    }
    for item in ["\"\"", "\" \\t\"", "\"\\u2003\""] {
        wrong.push(("tags", list(item, 1), "A tag may not be blank.".to_owned()));
    }
    let many = "Ensure this field has no more than 20 elements.";
    wrong.push(("tags", list("\"a\"", 21), many.to_owned()));
    wrong.push(("tags", list(&text(51, "é"), 1), at_most(50)));
    wrong.push(("tags", list(r#""a\u0000""#, 1), NUL.to_owned()));
    wrong.push(("tags", r#"["a","b\udfff"]"#.to_owned(), half("DFFF")));
    for field in ["is_pinned", "is_archived"] {
        for value in [
            "null", "0", "1", "\"true\"", "\"yes\"", "\"\"", "[true]", "{}",
        ] {
            wrong.push((field, value.to_owned(), NOT_BOOL.to_owned()));
        }
    }
    wrong
}

/// What a refusal that is too long to be shown begins with.
fn short(value: &str) -> &str {
    value.get(..60).unwrap_or(value)
}

#[tokio::test]
async fn every_value_that_no_note_has_is_refused_with_its_field_on_every_route() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = ada.note_path("Milk").await;
    let absent = format!("{NOTES}{}/", uuid(9));
    let before = app.rows().await.of_notes().await;

    for (field, value, message) in wrong_values() {
        let body = format!(r#"{{"title":"t","content":"c","{field}":{value}}}"#);
        let refusal = json!({ field: [message] });
        for (method, path) in [
            ("POST", NOTES),
            ("PUT", &path),
            ("PUT", &absent),
            ("PATCH", &path),
        ] {
            let answer = send_raw(&ada, method, path, &body).await;
            assert_eq!(answer.status, 400, "{method} {field} {}", short(&value));
            assert_eq!(answer.json(), refusal, "{method} {field} {}", short(&value));
        }
        let edit = format!(r#"{{"op":"upsert","id":"{}","note":{body}}}"#, uuid(9));
        let answer = send_raw(&ada, "POST", BATCH, &format!(r#"{{"edits":[{edit}]}}"#)).await;
        assert_eq!(answer.status, 200, "{field} {}", short(&value));
        let result = &answer.json()["results"][0];
        assert_eq!(
            (&result["status"], &result["fields"]),
            (&json!("error"), &refusal),
            "{field} {}",
            short(&value)
        );
    }

    assert_eq!(app.rows().await.of_notes().await, before);
    app.finish().await;
}

#[tokio::test]
async fn an_identifier_that_is_none_is_refused_in_the_body() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let bare = uuid(1).replace('-', "");

    for id in [
        json!(1),
        json!(true),
        json!([uuid(1)]),
        json!({}),
        json!(""),
        json!("1"),
        json!(bare),
        json!(format!("{{{}}}", uuid(1))),
        json!(format!("urn:uuid:{}", uuid(1))),
        json!(format!(" {}", uuid(1))),
        json!(uuid(1).replace('0', "g")),
        json!(format!("{}\0", &uuid(1)[..35])),
        json!("é".repeat(18)),
    ] {
        let answer = ada.post(NOTES, &json!({"id": id, "title": "t"})).await;
        answer.assert_refused("id", NO_UUID);
    }
    let answer = send_raw(&ada, "POST", NOTES, r#"{"id":"\ud800","title":"t"}"#).await;
    answer.assert_refused("id", NO_UUID);
    assert_eq!(ada.get(NOTES).await.json()["count"], 0);
    app.finish().await;
}

#[tokio::test]
async fn an_identifier_that_is_none_is_refused_in_the_path() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let bare = uuid(1).replace('-', "");
    let long = "0".repeat(2000);

    for id in [
        "1", "x", "%20", "%00", "%C3%A9", "..", "me", "null", &bare, &long,
    ] {
        let path = format!("{NOTES}{id}/");
        for (method, path) in [
            ("GET", path.clone()),
            ("PUT", path.clone()),
            ("PATCH", path.clone()),
            ("DELETE", path.clone()),
            ("POST", format!("{path}restore/")),
        ] {
            let answer = ada.send(method, &path, &json!({"title": "t"})).await;
            answer.assert_refused("id", NO_UUID);
        }
    }
    // What is no text is no path of ours.
    assert_eq!(ada.get(&format!("{NOTES}%ff/")).await.status, 404);
    app.finish().await;
}

#[tokio::test]
async fn all_that_is_wrong_is_named_at_once() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;

    let answer = ada
        .post(
            NOTES,
            &json!({"id": 1, "title": 1, "content": 1, "tags": 1, "is_pinned": 1, "is_archived": 1}),
        )
        .await;

    let body = answer.json();
    let mut named: Vec<_> = body.as_object().unwrap().keys().collect();
    named.sort();
    assert_eq!(answer.status, 400);
    assert_eq!(
        named,
        ["content", "id", "is_archived", "is_pinned", "tags", "title"]
    );
    app.finish().await;
}

#[tokio::test]
async fn a_note_of_nothing_but_white_space_is_refused() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = ada.note_path("Milk").await;

    for note in [
        json!({}),
        json!({"tags": ["a"], "is_pinned": true}),
        json!({"title": " \u{a0}\u{2003}", "content": "\r\n\t"}),
    ] {
        for (method, path) in [("POST", NOTES), ("PUT", &path)] {
            let answer = ada.send(method, path, &note).await;
            answer.assert_refused("content", "A note needs a title or a content.");
        }
        let results = ada.batch(&[upsert(&uuid(1), None, &note)]).await;
        assert!(results[0]["fields"]["content"].is_array(), "{}", results[0]);
    }
    let nothing = ada.request("POST", NOTES).send().await;
    nothing.assert_refused("content", "A note needs a title or a content.");
    app.finish().await;
}
