//! What is in the feed, what is not, and the cursors and pages it is read by.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{make, path, short};
use crate::support::{BATCH, CHANGES, NOTES, Person, TestApp, deletion, path_of, upsert, uuid};

#[tokio::test]
async fn the_feed_has_every_note_as_it_is_under_its_last_change() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 6).await;
    ada.send("PATCH", &path(2), &json!({"content": "newer"}))
        .await;
    ada.delete(&path(3)).await;
    ada.delete(&path(4)).await;
    ada.delete(&format!("{}?permanent=true", path(4))).await;
    ada.delete(&path(5)).await;
    ada.post_empty(&format!("{}restore/", path(5))).await;
    ada.send("PATCH", &path(1), &json!({"content": "newest"}))
        .await;

    let (changes, _) = ada.changes_after(None, 100).await;

    let expected = [
        (uuid(6), 1, false),
        (uuid(2), 2, false),
        (uuid(3), 2, true),
        (uuid(4), 3, true),
        (uuid(5), 3, false),
        (uuid(1), 2, false),
    ];
    assert_eq!(short(&changes), expected);
    for change in changes.iter().filter(|change| change["deleted"] == false) {
        assert_eq!(
            ada.get(&path_of(&change["note"])).await.json(),
            change["note"]
        );
        assert_eq!(change["note"]["version"], change["version"]);
    }
    app.finish().await;
}

#[tokio::test]
async fn after_a_cursor_come_the_changes_since_and_nothing_twice() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 3).await;
    let (_, cursor) = ada.changes_after(None, 2).await;

    let (nothing, same) = ada.changes_after(Some(&cursor), 2).await;
    ada.send("PATCH", &path(1), &json!({"title": "one"})).await;
    ada.batch(&[
        upsert(&uuid(2), Some(1), &json!({"title": "two"})),
        upsert(&uuid(3), None, &json!({"title": "in conflict"})),
        deletion(&uuid(1), Some(2)),
    ])
    .await;
    let (changes, next) = ada.changes_after(Some(&cursor), 2).await;
    let (again, _) = ada.changes_after(Some(&cursor), 1).await;
    let (rest, _) = ada.changes_after(Some(&next), 2).await;

    assert_eq!((nothing, same), (vec![], cursor.clone()));
    let copy = changes[1]["note"].clone();
    assert_eq!(
        (&copy["conflict_of"], &copy["title"]),
        (&json!(uuid(3)), &json!("in conflict (conflict)"))
    );
    let copy = copy["id"].as_str().unwrap().to_owned();
    assert_eq!(
        short(&changes),
        [(uuid(2), 2, false), (copy, 1, false), (uuid(1), 3, true)]
    );
    assert_eq!((again, rest), (changes, vec![]));
    app.finish().await;
}

#[tokio::test]
async fn a_note_deleted_for_good_or_made_again_never_falls_back_in_its_version() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 1).await;
    let (_, mut cursor) = ada.changes_after(None, 100).await;
    let mut seen = Vec::new();

    for step in 0..8 {
        match step {
            0 | 3 => ada.delete(&path(1)).await,
            1 | 6 => ada.delete(&format!("{}?permanent=true", path(1))).await,
            2 => drop(ada.note(&json!({"id": uuid(1), "title": "again"})).await),
            4 => drop(ada.post_empty(&format!("{}restore/", path(1))).await),
            5 => drop(ada.send("PUT", &path(1), &json!({"title": "put"})).await),
            _ => drop(
                ada.batch(&[upsert(&uuid(1), Some(1), &json!({"title": "merged"}))])
                    .await,
            ),
        }
        let (changes, next) = ada.changes_after(Some(&cursor), 100).await;
        assert_eq!(changes.len(), 1, "step {step}");
        let (_, version, deleted) = short(&changes).remove(0);
        seen.push((version, deleted));
        cursor = next;
    }

    let expected = [
        (2, true),
        (3, true),
        (4, false),
        (5, true),
        (6, false),
        (7, false),
        (8, true),
        (9, false),
    ];
    assert_eq!(seen, expected);
    app.finish().await;
}

