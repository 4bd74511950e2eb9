//! The longest note that is read, what else may stand in a body, and which bodies hold no note.

use serde_json::json;

use super::{NOT_BOOL, NOT_LIST, NUL, send_raw};
use crate::support::{BATCH, NOTES, Person, TestApp, path_of, upsert, uuid};

/// Lengths are code points: neither bytes nor what looks like one character.
#[tokio::test]
async fn the_longest_note_is_taken_in_characters_of_any_size() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;

    for character in ["a", "é", "🦀", "\u{301}"] {
        let note = json!({
            "title": character.repeat(200),
            "content": format!("a{}", character.repeat(99_999)),
            "tags": (10..30).map(|n| format!("{}{n}", character.repeat(48))).collect::<Vec<_>>(),
        });
        let made = ada.note(&note).await;
        let shown = ada.get(&path_of(&made)).await.json();

        for field in ["title", "content", "tags"] {
            assert_eq!(shown[field], note[field], "{field} of {character}");
        }
        let patch = json!({"content": character.repeat(100_000)});
        let answer = ada.send("PATCH", &path_of(&made), &patch).await;
        assert_eq!(answer.status, 200, "{character}");
        assert_eq!(answer.json()["content"], patch["content"]);
    }
    app.finish().await;
}

#[tokio::test]
async fn the_longest_content_is_taken_with_each_character_as_two_escapes() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let escaped = "\\ud83e\\udd80".repeat(100_000);
    let content = "🦀".repeat(100_000);
    let note = format!(r#"{{"content":"{escaped}"}}"#);
    let path = format!("{NOTES}{}/", uuid(1));

    let made = ada.post_raw(NOTES, "application/json", note.clone()).await;
    let put = send_raw(&ada, "PUT", &path, &note).await;
    let edit = format!(
        r#"{{"edits":[{{"op":"upsert","id":"{}","note":{note}}}]}}"#,
        uuid(2)
    );
    let merged = ada.post_raw(BATCH, "application/json", edit).await;

    assert_eq!((made.status, put.status), (201, 201));
    assert_eq!(made.json()["content"], content.as_str());
    assert_eq!(put.json()["content"], content.as_str());
    let merged = &merged.json()["results"][0];
    assert_eq!(merged["note"]["content"], content.as_str());
    app.finish().await;
}

#[tokio::test]
async fn a_body_of_two_mebibytes_is_read_and_no_byte_more() {
    const MOST: usize = 2 * 1024 * 1024;
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = ada.note_path("Milk").await;
    // White space after the document, and nothing wrong with it.
    let body = |bytes: usize| {
        let document = r#"{"title":"Milk","edits":[]}"#;
        format!("{document}{}", " ".repeat(bytes - document.len()))
    };

    for (method, path) in [
        ("POST", NOTES),
        ("PUT", &path),
        ("PATCH", &path),
        ("POST", BATCH),
    ] {
        let most = send_raw(&ada, method, path, &body(MOST)).await;
        let more = send_raw(&ada, method, path, &body(MOST + 1)).await;

        assert!(most.status < 300, "{method} {path} {}", most.status);
        assert_eq!(more.status, 413, "{method} {path}");
    }
    let profile = send_raw(&ada, "PATCH", "/api/auth/me/", &body(64 * 1024 + 1)).await;
    assert_eq!(profile.status, 413);
    app.finish().await;
}

/// RFC 9110, section 15.5.16: what is compressed is not taken for JSON that is broken.
#[tokio::test]
async fn a_compressed_body_is_refused_as_one_and_an_identical_one_is_read() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let note = r#"{"title":"Milk"}"#;

    for coding in ["gzip", "br", "identity, gzip", "x"] {
        let client = ada.with("Content-Encoding", coding);
        let answer = client.post_raw(NOTES, "application/json", note).await;

        let code = answer.field("code");
        assert_eq!(
            (answer.status, code.as_str()),
            (415, "unsupported_content_encoding")
        );
        assert_eq!(answer.header("accept-encoding"), "identity", "{coding}");
    }
    for coding in ["identity", ""] {
        let client = ada.with("Content-Encoding", coding);
        let answer = client.post_raw(NOTES, "application/json", note).await;

        assert_eq!(answer.status, 201, "{coding}: {}", answer.shown());
    }
    app.finish().await;
}

/// RFC 8259, section 8.1, and RFC 7396.
#[tokio::test]
async fn json_may_begin_with_a_byte_order_mark_and_be_called_a_merge_patch() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;

    let marked = "\u{feff}{\"title\":\"Milk\"}";
    let made = ada.post_raw(NOTES, "application/json", marked).await;
    let path = path_of(&made.json());
    let request = ada.request("PATCH", &path);
    let request = request.header("Content-Type", "application/merge-patch+json");
    let patched = request.body(r#"{"is_pinned":true}"#).send().await;
    let options = ada.request("OPTIONS", &path).send().await;
    let others = ada.request("OPTIONS", NOTES).send().await;

    assert_eq!((made.status, &made.json()["title"]), (201, &json!("Milk")));
    assert_eq!(patched.status, 200, "{}", patched.shown());
    assert_eq!(patched.json()["is_pinned"], true);
    assert_eq!(
        options.header("accept-patch"),
        "application/json, application/merge-patch+json"
    );
    assert_eq!(others.header("accept-patch"), "");
    app.finish().await;
}

