//! Pages that deletions have emptied: links lead back to every note.

use serde_json::{Value, json};

use super::{ids, many, page, sorted, walk};
use crate::support::{Client, NOTES, TestApp, target_of};

/// A search is a list as well, in an order of its own.
const LISTS: [&str; 7] = [
    "ordering=-updated_at",
    "ordering=updated_at",
    "ordering=-created_at",
    "ordering=created_at",
    "ordering=-title",
    "ordering=title",
    "search=note",
];

async fn delete_all(client: &Client, ids: &[String]) {
    for id in ids {
        client.delete(&format!("{NOTES}{id}/")).await;
    }
}

#[tokio::test]
async fn from_a_page_that_deletions_have_emptied_the_way_leads_back_to_every_note() {
    let app = TestApp::start().await;
    for (n, list) in LISTS.into_iter().enumerate() {
        // Whether the note that the cursor names is still there.
        for kept in [8, 7, 1] {
            let ada = app.premium(&format!("ada{n}-{kept}")).await;
            many(&app, &ada, 12).await;
            let path = format!("{NOTES}?{list}&page_size=4");
            let pages = walk(&ada, &path, "next").await;
            let all: Vec<_> = pages.iter().flat_map(ids).collect();
            assert_eq!(all.len(), 12, "{list}");
            let third = target_of(&pages[1]["next"]);

            delete_all(&ada, &all[kept..]).await;
            let emptied = page(&ada, &third).await;

            assert_eq!((ids(&emptied).len(), &emptied["next"]), (0, &Value::Null));
            let back = walk(&ada, &target_of(&emptied["previous"]), "previous").await;
            let listed: Vec<_> = back.iter().rev().flat_map(ids).collect();
            assert_eq!(listed, all[..kept], "{list} {kept}");
            assert_eq!(ids(&back[0]).len(), kept.min(4), "{list} {kept}");
            // What came after the place meanwhile is found on the way.
            assert!(back[0]["next"].is_string(), "{list} {kept}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn from_a_page_that_deletions_have_emptied_backwards_the_way_leads_forth_to_every_note() {
    let app = TestApp::start().await;
    for (n, list) in LISTS.into_iter().enumerate() {
        // Whether the note that the cursor names is still there.
        for gone in [8, 9, 11] {
            let ada = app.premium(&format!("ada{n}-{gone}")).await;
            many(&app, &ada, 12).await;
            let path = format!("{NOTES}?{list}&page_size=4");
            let pages = walk(&ada, &path, "next").await;
            let all: Vec<_> = pages.iter().flat_map(ids).collect();
            assert_eq!(all.len(), 12, "{list}");
            let second = target_of(&pages[2]["previous"]);

            delete_all(&ada, &all[..gone]).await;
            let emptied = page(&ada, &second).await;

            assert_eq!(
                (ids(&emptied).len(), &emptied["previous"]),
                (0, &Value::Null)
            );
            let forth = walk(&ada, &target_of(&emptied["next"]), "next").await;
            let listed: Vec<_> = forth.iter().flat_map(ids).collect();
            assert_eq!(listed, all[gone..], "{list} {gone}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_list_that_deletions_have_emptied_leads_nowhere() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let notes = many(&app, &ada, 12).await;
    let path = format!("{NOTES}?page_size=4");
    let pages = walk(&ada, &path, "next").await;

    delete_all(&ada, &sorted(&notes, "title")).await;

    for link in [&pages[1]["next"], &pages[2]["previous"]] {
        let emptied = page(&ada, &target_of(link)).await;
        assert_eq!(
            emptied,
            json!({"count": 0, "next": null, "previous": null, "results": []})
        );
    }
    app.finish().await;
}
