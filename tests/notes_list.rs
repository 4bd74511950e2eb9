//! Lists of notes: every order in both directions, places that stay good while notes come and go, and filters.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{CHANGES, Client, NOTES, Person, TestApp, path_of, target_of};

const ORDERS: [&str; 6] = [
    "-updated_at",
    "updated_at",
    "-created_at",
    "created_at",
    "-title",
    "title",
];

async fn page(client: &Client, path: &str) -> Value {
    let answer = client.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.shown());
    answer.json()
}

fn ids(page: &Value) -> Vec<String> {
    let results = page["results"].as_array().unwrap();
    let ids = results.iter().map(|note| note["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

/// The pages from a path on, by `next` or by `previous`.
async fn walk(client: &Client, path: &str, link: &str) -> Vec<Value> {
    let mut pages = vec![page(client, path).await];
    while let Some(url) = pages
        .last()
        .map(|page| &page[link])
        .filter(|url| !url.is_null())
    {
        let next = page(client, &target_of(url)).await;
        pages.push(next);
        assert!(pages.len() < 200, "the pages never end");
    }
    pages
}

/// Notes whose times and titles are often the same.
async fn many(app: &TestApp, client: &Client, count: usize) -> Vec<Value> {
    let titles = ["b", "A", "É", "e", "", "a", "zz"];
    let mut notes = Vec::new();
    for n in 0..count {
        if n % 5 == 4 {
            app.clock.advance(Duration::from_micros(1));
        }
        let note = json!({"title": titles[n % titles.len()], "content": format!("note {n}")});
        notes.push(client.note(&note).await);
    }
    app.clock.advance(Duration::from_secs(1));
    for n in (0..count).step_by(4) {
        let path = path_of(&notes[n]);
        let changed = json!({"content": format!("note {n} changed")});
        notes[n] = client.send("PATCH", &path, &changed).await.json();
    }
    notes
}

/// The identifiers in an order, as a client would sort them.
fn sorted(notes: &[Value], order: &str) -> Vec<String> {
    let key = |note: &Value| {
        let text = note[order.trim_start_matches('-')].as_str().unwrap();
        let text = text.to_lowercase().replace('é', "e");
        (text, note["id"].as_str().unwrap().to_owned())
    };
    let mut keys: Vec<_> = notes.iter().map(key).collect();
    keys.sort();
    if order.starts_with('-') {
        keys.reverse();
    }
    keys.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn every_order_is_paged_forwards_and_backwards_with_ties() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let notes = many(&app, &ada, 23).await;

    for order in ORDERS {
        for size in [1, 4, 22, 23, 100] {
            let path = format!("{NOTES}?ordering={order}&page_size={size}");
            let pages = walk(&ada, &path, "next").await;

            let listed: Vec<_> = pages.iter().flat_map(ids).collect();
            assert_eq!(listed, sorted(&notes, order), "{order} {size}");
            assert_eq!(pages.len(), 23_usize.div_ceil(size), "{order} {size}");
            assert!(pages.iter().all(|page| page["count"] == 23));
            assert!(pages[0]["previous"].is_null());
            let Some(previous) = pages.last().unwrap()["previous"].as_str() else {
                assert_eq!(pages.len(), 1);
                continue;
            };
            let back = walk(&ada, &target_of(&json!(previous)), "previous").await;
            let mut again: Vec<_> = back.iter().rev().flat_map(ids).collect();
            again.extend(ids(pages.last().unwrap()));
            assert_eq!(again, listed, "{order} {size} backwards");
            // From the first page reached backwards, the way leads forth again.
            let forth = walk(&ada, &target_of(&back.last().unwrap()["next"]), "next").await;
            let mut forth: Vec<_> = forth.iter().flat_map(ids).collect();
            forth.splice(0..0, ids(back.last().unwrap()));
            assert_eq!(forth, listed, "{order} {size} forth again");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn the_list_is_ordered_by_the_last_change_unless_it_says_otherwise() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let notes = many(&app, &ada, 21).await;

    let first = page(&ada, NOTES).await;

    assert_eq!(ids(&first), sorted(&notes, "-updated_at")[..20]);
    let next = first["next"].as_str().unwrap();
    assert!(
        next.starts_with(&format!("http://{}{NOTES}?", ada.address())),
        "{next}"
    );
    app.finish().await;
}

/// What is there all the time is seen exactly once, whatever comes and goes between the pages.
#[tokio::test]
async fn notes_that_come_and_go_between_pages_make_no_other_appear_twice_or_get_lost() {
    for order in ORDERS {
        let app = TestApp::start().await;
        let ada = app.premium("ada").await;
        let notes = many(&app, &ada, 24).await;
        let order_of_all = sorted(&notes, order);
        let path = format!("{NOTES}?ordering={order}&page_size=4");

        let mut seen = Vec::new();
        let mut gone = HashSet::new();
        let mut current = page(&ada, &path).await;
        loop {
            seen.extend(ids(&current));
            // The note that the cursor names goes, and one that was not seen yet.
            for id in [
                seen.last(),
                order_of_all.iter().rev().find(|id| !gone.contains(*id)),
            ] {
                let path = format!("{NOTES}{}/", id.unwrap());
                ada.request("DELETE", &path).send().await;
                gone.insert(id.unwrap().clone());
            }
            ada.note(&json!({"title": "m", "content": "came meanwhile"}))
                .await;
            let Some(next) = current["next"].as_str() else {
                break;
            };
            current = page(&ada, &target_of(&json!(next))).await;
        }

        let once: HashSet<_> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "{order}: one was seen twice");
        for id in order_of_all.iter().filter(|id| !gone.contains(*id)) {
            assert!(once.contains(id), "{order}: {id} was lost");
        }
        app.finish().await;
    }
}

#[tokio::test]
async fn the_way_back_stays_good_while_notes_come_and_go() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    let notes = many(&app, &ada, 12).await;
    let all = sorted(&notes, "title");
    let path = format!("{NOTES}?ordering=title&page_size=4");
    let second = target_of(&page(&ada, &path).await["next"]);
    let third = page(&ada, &target_of(&page(&ada, &second).await["next"])).await;

    ada.delete(&format!("{NOTES}{}/", all[8])).await;
    ada.delete(&format!("{NOTES}{}/", all[6])).await;
    let back = page(&ada, &target_of(&third["previous"])).await;

    assert_eq!(
        ids(&back),
        [&all[3], &all[4], &all[5], &all[7]].map(Clone::clone)
    );
    app.finish().await;
}

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

/// Folding makes some texts much longer; a place in the list must still fit into a link.
#[tokio::test]
async fn titles_that_fold_to_long_texts_are_paged_as_well() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    for letter in ["\u{fdfa}", "한", "ß", "\u{1}", "\u{10ffff}", "\"", "🦀"] {
        for _ in 0..2 {
            ada.note(&json!({"title": letter.repeat(200), "content": "c"}))
                .await;
        }
    }

    for order in ["title", "-title"] {
        let path = format!("{NOTES}?ordering={order}&page_size=1");
        let forth: Vec<_> = walk(&ada, &path, "next")
            .await
            .iter()
            .flat_map(ids)
            .collect();

        assert_eq!(forth.iter().collect::<HashSet<_>>().len(), 14);
        assert_eq!(forth.len(), 14);
    }
    app.finish().await;
}

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
                                "x" => !n.is_multiple_of(3),
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
        ("is_archived", vec!["yes", "-"]),
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

/// Sizes are kept, also where the page ends exactly at the end of the list.
#[tokio::test]
async fn a_page_has_as_many_notes_as_asked_for_and_no_more() {
    let app = TestApp::start().await;
    let ada = app.premium("ada").await;
    many(&app, &ada, 101).await;

    for (query, first, links) in [
        ("", 20, true),
        ("?page_size=1", 1, true),
        ("?page_size=100", 100, true),
        ("?page_size=100&is_pinned=true", 0, false),
        ("?page_size=101&page_size=50", 50, true),
    ] {
        let found = page(&ada, &format!("{NOTES}{query}")).await;

        assert_eq!(ids(&found).len(), first, "{query}");
        assert_eq!(found["next"].is_string(), links, "{query}");
    }
    app.finish().await;
}
