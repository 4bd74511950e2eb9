//! What may be asked of the lists: filters, the trash, cursors; everything else is refused.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use super::{ids, page, walk};
use crate::support::{CHANGES, Client, NOTES, Person, TestApp, path_of, target_of, upsert};

#[tokio::test]
async fn filters_can_be_combined_and_next_keeps_them() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let eve = app.member(&Person::new("eve")).await;
    eve.note(&json!({"title": "Eve's apple", "tags": ["x"], "is_pinned": true}))
        .await;
    for n in 0..48 {
        let tags = [json!([]), json!(["x"]), json!(["y", "x"])];
        let made = ada
            .note(&json!({
                "title": if n % 2 == 0 { "apple" } else { "pear" }, "tags": tags[n % 3],
                "is_pinned": n % 4 < 2, "is_archived": n % 8 < 4,
            }))
            .await;
        if n % 16 < 8 {
            ada.delete(&path_of(&made)).await;
        }
    }

    let mut checked = 0;
    for tag in ["", "x", "y", "X"] {
        for pinned in ["", "true", "false"] {
            for archived in ["", "true", "false"] {
                for trashed in ["", "true", "false"] {
                    for search in ["", "apple"] {
                        let query = format!(
                            "tag={tag}&is_pinned={pinned}&is_archived={archived}&trashed={trashed}&search={search}"
                        );
                        let fits = |n: &usize| {
                            let has = match tag {
                                "" => true,
                                "x" | "X" => !n.is_multiple_of(3),
                                "y" => n % 3 == 2,
                                _ => false,
                            };
                            let is = |wanted: &str, state: bool| {
                                wanted.is_empty() || (wanted == "true") == state
                            };
                            has && is(pinned, n % 4 < 2)
                                && is(archived, n % 8 < 4)
                                && (trashed == "true") == (n % 16 < 8)
                                && (search.is_empty() || n.is_multiple_of(2))
                        };
                        let expected = (0..48).filter(fits).count();

                        let pages =
                            walk(&ada, &format!("{NOTES}?{query}&page_size=5"), "next").await;

                        let found: HashSet<_> = pages.iter().flat_map(ids).collect();
                        assert_eq!(found.len(), expected, "{query}");
                        assert_eq!(pages[0]["count"], expected, "{query}");
                        for next in pages.iter().filter_map(|page| page["next"].as_str()) {
                            assert!(next.ends_with(&format!("{query}&page_size=5")), "{next}");
                        }
                        checked += pages.len();
                    }
                }
            }
        }
    }
    assert!(checked > 250, "{checked}");
    app.finish().await;
}

#[tokio::test]
async fn the_trash_shows_when_each_note_came_into_it_and_the_list_does_not() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let live = ada.note(&json!({"title": "live"})).await;
    let trashed = ada.note(&json!({"title": "trashed"})).await;
    app.clock.advance(Duration::from_secs(5));
    ada.delete(&path_of(&trashed)).await;

    let list = page(&ada, NOTES).await;
    let trash = page(&ada, &format!("{NOTES}?trashed=true")).await;

    assert_eq!(list["results"], json!([live]));
    let found = &trash["results"][0];
    assert_eq!(
        (&found["id"], &found["version"]),
        (&trashed["id"], &json!(2))
    );
    assert_eq!(found["updated_at"], trashed["updated_at"]);
    assert!(found["trashed_at"].as_str() > trashed["updated_at"].as_str());
    assert_eq!((&list["count"], &trash["count"]), (&json!(1), &json!(1)));
    app.finish().await;
}

