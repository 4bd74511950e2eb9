//! What is edited while a client goes through a list still comes on one of its pages.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ids, page, walk};
use crate::support::{Client, NOTES, Person, TestApp, path_of, target_of};

async fn made(client: &Client, count: usize) -> Vec<Value> {
    let mut notes = Vec::new();
    for n in 0..count {
        let note = json!({"title": format!("n{n:02}"), "content": "pear", "tags": ["x"]});
        notes.push(client.note(&note).await);
    }
    notes
}

async fn edit(app: &TestApp, client: &Client, note: &Value, fields: &Value) {
    app.clock.advance(Duration::from_secs(1));
    let answer = client.send("PATCH", &path_of(note), fields).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
}

#[tokio::test]
async fn a_note_that_an_edit_moves_ahead_of_the_page_comes_on_a_last_page() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let notes = made(&ada, 9).await;

    let first = page(&ada, &format!("{NOTES}?page_size=3")).await;
    edit(
        &app,
        &ada,
        &notes[0],
        &json!({"content": "edited meanwhile"}),
    )
    .await;
    ada.note(&json!({"title": "came meanwhile"})).await;
    let rest = walk(&ada, &target_of(&first["next"]), "next").await;

    let mut seen = ids(&first);
    seen.extend(rest.iter().flat_map(ids));
    let newest_first: Vec<_> = notes.iter().skip(1).rev().chain(&notes[..1]).collect();
    let expected: Vec<_> = newest_first.iter().map(|note| note["id"].clone()).collect();
    assert_eq!(json!(seen), json!(expected));
    let last = rest.last().unwrap();
    assert_eq!(last["results"][0]["content"], "edited meanwhile");
    let back = page(&ada, &target_of(&last["previous"])).await;
    assert_eq!(ids(&back), seen[5..8]);
    let forth = walk(&ada, &target_of(&back["next"]), "next").await;
    assert_eq!(forth.iter().flat_map(ids).collect::<Vec<_>>(), ids(last));
    app.finish().await;
}

/// A list whose order an edit changes may show a note again. The order by what no edit changes shows each once.
#[tokio::test]
async fn whatever_is_edited_between_pages_no_order_loses_a_note() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let lists = [
        "",
        "tag=X",
        "ordering=updated_at",
        "ordering=title",
        "ordering=-title",
        "search=pear",
    ];
    for list in lists
        .into_iter()
        .chain(["ordering=created_at", "ordering=-created_at"])
    {
        let notes = made(&ada, 20).await;
        let all: HashSet<_> = notes
            .iter()
            .map(|note| note["id"].as_str().unwrap().to_owned())
            .collect();
        let mut seen = Vec::new();
        let mut path = format!("{NOTES}?page_size=3&{list}");
        for n in 0..40 {
            let current = page(&ada, &path).await;
            seen.extend(ids(&current));
            if current["next"].is_null() {
                break;
            }
            path = target_of(&current["next"]);
            // Those at both ends of the list change their places, for as long as there are some.
            for (note, title) in [(notes.get(n), "zz"), (notes.iter().rev().nth(n), "a")] {
                if let Some(note) = note.filter(|_| n < 8) {
                    edit(
                        &app,
                        &ada,
                        note,
                        &json!({"title": format!("{title}{n} pear"), "content": "pear pear"}),
                    )
                    .await;
                }
            }
            assert!(n < 39, "{list}: the pages never end");
        }

        let once: HashSet<_> = seen.iter().cloned().collect();
        assert_eq!(once, all, "{list}");
        if list.contains("created_at") {
            assert_eq!(seen.len(), all.len(), "{list}");
        }
        for note in &notes {
            ada.delete(&format!("{}?permanent=true", path_of(note)))
                .await;
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn from_a_page_that_edits_have_emptied_the_way_leads_to_what_was_edited() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let notes = made(&ada, 8).await;

    let first = page(&ada, &format!("{NOTES}?page_size=4&tag=x")).await;
    for note in notes.iter().take(4) {
        edit(&app, &ada, note, &json!({"is_pinned": true})).await;
    }
    edit(&app, &ada, &notes[5], &json!({"tags": []})).await;
    let rest = walk(&ada, &target_of(&first["next"]), "next").await;

    assert_eq!(ids(&rest[0]), [] as [String; 0]);
    let seen: Vec<_> = rest.iter().flat_map(ids).collect();
    let edited: Vec<_> = notes
        .iter()
        .take(4)
        .map(|note| note["id"].clone())
        .collect();
    assert_eq!(json!(seen), json!(edited));
    assert!(rest.iter().all(|page| page["count"] == 7), "{rest:?}");
    app.finish().await;
}
