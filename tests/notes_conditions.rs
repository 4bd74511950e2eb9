//! `If-Match` and `If-None-Match` on notes (RFC 9110, section 13.1): nobody writes over what they have not seen.

use serde_json::{Value, json};

use crate::support::{Answer, Client, NOTES, Person, TestApp, path_of, uuid};

/// Sends a request under a condition.
const TRASH: &str = "/api/notes/?trashed=true";

async fn under(
    client: &Client,
    condition: (&str, &str),
    method: &str,
    path: &str,
    body: &Value,
) -> Answer {
    client
        .with(condition.0, condition.1)
        .send(method, path, body)
        .await
}

/// Every request that changes a live note.
fn changes(path: &str) -> [(&'static str, String); 5] {
    [
        ("PUT", path.to_owned()),
        ("PATCH", path.to_owned()),
        ("DELETE", path.to_owned()),
        ("DELETE", format!("{path}?permanent=true")),
        ("POST", format!("{path}restore/")),
    ]
}

#[tokio::test]
async fn a_note_is_sent_again_only_if_the_client_has_another_version() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = ada.note_path("Milk").await;
    ada.send("PATCH", &path, &json!({"title": "Bread"})).await;

    for known in [
        "\"2\"",
        "W/\"2\"",
        "\"1\", \"2\"",
        "\"x\",W/\"2\"",
        "*",
        "\"a,b\", \"2\"",
        "2",
        "w/\"2\"",
        "\"2-gzip\"",
    ] {
        let answer = ada.with("If-None-Match", known).get(&path).await;
        assert_eq!((answer.status, answer.text()), (304, ""), "{known}");
        assert_eq!(answer.header("etag"), "\"2\"", "{known}");
        assert_eq!(answer.header("cache-control"), "private, no-cache");
    }
    for unknown in ["\"1\"", "", "\"02\"", "\"+2\"", "\"2", "\"2 \"", "\"2-x\""] {
        let answer = ada.with("If-None-Match", unknown).get(&path).await;
        assert_eq!(answer.status, 200, "{unknown}");
        assert_eq!(answer.header("etag"), "\"2\"", "{unknown}");
    }
    app.finish().await;
}

#[tokio::test]
async fn another_version_than_expected_is_answered_with_the_note_and_nothing_changes() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = ada.note_path("Milk").await;
    ada.send("PATCH", &path, &json!({"content": "two"})).await;
    let note = ada.get(&path).await.json();
    let before = app.rows().await.of_notes().await;

    for (method, target) in changes(&path) {
        for expected in [
            "\"1\"",
            "\"3\", \"x\"",
            "W/\"3\"",
            "1",
            "\"02\"",
            "\"+2\"",
            "",
        ] {
            let condition = ("If-Match", expected);
            let answer = under(&ada, condition, method, &target, &json!({"title": "x"})).await;

            assert_eq!(answer.status, 412, "{method} {target} {expected}");
            let body = answer.json();
            assert_eq!(body["code"], "note_changed");
            assert_eq!(body["note"], note, "{method} {target}");
        }
        let known = ("If-None-Match", "\"2\"");
        let answer = under(&ada, known, method, &target, &json!({"title": "x"})).await;
        assert_eq!(answer.status, 412, "{method} {target}");
    }

    assert_eq!(app.rows().await.of_notes().await, before);
    app.finish().await;
}

#[tokio::test]
async fn the_expected_version_may_be_changed() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = ada.note_path("Milk").await;
    let restore = format!("{path}restore/");

    let mut statuses = Vec::new();
    for (method, target, expected) in [
        ("PATCH", &path, "\"1\""),
        ("PUT", &path, "\"7\", \"2\""),
        ("PATCH", &path, "*"),
        ("DELETE", &path, "\"4\""),
        ("POST", &restore, "\"5\""),
        ("PATCH", &path, "W/\"6\""),
        ("PATCH", &path, "7"),
        ("PATCH", &path, "\"8-gzip\""),
        ("DELETE", &path, "*"),
    ] {
        // Each says something else than the one before, lest it change nothing.
        let body = json!({"title": format!("Milk {}", statuses.len())});
        let answer = under(&ada, ("If-Match", expected), method, target, &body).await;
        statuses.push(answer.status);
    }

    assert_eq!(statuses, [200, 200, 200, 204, 200, 200, 200, 200, 204]);
    app.finish().await;
}

