//! Pages of long notes end early, and lose none.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{Client, NOTES, Person, TestApp, path_of, target_of};

/// More than fit on a page of long ones.
const MANY: usize = 8;

/// The most bytes of a page, and what one note may add.
const MOST: usize = 512 * 1024 + 100_000 + 10_000;

/// A user with notes of the longest content, each with a title of its own.
async fn with_long_notes(app: &TestApp) -> (Client, Vec<Value>) {
    let ada = app.member(&Person::new("ada")).await;
    let mut notes = Vec::new();
    for n in 0..MANY {
        let content = format!("pear {}", "x".repeat(99_995));
        notes.push(
            ada.note(&json!({"title": format!("title {n}"), "content": content}))
                .await,
        );
    }
    (ada, notes)
}

/// The identifiers of each page from a path on, by a link.
async fn pages(client: &Client, path: &str, link: &str) -> (Vec<Vec<String>>, String) {
    let (mut pages, mut path) = (Vec::new(), path.to_owned());
    loop {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
        assert!(answer.body.len() < MOST, "{}", answer.body.len());
        let page = answer.json();
        let results = page["results"].as_array().unwrap();
        assert!(!results.is_empty() && page["count"] == MANY);
        let ids = results.iter().map(|note| note["id"].as_str().unwrap());
        pages.push(ids.map(str::to_owned).collect());
        if page[link].is_null() {
            return (pages, path);
        }
        path = target_of(&page[link]);
    }
}

#[tokio::test]
async fn a_list_of_long_notes_ends_early_and_goes_on() {
    let app = TestApp::start().await;
    let (ada, notes) = with_long_notes(&app).await;
    let all: HashSet<String> = notes
        .iter()
        .map(|note| note["id"].as_str().unwrap().to_owned())
        .collect();

    for query in [
        "",
        "ordering=updated_at",
        "ordering=-created_at",
        "ordering=title",
        "ordering=-title",
        "is_pinned=false",
        "search=pear",
        "search=title",
    ] {
        let path = format!("{NOTES}?page_size=100&{query}");
        let (forwards, end) = pages(&ada, &path, "next").await;
        let (backwards, _) = pages(&ada, &end, "previous").await;

        for pages in [forwards, backwards] {
            assert!(pages.len() > 1, "{query}");
            let listed: Vec<_> = pages.concat();
            assert_eq!(listed.len(), MANY, "{query}");
            assert_eq!(HashSet::from_iter(listed), all, "{query}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn the_trash_and_the_feed_of_long_notes_end_early_and_go_on() {
    let app = TestApp::start().await;
    let (ada, notes) = with_long_notes(&app).await;

    let answer = ada.get("/api/notes/changes/?page_size=100").await;
    let first = answer.json();
    let (changes, _) = ada.changes_after(None, 100).await;
    assert!(answer.body.len() < MOST);
    assert_eq!(first["has_more"], true);
    let told: Vec<_> = changes.iter().map(|change| &change["id"]).collect();
    let made: Vec<_> = notes.iter().map(|note| &note["id"]).collect();
    assert_eq!(told, made);

    for note in &notes {
        ada.delete(&path_of(note)).await;
    }
    let (trash, _) = pages(&ada, &format!("{NOTES}?page_size=100&trashed=true"), "next").await;
    let (changes, _) = ada.changes_after(None, 100).await;
    assert!(trash.len() > 1);
    assert_eq!(trash.concat().len(), MANY);
    assert_eq!(changes.len(), MANY);
    assert!(changes.iter().all(|change| change["deleted"] == true));
    app.finish().await;
}
