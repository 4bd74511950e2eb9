//! One note: made, shown, replaced, changed, deleted and restored.

mod deleted;

use serde_json::{Value, json};

use crate::support::{NOTES, Person, TestApp, path_of, upsert, uuid};

const ID: &str = "0190a0b0-c0d0-7e00-8f00-abcdefabcdef";

fn without_times(mut note: Value) -> Value {
    for time in ["created_at", "updated_at"] {
        let text = note[time].as_str().unwrap();
        assert_eq!(text.len(), "2026-01-01T00:00:00.000000Z".len(), "{text}");
        note[time] = Value::from("…");
    }
    note
}

#[tokio::test]
async fn a_note_is_made_with_what_is_named_and_the_rest_is_empty() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;

    let answer = ada
        .post(
            NOTES,
            &json!({"id": ID.to_uppercase(), "title": "Milk", "owner": 7}),
        )
        .await;

    assert_eq!(answer.status, 201, "{}", answer.shown());
    assert_eq!(answer.header("location"), format!("{NOTES}{ID}/"));
    assert_eq!(answer.header("etag"), "\"1\"");
    assert_eq!(
        without_times(answer.json()),
        json!({
            "id": ID, "title": "Milk", "content": "", "tags": [], "is_pinned": false,
            "is_archived": false, "created_at": "…", "updated_at": "…", "version": 1,
        })
    );
    app.finish().await;
}

#[tokio::test]
async fn a_note_comes_back_byte_for_byte() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let note = json!({
        "title": " e\u{301} \u{200b}", "content": "\r\n\t\u{1}\u{7f}\u{2028}\u{feff}🦀\"\\ ",
        "tags": ["a b", "É", "e\u{301} "], "is_pinned": true, "is_archived": true,
    });

    let made = ada.note(&note).await;
    let shown = ada.get(&path_of(&made)).await;
    let listed = ada.get(NOTES).await.json();

    for key in ["title", "content", "tags", "is_pinned", "is_archived"] {
        assert_eq!(made[key], note[key], "{key}");
    }
    assert_eq!(shown.json(), made);
    assert_eq!(listed["results"], json!([made]));
    assert_eq!(made["id"].as_str().unwrap().as_bytes()[14], b'7');
    app.finish().await;
}

#[tokio::test]
async fn the_same_note_again_is_no_second_one_and_another_under_its_id_is_refused() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let note = json!({"id": ID, "title": "Milk", "tags": ["shop"]});
    let first = ada.note(&note).await;

    let same = ada.post(NOTES, &note).await;
    let other = ada.post(NOTES, &json!({"id": ID, "title": "Bread"})).await;

    assert_eq!((same.status, same.json()), (200, first.clone()));
    assert_eq!(
        other.shown(),
        r#"409 {"error":"Another note has this id.","code":"taken"}"#
    );
    assert_eq!(ada.get(&path_of(&first)).await.json(), first);
    app.finish().await;
}

#[tokio::test]
async fn a_put_replaces_the_whole_note_and_a_patch_parts_of_it() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let made = ada
        .note(&json!({"title": "Milk", "content": "two", "tags": ["shop"], "is_pinned": true}))
        .await;
    let path = path_of(&made);
    app.clock.advance(std::time::Duration::from_secs(1));

    let patched = ada
        .send("PATCH", &path, &json!({"content": "three", "unknown": 1}))
        .await;
    let put = ada
        .send("PUT", &path, &json!({"title": "Bread", "id": "not read"}))
        .await;

    assert_eq!(patched.status, 200, "{}", patched.shown());
    assert_eq!(patched.header("etag"), "\"2\"");
    let patched = patched.json();
    assert_eq!(
        (&patched["title"], &patched["content"]),
        (&json!("Milk"), &json!("three"))
    );
    assert_eq!(
        (&patched["tags"], &patched["is_pinned"]),
        (&json!(["shop"]), &json!(true))
    );
    assert_eq!(patched["created_at"], made["created_at"]);
    assert!(patched["updated_at"].as_str() > made["updated_at"].as_str());
    assert_eq!(put.status, 200, "{}", put.shown());
    let put = put.json();
    assert_eq!(
        (&put["title"], &put["content"], &put["tags"]),
        (&json!("Bread"), &json!(""), &json!([]))
    );
    assert_eq!(
        (&put["is_pinned"], &put["version"], &put["id"]),
        (&json!(false), &json!(3), &made["id"])
    );
    app.finish().await;
}

#[tokio::test]
async fn a_put_makes_a_note_where_there_is_none() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = format!("{NOTES}{ID}/");

    let made = ada.send("PUT", &path, &json!({"content": "new"})).await;
    let again = ada.send("PUT", &path, &json!({"content": "new"})).await;

    assert_eq!((made.status, made.header("location")), (201, path.as_str()));
    assert_eq!(
        (again.status, again.json()),
        (200, made.json()),
        "it says the same: no change"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_patch_may_not_leave_a_note_blank() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let made = ada.note(&json!({"title": "Milk"})).await;

    let answer = ada
        .send("PATCH", &path_of(&made), &json!({"title": " \t"}))
        .await;

    answer.assert_refused("content", "A note needs a title or a content.");
    assert_eq!(ada.get(&path_of(&made)).await.json(), made);
    app.finish().await;
}