/// What Python, .NET, and browsers write, and the names that libraries give to the items of a list.
#[tokio::test]
async fn a_form_says_what_json_can() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let form = async |body: &str| {
        let media = "application/x-www-form-urlencoded";
        let answer = ada.post_raw(NOTES, media, body.to_owned()).await;
        assert_eq!(answer.status, 201, "{body}: {}", answer.shown());
        answer.json()
    };

    for (word, flag) in [
        ("true", true),
        ("True", true),
        ("1", true),
        ("on", true),
        ("YES", true),
        ("false", false),
        ("False", false),
        ("0", false),
        ("off", false),
        ("no", false),
    ] {
        assert_eq!(
            form(&format!("title=a&is_pinned={word}")).await["is_pinned"],
            flag,
            "{word}"
        );
        let found = ada
            .get(&format!("{NOTES}?is_pinned={word}&page_size=1"))
            .await
            .json();
        assert_eq!(found["results"][0]["is_pinned"], flag, "{word}");
    }
    for (tags, read) in [
        ("tags=red&tags=blue", json!(["red", "blue"])),
        ("tags%5B%5D=red&tags[]=blue", json!(["red", "blue"])),
        ("tags[0]=red&tags[1]=blue", json!(["red", "blue"])),
        ("tags=red", json!(["red"])),
        ("tags=", json!([])),
    ] {
        assert_eq!(
            form(&format!("title=a&{tags}")).await["tags"],
            read,
            "{tags}"
        );
    }
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts = [
        part("title", "a"),
        part("tags", "red"),
        part("tags", "blue"),
        "--b--\r\n".to_owned(),
    ];
    let made = ada
        .post_raw(NOTES, "multipart/form-data; boundary=b", parts.concat())
        .await;
    assert_eq!(
        made.json()["tags"],
        json!(["red", "blue"]),
        "{}",
        made.shown()
    );
    app.finish().await;
}

#[tokio::test]
async fn what_nobody_asked_for_is_ignored_and_what_is_the_servers_stays_its() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let foreign = json!({
        "version": 7, "created_at": "1999-01-01T00:00:00Z", "updated_at": null, "trashed_at": "x",
        "conflict_of": uuid(3), "user_id": 99, "owner": {"a": [1, {"b": null}]}, "snippet": 1, "": 0,
    });
    let with = |title: &str| {
        let mut note = foreign.clone();
        note["title"] = title.into();
        note
    };

    let made = ada.note(&with("made")).await;
    let path = path_of(&made);
    let put = ada.send("PUT", &path, &with("put")).await.json();
    let patched = ada.send("PATCH", &path, &with("patched")).await.json();
    let mut edit = upsert(made["id"].as_str().unwrap(), Some(3), &with("merged"));
    edit["unknown"] = json!("\u{0}");
    let merged = ada.batch(&[edit]).await[0]["note"].clone();

    for (n, note) in [&made, &put, &patched, &merged].into_iter().enumerate() {
        assert_eq!(note["version"], n + 1, "{note}");
        assert_eq!(note["created_at"], made["created_at"]);
        assert!(note.get("conflict_of").is_none() && note.get("trashed_at").is_none());
        assert_eq!(note.as_object().unwrap().len(), 9, "{note}");
    }
    let ids = send_raw(
        &ada,
        "PUT",
        &path,
        r#"{"id":"\ud800","\udc00":1,"title":"t"}"#,
    )
    .await;
    assert_eq!(ids.status, 200, "{}", ids.shown());
    app.finish().await;
}

/// Clients of old send forms: in those every value is a text, and a list can't be.
#[tokio::test]
async fn a_form_makes_a_note_as_far_as_texts_go() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let urlencoded = "application/x-www-form-urlencoded";
    let multipart = "multipart/form-data; boundary=x";
    let part = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts = part("title", "Milk") + &part("is_archived", "false") + "--x--\r\n";

    let form = ada
        .post_raw(NOTES, urlencoded, "title=Milk+%C3%A9&is_pinned=true")
        .await;
    let parts = ada.post_raw(NOTES, multipart, parts).await;
    let tags = ada.post_raw(NOTES, urlencoded, "title=Milk&tags=+").await;
    let flag = ada
        .post_raw(NOTES, urlencoded, "title=Milk&is_pinned=2")
        .await;
    let nul = ada.post_raw(NOTES, urlencoded, "title=a%00").await;
    let batch = ada.post_raw(BATCH, urlencoded, "edits=%5B%5D").await;

    assert_eq!((form.status, parts.status), (201, 201), "{}", parts.shown());
    assert_eq!(
        (&form.json()["title"], &form.json()["is_pinned"]),
        (&json!("Milk é"), &json!(true))
    );
    assert_eq!(parts.json()["is_archived"], false);
    tags.assert_refused("tags", "A tag may not be blank.");
    flag.assert_refused("is_pinned", NOT_BOOL);
    nul.assert_refused("title", NUL);
    batch.assert_refused("edits", NOT_LIST);
    assert_eq!(ada.get(NOTES).await.json()["count"], 2);
    app.finish().await;
}

#[tokio::test]
async fn what_is_no_document_of_fields_is_refused() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = ada.note_path("Milk").await;
    let before = app.rows().await.of_notes().await;

    for (method, path) in [
        ("POST", NOTES),
        ("PUT", &path),
        ("PATCH", &path),
        ("POST", BATCH),
    ] {
        for body in [
            "{",
            "",
            "[]",
            "[{\"title\":\"t\"}]",
            "null",
            "1",
            "\"title\"",
            "{\"title\":1e999}",
        ] {
            let answer = send_raw(&ada, method, path, body).await;
            // Nothing at all changes nothing of a note, and that is no error.
            let status = if body.is_empty() && method == "PATCH" {
                200
            } else {
                400
            };
            assert_eq!(answer.status, status, "{method} {path} {body}");
        }
        let text = ada
            .request(method, path)
            .header("Content-Type", "text/plain");
        assert_eq!(text.body("{}").send().await.status, 415, "{method} {path}");
    }

    assert_eq!(app.rows().await.of_notes().await, before);
    app.finish().await;
}
