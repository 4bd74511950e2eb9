//! The server is put back to a backup, and devices know what happened since: nothing of that is taken for what happens
//! afterwards.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::clock::Clock as _;
use serde_json::{Value, json};

use crate::support::{
    CHANGES, Client, NOTES, Person, Rows, TestApp, deletion, path_of, upsert, uuid,
};

/// What every jump goes beyond, and nothing may come to: 2^53.
const JUMPED: i64 = 1 << 40;
const EXACT: i64 = 1 << 53;

/// A user with two notes of the versions 2 and 1, and the backup in which they are.
async fn backed_up(app: &TestApp, name: &str) -> (Client, Rows) {
    let client = app.member(&Person::new(name)).await;
    let path = path_of(&client.note(&json!({"id": uuid(1), "title": "old"})).await);
    client.note(&json!({"id": uuid(2), "title": "two"})).await;
    client.send("PATCH", &path, &json!({"title": "one"})).await;
    let mut rows = app.rows().await;
    rows.back_up_notes().await;
    (client, rows)
}

/// What happens between the backup and the restore: 5 changes.
async fn lose(client: &Client) {
    let path = format!("{NOTES}{}/", uuid(1));
    client.send("PATCH", &path, &json!({"title": "lost"})).await;
    client
        .note(&json!({"id": uuid(3), "title": "lost, too"}))
        .await;
    for title in ["lost 2", "lost 3", "lost 4"] {
        client.send("PATCH", &path, &json!({"title": title})).await;
    }
}

async fn status(client: &Client, cursor: &str) -> u16 {
    client
        .get(&format!("{CHANGES}?cursor={cursor}"))
        .await
        .status
}

async fn edit(client: &Client, n: u64, base: Option<i64>, title: &str) -> Value {
    let edit = upsert(&uuid(n), base, &json!({"title": title}));
    client.batch(&[edit]).await.remove(0)
}

async fn version_after_patch(client: &Client, n: u64, title: &str) -> i64 {
    let path = format!("{NOTES}{}/", uuid(n));
    let note = client.send("PATCH", &path, &json!({"title": title})).await;
    note.json()["version"].as_i64().unwrap()
}

/// A feed's cursor that its server never gave.
fn cursor(place: &Value) -> String {
    URL_SAFE_NO_PAD.encode(place.to_string())
}

#[tokio::test]
async fn after_a_restore_lost_numbers_are_refused_or_kept_beside_and_nothing_is_overwritten() {
    let app = TestApp::start().await;
    let (ada, mut rows) = backed_up(&app, "ada").await;
    let (_, before) = ada.changes_after(None, 100).await;
    lose(&ada).await;
    let (_, lost) = ada.changes_after(None, 100).await;
    let page = ada.get(&format!("{CHANGES}?page_size=1")).await.json();
    let halfway = page["cursor"].as_str().unwrap().to_owned();

    rows.restore_notes().await;
    app.after_restore().await;
    let deleted = ada.batch(&[deletion(&uuid(1), Some(5))]).await.remove(0);
    let mine = edit(&ada, 1, Some(3), "mine").await;
    let theirs = version_after_patch(&ada, 1, "theirs").await;
    let late = edit(&ada, 1, Some(4), "late").await;
    let of_stored = edit(&ada, 2, Some(1), "two, edited").await;
    let of_lost = edit(&ada, 3, Some(1), "lost, too, edited").await;
    let of_nothing = edit(&ada, 4, None, "new").await;

    assert_eq!(
        [status(&ada, &lost).await, status(&ada, &halfway).await],
        [410, 410]
    );
    assert_eq!(status(&ada, &before).await, 200);
    let came = [&deleted, &mine, &late, &of_stored, &of_lost, &of_nothing];
    assert_eq!(
        came.map(|result| result["status"].as_str().unwrap()),
        [
            "conflict", "conflict", "conflict", "updated", "created", "created"
        ]
    );
    for version in [theirs, of_stored["note"]["version"].as_i64().unwrap()] {
        assert!((JUMPED..EXACT).contains(&version), "{version}");
    }
    for made in [&of_lost, &of_nothing] {
        assert!(made["note"]["version"].as_i64().unwrap() > JUMPED, "{made}");
    }
    assert_eq!(mine["copy"]["version"], 1);
    let mut titles = ada.titles(NOTES).await;
    titles.sort();
    assert_eq!(
        titles,
        [
            "late (conflict)",
            "lost, too, edited",
            "mine (conflict)",
            "new",
            "theirs",
            "two, edited"
        ]
    );
    let (anew, _) = ada.changes_after(None, 2).await;
    let (since, _) = ada.changes_after(Some(&before), 2).await;
    assert_eq!(anew.len(), 6);
    assert_eq!(since, anew, "every note was changed since");
    rows.close().await;
    app.finish().await;
}