/// What a device made offline on Monday is of Monday, though it is sent on Friday.
#[tokio::test]
async fn a_note_keeps_when_its_client_made_it_and_never_changes_that() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let monday = "2020-02-03T09:00:00.000001+01:00";
    let kept = "2020-02-03T08:00:00.000001Z";
    let note = json!({"title": "Milk", "created_at": monday});
    let put = format!("{NOTES}{}/", uuid(1));

    let posted = ada.note(&note).await;
    let made = ada.send("PUT", &put, &note).await.json();
    let merged = ada.batch(&[upsert(&uuid(2), None, &note)]).await[0]["note"].clone();
    let tomorrow = json!({"title": "Milk", "created_at": "2999-01-01T00:00:00Z"});
    let ahead = ada.note(&tomorrow).await;
    let changed = ada.send("PATCH", &put, &tomorrow).await.json();
    let replaced = ada
        .send("PUT", &put, &json!({"title": "Bread", "created_at": null}))
        .await;
    let refused = ada
        .post(NOTES, &json!({"title": "Milk", "created_at": "Monday"}))
        .await;
    let before_all = json!({"title": "Milk", "created_at": "0001-01-01T00:00:00+14:00"});
    let before_all = ada.post(NOTES, &before_all).await;
    let without_offset = json!({"title": "Milk", "created_at": "2020-02-03T08:00:00"});
    let ambiguous = ada.post(NOTES, &without_offset).await;

    for note in [&posted, &made, &merged, &changed, &replaced.json()] {
        assert_eq!(note["created_at"], kept, "{note}");
    }
    assert_ne!(posted["updated_at"], kept);
    assert_eq!(ahead["created_at"], ahead["updated_at"]);
    let no_time = "Must be a time with an offset, like 2026-11-30T08:00:00Z (RFC 3339).";
    refused.assert_refused("created_at", no_time);
    ambiguous.assert_refused("created_at", no_time);
    before_all.assert_refused("created_at", no_time);
    let oldest = ada
        .titles(&format!("{NOTES}?ordering=created_at&page_size=1"))
        .await;
    assert_eq!(oldest.len(), 1);
    app.finish().await;
}

/// OWASP ASVS 5.0 8.2.2, 8.2.3.
#[tokio::test]
async fn another_users_note_is_not_there_and_its_id_is_taken() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let eve = app.member(&Person::new("eve")).await;
    let made = ada.note(&json!({"id": ID, "title": "Milk"})).await;
    let path = path_of(&made);

    let mut answers = Vec::new();
    for (method, path) in [
        ("GET", path.clone()),
        ("PUT", path.clone()),
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
        ("DELETE", format!("{path}?permanent=true")),
        ("POST", format!("{path}restore/")),
    ] {
        let answer = eve.send(method, &path, &json!({"title": "Mine"})).await;
        answers.push((method, answer.status));
    }
    let taken = eve.post(NOTES, &json!({"id": ID, "title": "Milk"})).await;

    let missing = ["GET", "PUT", "PATCH", "DELETE", "DELETE", "POST"].map(|method| (method, 404));
    assert_eq!(answers, missing);
    assert_eq!(
        taken.shown(),
        r#"409 {"error":"Another note has this id.","code":"taken"}"#
    );
    assert_eq!(ada.get(&path).await.json(), made);
    assert_eq!(eve.get(NOTES).await.json()["count"], 0);
    app.finish().await;
}

#[tokio::test]
async fn every_route_needs_a_token_before_anything_else() {
    let app = TestApp::start().await;

    for (method, path) in [
        ("GET", NOTES),
        ("POST", NOTES),
        ("GET", "/api/notes/x/"),
        ("PUT", "/api/notes/x/"),
        ("PATCH", "/api/notes/x/"),
        ("DELETE", "/api/notes/x/"),
        ("POST", "/api/notes/x/restore/"),
        ("GET", "/api/notes/changes/?cursor=x"),
        ("POST", "/api/notes/batch/"),
        ("DELETE", NOTES),
    ] {
        let answer = app.client.request(method, path).body("{").send().await;
        assert_eq!(answer.status, 401, "{method} {path}");
    }
    app.finish().await;
}

/// OWASP ASVS 5.0 14.2.8 and api.md: an account that goes takes its notes along, and frees their ids at once.
#[tokio::test]
async fn the_notes_of_a_deleted_account_are_gone_and_their_ids_free() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let client = app.member(&ada).await;
    client.note(&json!({"id": ID, "title": "live"})).await;
    let trashed = client.note_path("trashed").await;
    client.request("DELETE", &trashed).send().await;
    let buried = client.note_path("buried").await;
    client
        .request("DELETE", &format!("{buried}?permanent=true"))
        .send()
        .await;

    client.request_deletion().await;
    let code = app.newest_code(&ada.email).await;
    assert_eq!(client.delete_account(&code).await.status, 204);

    let mut rows = app.rows().await;
    // The rows of notes are left to the sweep; they belong to no account.
    let of_users = "notes where user_id not in (select id from deleted_users)";
    for table in [of_users, "note_tombstones", "note_books"] {
        let left = rows.number(&format!("select count(*) from {table}")).await;
        assert_eq!(left, 0, "{table}");
    }
    rows.close().await;
    let bob = app.member(&Person::new("bob")).await;
    assert_eq!(
        bob.note(&json!({"id": ID, "title": "mine now"})).await["version"],
        1
    );
    app.finish().await;
}