#[tokio::test]
async fn what_was_refused_or_said_nothing_new_is_not_in_the_feed() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let eve = app.member(&Person::new("eve")).await;
    make(&ada, 20).await;
    ada.send("PATCH", &path(2), &json!({"content": "2"})).await;
    let (_, cursor) = ada.changes_after(None, 100).await;
    let same = json!({"id": uuid(1), "title": "note 1"});
    let other = json!({"title": "other"});

    let stale = ada.with("If-Match", "\"9\"");
    let statuses = [
        ada.post(NOTES, &same).await.status,
        ada.post(NOTES, &json!({"id": uuid(1), "title": "other"}))
            .await
            .status,
        ada.post(NOTES, &other).await.status,
        ada.send("PUT", &path(1), &same).await.status,
        ada.send("PATCH", &path(1), &json!({})).await.status,
        ada.send("PATCH", &path(1), &json!({"title": "note 1"}))
            .await
            .status,
        ada.send("PATCH", &path(1), &json!({"title": 1}))
            .await
            .status,
        ada.send("PATCH", &path(1), &json!({"title": ""}))
            .await
            .status,
        ada.send("PATCH", &path(30), &other).await.status,
        ada.post_empty(&format!("{}restore/", path(1))).await.status,
        stale.send("PUT", &path(1), &other).await.status,
        stale.send("DELETE", &path(1), &other).await.status,
        eve.send("PATCH", &path(1), &other).await.status,
        eve.send("DELETE", &path(1), &other).await.status,
    ];
    ada.batch(&[
        upsert(&uuid(1), Some(1), &json!({"title": "note 1"})),
        upsert(&uuid(2), Some(1), &other),
        upsert(&uuid(30), None, &other),
        deletion(&uuid(2), Some(1)),
        deletion(&uuid(30), None),
    ])
    .await;

    assert_eq!(
        statuses,
        [
            200, 409, 403, 200, 200, 200, 400, 400, 404, 200, 412, 412, 404, 404
        ]
    );
    assert_eq!(
        ada.changes_after(Some(&cursor), 100).await,
        (vec![], cursor)
    );
    assert_eq!(eve.changes_after(None, 100).await.0, Vec::<Value>::new());
    app.finish().await;
}

#[tokio::test]
async fn pages_of_any_size_make_the_same_feed() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    make(&ada, 30).await;
    for n in (1..=30).step_by(3) {
        ada.delete(&path(n)).await;
        if n % 2 == 0 {
            ada.delete(&path(n)).await;
        }
    }
    let (all, end) = ada.changes_after(None, 100).await;

    for size in [1, 2, 7, 29, 30, 31] {
        assert_eq!(ada.changes_after(None, size).await.0, all, "{size}");
    }
    let first = ada.get(CHANGES).await.json();
    assert_eq!(first["changes"].as_array().unwrap()[..], all[..20]);
    assert_eq!(first["has_more"], true);
    let whole = ada.get(&format!("{CHANGES}?page_size=30")).await.json();
    assert_eq!(whole["has_more"], false);
    assert_eq!(
        ada.changes_after(whole["cursor"].as_str(), 1).await.0,
        Vec::<Value>::new()
    );
    assert_eq!(
        ada.changes_after(Some(&end), 1).await.0,
        Vec::<Value>::new()
    );
    app.finish().await;
}

#[tokio::test]
async fn a_cursor_of_another_user_or_none_at_all_is_refused() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let eve = app.member(&Person::new("eve")).await;
    make(&ada, 2).await;
    let (_, own) = ada.changes_after(None, 1).await;
    let (_, others) = eve.changes_after(None, 1).await;
    let list = ada.get("/api/notes/?page_size=1").await.json()["next"].to_string();
    let list = list
        .split("cursor=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap()
        .to_owned();

    let half = own[..own.len() / 2].to_owned();
    for bad in [
        others,
        list,
        half,
        "x".to_owned(),
        "0".to_owned(),
        "e30".to_owned(),
        "%00".to_owned(),
        "A".repeat(5000),
    ] {
        let answer = ada.get(&format!("{CHANGES}?cursor={bad}")).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.json()["cursor"].is_array(), "{}", answer.shown());
    }
    for size in ["0", "101", "x", "-1"] {
        let answer = ada.get(&format!("{CHANGES}?page_size={size}")).await;
        answer.assert_refused("page_size", "Must be a number from 1 to 100.");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_batch_is_seen_edit_by_edit_in_its_order() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let edits: Vec<_> = (0..100)
        .map(|n| upsert(&uuid(n), None, &json!({"title": n.to_string()})))
        .collect();

    let answer = ada.post(BATCH, &json!({"edits": edits})).await;
    assert_eq!(answer.status, 200);
    let (changes, _) = ada.changes_after(None, 33).await;

    let ids: Vec<_> = short(&changes).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, (0..100).map(uuid).collect::<Vec<_>>());
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 100);
    app.finish().await;
}