/// A second time in a row, as who is not sure does it.
#[tokio::test]
async fn what_was_known_before_the_backup_stays_good_however_often_numbers_jump() {
    let app = TestApp::start().await;
    let (ada, mut rows) = backed_up(&app, "ada").await;
    let (_, before) = ada.changes_after(None, 100).await;
    rows.restore_notes().await;
    for _ in 0..3 {
        app.after_restore().await;
        app.clock.advance(std::time::Duration::from_secs(1));
    }

    let kept = status(&ada, &before).await;
    let updated = edit(&ada, 1, Some(2), "edited").await;
    let (told, after) = ada.changes_after(Some(&before), 100).await;
    app.after_restore().await;

    assert_eq!(kept, 200);
    assert_eq!(updated["status"], "updated");
    assert_eq!(told.len(), 1);
    assert_eq!(status(&ada, &after).await, 200);
    rows.close().await;
    app.finish().await;
}

/// Otherwise a device with more changes than that would miss those whose numbers it believes to have read.
#[tokio::test]
async fn a_cursor_that_is_ahead_is_refused_for_ever_and_moves_the_numbers_of_its_user_alone() {
    let app = TestApp::start().await;
    let (ada, mut rows) = backed_up(&app, "ada").await;
    let bob = app.member(&Person::new("bob")).await;
    bob.note(&json!({"id": uuid(11), "title": "bob's"})).await;
    lose(&ada).await;
    let (_, lost) = ada.changes_after(None, 100).await;
    rows.restore_notes().await;

    let first = status(&ada, &lost).await;
    for n in 20..28 {
        ada.note(&json!({"id": uuid(n), "title": "since"})).await;
    }
    let later = status(&ada, &lost).await;
    let mine = edit(&ada, 1, Some(3), "mine").await;

    assert_eq!([first, later], [410, 410]);
    assert_eq!(mine["status"], "conflict");
    assert!(version_after_patch(&ada, 1, "theirs").await > JUMPED);
    let (told, _) = ada.changes_after(None, 3).await;
    assert_eq!(told.len(), 11);
    rows.close().await;
    app.finish().await;
}

#[tokio::test]
async fn a_base_that_is_ahead_moves_the_numbers_before_its_batch_is_applied() {
    let app = TestApp::start().await;
    let (ada, mut rows) = backed_up(&app, "ada").await;
    lose(&ada).await;
    let (_, lost) = ada.changes_after(None, 100).await;
    rows.restore_notes().await;

    let results = ada
        .batch(&[
            upsert(&uuid(2), Some(1), &json!({"title": "two, edited"})),
            upsert(&uuid(1), Some(6), &json!({"title": "mine"})),
        ])
        .await;

    assert_eq!(results[0]["status"], "updated");
    assert!(results[0]["note"]["version"].as_i64().unwrap() > JUMPED);
    assert_eq!(results[1]["status"], "conflict");
    assert_eq!(results[1]["note"]["title"], "one");
    assert!(version_after_patch(&ada, 1, "theirs").await > JUMPED);
    assert_eq!(status(&ada, &lost).await, 410);
    rows.close().await;
    app.finish().await;
}