#[tokio::test]
async fn a_cursor_of_another_user_or_another_order_or_none_at_all_is_refused() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let eve = app.member(&Person::new("eve")).await;
    for n in 0..3 {
        ada.note_path(&format!("apple {n}")).await;
        eve.note_path(&format!("apple {n}")).await;
    }
    let cursor = async |client: &Client, query: &str| {
        let page = page(client, &format!("{NOTES}?page_size=1{query}")).await;
        let next = target_of(&page["next"]);
        let (_, rest) = next.split_once("cursor=").unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    let own = cursor(&ada, "").await;
    let feed = page(&ada, CHANGES).await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();

    let half = &own[..own.len() / 2];
    let turned: String = own.chars().rev().collect();
    for (bad, query) in [
        (cursor(&eve, "").await.as_str(), ""),
        (feed.as_str(), ""),
        (own.as_str(), "&ordering=updated_at"),
        (own.as_str(), "&ordering=-title"),
        (own.as_str(), "&search=apple"),
        (cursor(&ada, "&search=apple").await.as_str(), ""),
        (
            cursor(&ada, "&ordering=title").await.as_str(),
            "&ordering=-title",
        ),
        (half, ""),
        (turned.as_str(), ""),
        ("x", ""),
        ("e30", ""),
        ("bnVsbA", ""),
        ("%00", ""),
        ("%ff", ""),
        ("🦀".repeat(300).as_str(), ""),
        ("A".repeat(9000).as_str(), ""),
    ] {
        let bad = bad.replace('🦀', "%F0%9F%A6%80");
        let answer = ada.get(&format!("{NOTES}?cursor={bad}{query}")).await;
        assert_eq!(answer.status, 400, "{bad} {query}");
        assert!(answer.json()["cursor"].is_array(), "{}", answer.shown());
    }
    assert_eq!(ada.get(&format!("{NOTES}?cursor={own}")).await.status, 200);
    assert_eq!(ada.get(&format!("{NOTES}?cursor=")).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn everything_else_in_the_query_is_refused_with_its_name() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let (tag, search) = ("t".repeat(51), "s".repeat(201));

    for (name, values) in [
        (
            "page_size",
            vec![
                "0",
                "101",
                "-1",
                "1.5",
                "x",
                "99999999999999999999",
                "%00",
                "true",
            ],
        ),
        ("is_pinned", vec!["maybe", "2", "%00", "null", "t%20rue"]),
        ("is_archived", vec!["yess", "-"]),
        ("trashed", vec!["both", "%5B%5D"]),
        (
            "ordering",
            vec![
                "rank",
                "content",
                "-",
                "--title",
                "id",
                "Title",
                "updated_at,title",
                "%00",
            ],
        ),
        ("tag", vec![&tag, "a%00"]),
        ("search", vec![&search, "%00"]),
    ] {
        for value in values {
            let answer = ada.get(&format!("{NOTES}?{name}={value}&unknown=1")).await;
            assert_eq!(answer.status, 400, "{name}={value}");
            let body = answer.json();
            let named: Vec<_> = body.as_object().unwrap().keys().collect();
            assert_eq!(named, [name], "{value}");
        }
    }
    let several = ada
        .get(&format!("{NOTES}?page_size=0&is_pinned=2&cursor=x"))
        .await
        .json();
    assert_eq!(several.as_object().unwrap().len(), 3, "{several}");
    for fine in [
        "page_size=1",
        "page_size=100",
        "page_size=0&page_size=5",
        "is_pinned=TRUE",
        "is_pinned=0",
        "unknown=%ff",
        "",
        "&&=",
        "tag=%F0%9F%A6%80",
        "search=%ff",
    ] {
        assert_eq!(
            ada.get(&format!("{NOTES}?{fine}")).await.status,
            200,
            "{fine}"
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn tags_compare_by_letters_in_any_case_and_normal_form_and_stay_as_typed_first() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let tags = ["Cafe\u{301}", "Café", "work", "CAFÉ", "Work", "Straße"];

    let made = ada.note(&json!({"title": "Milk", "tags": tags})).await;
    let path = path_of(&made);

    assert_eq!(made["tags"], json!(["Cafe\u{301}", "work", "Straße"]));
    for (tag, count) in [
        ("Caf%C3%A9", 1),
        ("cafe%CC%81", 1),
        ("CAF%C3%89", 1),
        ("WORK", 1),
        ("strasse", 1),
        ("cafe", 0),
        ("wor", 0),
    ] {
        let page = page(&ada, &format!("{NOTES}?tag={tag}")).await;
        assert_eq!(page["count"], count, "{tag}");
    }
    // A later edit may spell it in another way, and a batch follows the same rule.
    let patched = ada
        .send("PATCH", &path, &json!({"tags": ["CAFÉ", "café"]}))
        .await;
    assert_eq!(patched.json()["tags"], json!(["CAFÉ"]));
    let id = made["id"].as_str().unwrap();
    let edit = upsert(
        id,
        Some(2),
        &json!({"title": "Milk", "tags": ["Tea", "TEA", "É", "e\u{301}"]}),
    );
    let merged = ada.batch(&[edit]).await;
    assert_eq!(merged[0]["note"]["tags"], json!(["Tea", "É"]));
    let found = page(&ada, &format!("{NOTES}?tag=%C3%A9&trashed=false")).await;
    assert_eq!(found["count"], 1);
    app.finish().await;
}
