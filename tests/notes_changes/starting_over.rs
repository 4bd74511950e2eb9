//! Who was away for too long, or knows more than there is, must start over, and gets to the end.

use serde_json::json;

use super::{make, path, short};
use crate::support::{CHANGES, Person, TestApp, uuid};

/// Forgets the tombstones of everything up to now, as a sweep does after their time.
async fn forget_tombstones(app: &TestApp) {
    let mut rows = app.rows().await;
    rows.run("update note_books set forgotten_change = coalesce((select max(change) from note_tombstones where note_tombstones.user_id = note_books.user_id), forgotten_change)").await;
    rows.run("delete from note_tombstones").await;
    rows.close().await;
}

#[tokio::test]
async fn who_has_not_heard_of_a_deletion_that_is_forgotten_must_start_over() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 4).await;
    let (_, before) = ada.changes_after(None, 100).await;
    let (_, half) = ada.changes_after(Some(&before), 100).await;
    ada.delete(&format!("{}?permanent=true", path(1))).await;
    let (_, after) = ada.changes_after(Some(&half), 100).await;
    ada.send("PATCH", &path(2), &json!({"title": "newer"}))
        .await;
    forget_tombstones(&app).await;

    let late = ada.get(&format!("{CHANGES}?cursor={before}")).await;
    let (changes, _) = ada.changes_after(Some(&after), 100).await;
    let (anew, _) = ada.changes_after(None, 1).await;

    assert_eq!(late.status, 410);
    assert_eq!(late.json()["code"], "cursor_expired");
    assert_eq!(short(&changes), [(uuid(2), 2, false)]);
    assert_eq!(
        short(&anew),
        [
            (uuid(3), 1, false),
            (uuid(4), 1, false),
            (uuid(2), 2, false)
        ]
    );
    app.finish().await;
}

/// Who starts over begins among changes that are older than the forgotten ones, and has nothing to forget yet.
#[tokio::test]
async fn who_starts_over_gets_to_the_end_however_old_the_notes_are() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    make(&ada, 30).await;
    for n in 21..=30 {
        ada.delete(&format!("{}?permanent=true", path(n))).await;
    }
    forget_tombstones(&app).await;
    let first = ada.get(&format!("{CHANGES}?page_size=5")).await.json();
    let cursor = first["cursor"].as_str().unwrap();

    let (rest, _) = ada.changes_after(Some(cursor), 5).await;
    // What is deleted while somebody starts over concerns them.
    ada.delete(&format!("{}?permanent=true", path(1))).await;
    let (heard, _) = ada.changes_after(Some(cursor), 5).await;
    forget_tombstones(&app).await;
    let late = ada.get(&format!("{CHANGES}?cursor={cursor}")).await;

    assert_eq!(
        short(&rest),
        (6..=20).map(|n| (uuid(n), 1, false)).collect::<Vec<_>>()
    );
    assert_eq!(heard.last().unwrap()["deleted"], true);
    assert_eq!(late.status, 410);
    app.finish().await;
}

/// A backup that is put back knows less than its readers.
#[tokio::test]
async fn a_cursor_from_beyond_the_newest_change_must_start_over() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 4).await;
    let (_, end) = ada.changes_after(None, 100).await;
    let middle = ada.get(&format!("{CHANGES}?page_size=1")).await.json()["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut rows = app.rows().await;
    rows.run("delete from notes where change > 2").await;
    rows.run("update note_books set last_change = 2, live = 2")
        .await;
    rows.close().await;

    for cursor in [end, middle] {
        assert_eq!(
            ada.get(&format!("{CHANGES}?cursor={cursor}")).await.status,
            410
        );
    }
    app.finish().await;
}

/// Otherwise notes that are made and deleted again and again would fill the disk, and no budget would count them.
#[tokio::test]
async fn of_ten_thousand_deletions_the_oldest_are_forgotten() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    make(&ada, 2).await;
    let (_, before) = ada.changes_after(None, 100).await;
    let mut rows = app.rows().await;
    rows.run(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
         insert into note_tombstones (user_id, id, version, change, deleted_at)
         select user_id, printf('00000000-0000-7000-8000-%012x', i), 2, last_change + i, 1800000000000000
         from n, note_books",
    )
    .await;
    rows.run("update note_books set last_change = last_change + 10000")
        .await;
    let (_, after) = ada.changes_after(Some(&before), 100).await;

    ada.delete(&format!("{}?permanent=true", path(1))).await;
    let late = ada.get(&format!("{CHANGES}?cursor={before}")).await;
    let (changes, _) = ada.changes_after(Some(&after), 100).await;
    let kept = rows.number("select count(*) from note_tombstones").await;
    let counted = rows.number("select tombstones from note_books").await;

    assert_eq!(late.status, 410);
    assert_eq!(short(&changes), [(uuid(1), 2, true)]);
    assert_eq!((kept, counted), (9901, 9901));
    rows.close().await;
    app.finish().await;
}
