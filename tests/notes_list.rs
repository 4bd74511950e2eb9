//! Lists of notes: every order in both directions, and places that stay good while notes come and go.

mod edits;
mod emptied;
mod queries;

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, NOTES, TestApp, path_of, target_of};

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

/// A proxy says whether the client came by TLS and what it called the server, in lists where there are several proxies,
/// the outermost first (RFC 7239, section 4).
#[tokio::test]
async fn behind_a_proxy_links_name_what_the_client_called() {
    const HTTPS: (&str, &str) = ("X-Forwarded-Proto", "https");
    const HOST: (&str, &str) = ("Host", "notes.example.com");
    let plain = TestApp::with().behind_a_proxy().start().await;
    let standard = TestApp::with()
        .behind_a_proxy()
        .set("SMART_NOTES__HTTP__FORWARDED_HEADER", "forwarded")
        .start()
        .await;
    let public = TestApp::with()
        .set(
            "SMART_NOTES__HTTP__PUBLIC_URL",
            "https://example.com/notes/",
        )
        .start()
        .await;

    let next_of = async |app: &TestApp, name: &str, headers: &[(&str, &str)]| {
        let ada = app.premium(name).await;
        many(app, &ada, 2).await;
        let client = headers
            .iter()
            .fold(ada, |client, (name, value)| client.with(name, value));
        let next = page(&client, &format!("{NOTES}?page_size=1")).await["next"].clone();
        next.as_str()
            .unwrap()
            .split("/api/")
            .next()
            .unwrap()
            .to_owned()
    };
    let right = "https://notes.example.com";
    for (n, (headers, base)) in [
        (&[HOST, HTTPS][..], right),
        (&[HOST, ("X-Forwarded-Proto", "HTTPS, http")], right),
        (
            &[("X-Forwarded-Host", "notes.example.com, inner"), HTTPS],
            right,
        ),
        (&[HOST], "http://notes.example.com"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(
            next_of(&plain, &format!("ada{n}"), headers).await,
            base,
            "{headers:?}"
        );
    }
    for (n, (headers, base)) in [
        (
            &[(
                "Forwarded",
                "for=192.0.2.1;proto=https;host=notes.example.com",
            )][..],
            right,
        ),
        (
            &[(
                "Forwarded",
                "host=\"notes.example.com\";Proto=https, proto=http;host=inner",
            )],
            right,
        ),
        (
            &[HOST, HTTPS, ("Forwarded", "for=192.0.2.1")],
            "http://notes.example.com",
        ),
        (
            &[HOST, ("Forwarded", "proto=\"https")],
            "http://notes.example.com",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(
            next_of(&standard, &format!("ada{n}"), headers).await,
            base,
            "{headers:?}"
        );
    }
    let forged = [HOST, HTTPS, ("X-Forwarded-Host", "evil.test")];
    assert_eq!(
        next_of(&public, "ada", &forged).await,
        "https://example.com/notes"
    );

    plain.finish().await;
    standard.finish().await;
    public.finish().await;
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