/// They are typed, guessed, and kept by caches.
#[tokio::test]
async fn conditions_and_chains_that_are_ahead_move_nothing() {
    let app = TestApp::start().await;
    let (ada, rows) = backed_up(&app, "ada").await;
    let path = format!("{NOTES}{}/", uuid(1));
    let chain = [
        upsert(&uuid(1), Some(2), &json!({"title": "one"})),
        upsert(&uuid(1), Some(3), &json!({"title": "one"})),
        upsert(&uuid(1), Some(4), &json!({"title": "chained"})),
    ];

    for (name, tag) in [("If-Match", "\"7\""), ("If-None-Match", "\"7\"")] {
        ada.with(name, tag)
            .send("PUT", &path, &json!({"title": "one"}))
            .await;
    }
    ada.get(&format!("{NOTES}{}/", uuid(99))).await;
    ada.batch(&chain).await;

    assert_eq!(version_after_patch(&ada, 1, "two").await, 4);
    rows.close().await;
    app.finish().await;
}

/// Nobody comes near 2^53, nor writes more than once a minute, by sending numbers that were made up.
#[tokio::test]
async fn numbers_that_are_made_up_move_nothing_or_once_a_minute() {
    let app = TestApp::start().await;
    let (ada, mut rows) = backed_up(&app, "ada").await;
    let id = rows.number("select user_id from note_books").await;
    let now = app.clock.now().as_microsecond();
    let day = 86_400_000_000;
    let before = rows.of_notes().await;

    for number in [now + day + 1, EXACT - 1, EXACT, i64::MAX] {
        let place = json!({"user": id, "change": number, "began": 0});
        assert_eq!(status(&ada, &cursor(&place)).await, 410);
        let result = ada.batch(&[deletion(&uuid(1), Some(number))]).await;
        assert_eq!(result[0]["status"], "conflict");
    }
    assert_eq!(rows.of_notes().await, before);
    let mut jumps = Vec::new();
    for minute in 0..3 {
        for n in 1..=5 {
            let number = now + day - 10 + n + minute * 60_000_000;
            ada.batch(&[deletion(&uuid(1), Some(number))]).await;
            let place = json!({"user": id, "change": number, "began": 0});
            assert_eq!(status(&ada, &cursor(&place)).await, 410);
            jumps.push(rows.number("select jumped_to from note_books").await);
        }
        app.clock.advance(std::time::Duration::from_mins(1));
    }

    jumps.dedup();
    assert_eq!(jumps.len(), 3, "{jumps:?}");
    assert!(*jumps.last().unwrap() < now + 2 * day, "{jumps:?}");
    rows.close().await;
    app.finish().await;
}

/// The payments of a user who is lost would go to a stranger.
#[tokio::test]
async fn ids_of_users_go_on_beyond_those_that_were_given_since_the_backup() {
    let app = TestApp::start().await;
    app.member(&Person::new("ada")).await;
    let mut rows = app.rows().await;

    app.after_restore().await;
    let bob = app.member(&Person::new("bob")).await;
    app.after_restore().await;
    app.member(&Person::new("eve")).await;
    bob.note(&json!({"id": uuid(1), "title": "of a high id"}))
        .await;

    let ids = "select id from users order by id";
    let ids: Vec<i64> = rows
        .texts(&ids.replace("id from", "cast(id as text) from"))
        .await
        .iter()
        .map(|id| id.parse().unwrap())
        .collect();
    assert!(
        ids[1] > ids[0] + 1_000_000 && ids[2] > ids[1] + 1_000_000,
        "{ids:?}"
    );
    assert!(ids[2] < 1 << 31, "{ids:?}");
    assert_eq!(rows.number("select row_id >> 32 from notes").await, ids[1]);
    rows.close().await;
    app.finish().await;
}