/// RFC 9110, section 13.1.1: a request that was carried out, and whose answer got lost, may be told so.
#[tokio::test]
async fn a_request_under_a_condition_that_is_repeated_succeeds_where_nothing_is_left_to_do() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = ada.note_path("Milk").await;
    let made = format!("{NOTES}{}/", uuid(1));
    let first = ("If-Match", "\"1\"");
    let body = json!({"title": "Bread"});

    let mut answers = Vec::new();
    for (condition, method, target) in [
        (first, "PUT", &path),
        (first, "PUT", &path),
        (first, "PATCH", &path),
        (("If-None-Match", "*"), "PUT", &made),
        (("If-None-Match", "*"), "PUT", &made),
        (("If-Match", "\"2\""), "DELETE", &path),
        (("If-Match", "\"2\""), "DELETE", &path),
    ] {
        let answer = under(&ada, condition, method, target, &body).await;
        answers.push((answer.status, answer.headers.get("etag").is_some()));
    }
    let other = under(&ada, first, "PUT", &made, &json!({"title": "Milk"})).await;

    let with_tag = [200, 200, 200, 201, 200].map(|status| (status, true));
    assert_eq!(answers[..5], with_tag);
    assert_eq!(answers[5..], [(204, false); 2]);
    assert_eq!(other.status, 200, "that one holds");
    assert_eq!(ada.titles("/api/notes/?trashed=true").await, ["Bread"]);
    app.finish().await;
}

#[tokio::test]
async fn nothing_can_be_expected_of_a_note_that_is_not_there() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let bob = app.member(&Person::new("bob")).await;
    let absent = format!("{NOTES}{}/", uuid(1));
    let others = bob.note_path("Bob's").await;
    let gone = ada.note_path("gone").await;
    ada.delete(&format!("{gone}?permanent=true")).await;
    let before = app.rows().await.of_notes().await;

    for path in [absent, others, gone] {
        for (method, target) in changes(&path) {
            for expected in ["\"1\"", "*"] {
                let condition = ("If-Match", expected);
                let answer = under(&ada, condition, method, &target, &json!({"title": "x"})).await;

                assert_eq!(answer.status, 412, "{method} {target} {expected}");
                assert_eq!(answer.json()["note"], Value::Null);
            }
        }
    }

    assert_eq!(app.rows().await.of_notes().await, before);
    app.finish().await;
}

#[tokio::test]
async fn a_note_can_be_put_only_where_there_is_none() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = format!("{NOTES}{}/", uuid(1));
    let none = ("If-None-Match", "*");

    let first = under(&ada, none, "PUT", &path, &json!({"title": "first"})).await;
    let second = under(&ada, none, "PUT", &path, &json!({"title": "second"})).await;
    ada.delete(&path).await;
    let trashed = ada.get(TRASH).await.json();
    let third = under(&ada, none, "PUT", &path, &json!({"title": "third"})).await;
    let of_its_version = under(
        &ada,
        ("If-None-Match", "\"2\""),
        "PUT",
        &path,
        &json!({"title": "x"}),
    )
    .await;
    let again = under(&ada, none, "PUT", &path, &json!({"title": "first"})).await;

    assert_eq!((first.status, second.status), (201, 412));
    assert_eq!(second.json()["note"], first.json());
    // One in the trash is one, too.
    for refused in [third, of_its_version] {
        assert_eq!(refused.status, 412);
        assert_eq!(refused.json()["note"], trashed["results"][0]);
    }
    assert_eq!(
        (again.status, again.json()),
        (200, trashed["results"][0].clone())
    );
    assert_eq!(ada.get(TRASH).await.json(), trashed);
    app.finish().await;
}

#[tokio::test]
async fn a_trashed_note_is_expected_in_the_version_that_the_trash_shows() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let made = ada.note(&json!({"title": "Milk"})).await;
    let path = path_of(&made);
    ada.delete(&path).await;
    let restore = format!("{path}restore/");
    let body = json!({});

    let stale = under(&ada, ("If-Match", "\"1\""), "POST", &restore, &body).await;
    let put = under(
        &ada,
        ("If-Match", "\"2\""),
        "PUT",
        &path,
        &json!({"title": "x"}),
    )
    .await;
    let right = under(&ada, ("If-Match", "\"2\""), "POST", &restore, &body).await;

    assert_eq!(stale.status, 412);
    assert!(stale.json()["note"]["trashed_at"].is_string());
    assert_eq!((put.status, &put.json()["note"]), (412, &Value::Null));
    assert_eq!((right.status, right.header("etag")), (200, "\"3\""));
    app.finish().await;
}

#[tokio::test]
async fn of_twenty_writers_that_expect_one_version_one_wins() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let path = ada.note_path("Milk").await;

    let writers = (0..20).map(|n| {
        let (ada, path) = (ada.clone(), path.clone());
        async move {
            let body = json!({"title": format!("writer {n}")});
            under(&ada, ("If-Match", "\"1\""), "PATCH", &path, &body).await
        }
    });
    let answers = futures_util::future::join_all(writers).await;

    let won: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(won.len(), 1);
    assert_eq!(ada.get(&path).await.json(), won[0].json());
    for lost in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((lost.status, &lost.json()["note"]), (412, &won[0].json()));
    }
    app.finish().await;
}
