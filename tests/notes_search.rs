//! Search: words of the title and the content, their beginnings, whatever the case and the accents.

mod scripts;

use std::time::Duration;

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::support::{Client, NOTES, Person, TestApp, path_of, titles_of, until, upsert};

async fn search(client: &Client, text: &str) -> Value {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("search", text)
        .finish();
    let answer = client.get(&format!("{NOTES}?{query}")).await;
    assert_eq!(answer.status, 200, "{text}: {}", answer.shown());
    let page = answer.json();
    assert_eq!(
        page["results"].as_array().unwrap().len(),
        page["count"],
        "{text}"
    );
    page
}

/// The titles that are found, the best first.
async fn found(client: &Client, text: &str) -> Vec<String> {
    let page = search(client, text).await;
    let results = page["results"].as_array().unwrap();
    results
        .iter()
        .map(|note| note["title"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn each_word_must_begin_one_of_the_notes_words() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let content = "whole milk, bread and 3.5 apples\nfrom the market";
    ada.note(&json!({"title": "Shopping", "content": content, "tags": ["hidden"]}))
        .await;

    for hit in [
        "milk",
        "MILK",
        "mil",
        "m",
        "shop",
        "milk bread",
        "bread milk",
        "shopping apples",
        "3.5",
        "app",
        "from the market and milk",
        "a b c",
        "milk milk milk",
        "whole milk bread and 3.5 apples from the market shop",
    ] {
        let hits = found(&ada, hit).await.len();
        assert_eq!(hits, usize::from(hit != "a b c"), "{hit}");
    }
    for miss in [
        "ilk",
        "milks",
        "milk butter",
        "hidden",
        "butter milk",
        "mi lk",
        "shoppingwhole",
        "ing",
        "whole milk bread and butter",
        "whole milk bread and apples cream",
        "a b m s w f zzz",
    ] {
        assert!(found(&ada, miss).await.is_empty(), "{miss}");
    }
    app.finish().await;
}

#[tokio::test]
async fn the_syntax_of_query_languages_is_plain_text() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    ada.note(&json!({"title": "Milk", "content": "and bread"}))
        .await;
    ada.note(&json!({"title": "Other", "content": "100% _ * \\ ' \" ( -- ; near column not or"}))
        .await;

    for (text, titles) in [
        ("\"milk\"", vec!["Milk"]),
        ("milk*", vec!["Milk"]),
        ("(milk)", vec!["Milk"]),
        ("-milk", vec!["Milk"]),
        ("+milk -bread", vec!["Milk"]),
        ("title:milk", vec![]),
        ("milk AND bread", vec!["Milk"]),
        ("milk OR other", vec![]),
        ("milk NOT bread", vec![]),
        ("NEAR(milk bread)", vec![]),
        ("milk\" bread", vec!["Milk"]),
        ("mi%k", vec![]),
        ("m_lk", vec![]),
        ("'; drop table notes; --", vec![]),
        ("{milk}^2", vec![]),
        ("\\milk", vec!["Milk"]),
        ("100%", vec!["Other"]),
    ] {
        assert_eq!(found(&ada, text).await, titles, "{text}");
    }
    assert_eq!(ada.get(NOTES).await.json()["count"], 2);
    app.finish().await;
}

#[tokio::test]
async fn what_has_no_words_finds_nothing_and_an_empty_search_is_none() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    ada.note(&json!({"title": "Milk", "content": "* - \" 🦀"}))
        .await;

    for nothing in ["*", "\"", " ", "--", "\u{301}", "🦀", "\u{200b}", "%", "_"] {
        let page = search(&ada, nothing).await;
        assert_eq!(
            (&page["count"], &page["next"]),
            (&json!(0), &Value::Null),
            "{nothing}"
        );
    }
    assert_eq!(
        titles_of(&ada.get(&format!("{NOTES}?search=")).await),
        ["Milk"]
    );
    app.finish().await;
}

#[tokio::test]
async fn the_best_come_first_titles_before_contents_and_newer_before_older() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    for (title, content) in [
        ("apple", "whole word in the title"),
        ("applesauce", "beginning of a word in the title"),
        ("content, older", "an apple"),
        ("content, newer", "an apple"),
        ("content, beginning", "an applesauce"),
        ("nothing", "pear"),
    ] {
        app.clock.advance(Duration::from_secs(1));
        ada.note(&json!({"title": title, "content": content})).await;
    }

    let ranked = found(&ada, "apple").await;
    let by_title = ada
        .titles(&format!("{NOTES}?search=apple&ordering=-title"))
        .await;

    assert_eq!(
        ranked,
        [
            "apple",
            "applesauce",
            "content, newer",
            "content, older",
            "content, beginning"
        ]
    );
    assert_eq!(
        by_title,
        [
            "content, older",
            "content, newer",
            "content, beginning",
            "applesauce",
            "apple"
        ]
    );
    app.finish().await;
}

#[tokio::test]
async fn a_ranked_search_is_paged_both_ways() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    for n in 0..18 {
        let title = ["apple", "applesauce", "pear"][n % 3];
        ada.note(&json!({"title": title, "content": "apple applesauce"}))
            .await;
    }
    let all = search(&ada, "apple").await["results"].clone();

    let mut pages = Vec::new();
    let mut path = format!("{NOTES}?search=apple&page_size=5");
    loop {
        let page = ada.get(&path).await.json();
        pages.push(page.clone());
        if page["next"].is_null() {
            break;
        }
        path = crate::support::target_of(&page["next"]);
    }
    let back = ada
        .get(&crate::support::target_of(&pages[2]["previous"]))
        .await
        .json();

    let in_pages: Vec<_> = pages
        .iter()
        .flat_map(|page| page["results"].as_array().unwrap().clone())
        .collect();
    assert_eq!(json!(in_pages), all);
    assert_eq!((pages.len(), &back["results"]), (4, &pages[1]["results"]));
    assert!(pages.iter().all(|page| page["count"] == 18));
    app.finish().await;
}

#[tokio::test]
async fn each_hit_has_a_snippet_of_its_content_around_what_was_found() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let content = format!(
        "{} the Résumé 🦀 of it {}",
        "é ".repeat(40_000),
        "🦀".repeat(20_000 - 60)
    );
    ada.note(&json!({"title": "long", "content": content}))
        .await;
    ada.note(&json!({"title": "resume in the title", "content": "\u{301}".repeat(3000)}))
        .await;
    ada.note(&json!({"title": "resume alone"})).await;

    let page = search(&ada, "resum").await;

    let snippet = |title: &str| {
        let results = page["results"].as_array().unwrap();
        let note = results.iter().find(|note| note["title"] == title).unwrap();
        note["snippet"].as_str().unwrap().to_owned()
    };
    assert!(
        snippet("long").contains("the Résumé 🦀 of it"),
        "{}",
        snippet("long")
    );
    assert_eq!(snippet("resume alone"), "");
    for title in ["long", "resume in the title"] {
        assert!(snippet(title).chars().count() < 600, "{title}");
    }
    let plain = ada.get(NOTES).await.json();
    assert!(plain["results"][0].get("snippet").is_none());
    app.finish().await;
}

#[tokio::test]
async fn every_change_is_found_at_once_and_what_it_replaced_no_more() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let made = ada.note(&json!({"title": "alpha", "content": "one"})).await;
    let (path, id) = (path_of(&made), made["id"].as_str().unwrap());
    let in_trash = async || {
        let answer = ada.get(&format!("{NOTES}?trashed=true&search=gamma")).await;
        answer.json()["count"].as_u64().unwrap()
    };
    let counts = async || {
        let mut counts = Vec::new();
        for word in ["alpha", "beta", "gamma"] {
            counts.push(found(&ada, word).await.len());
        }
        counts
    };

    assert_eq!(counts().await, [1, 0, 0]);
    ada.send("PATCH", &path, &json!({"content": "beta"})).await;
    assert_eq!(counts().await, [1, 1, 0]);
    ada.send("PUT", &path, &json!({"title": "gamma"})).await;
    assert_eq!(counts().await, [0, 0, 1]);
    ada.delete(&path).await;
    assert_eq!((counts().await, in_trash().await), (vec![0, 0, 0], 1));
    ada.post_empty(&format!("{path}restore/")).await;
    assert_eq!((counts().await, in_trash().await), (vec![0, 0, 1], 0));
    ada.batch(&[upsert(id, Some(5), &json!({"title": "alpha"}))])
        .await;
    assert_eq!(counts().await, [1, 0, 0]);
    ada.batch(&[upsert(id, Some(1), &json!({"title": "beta"}))])
        .await;
    assert_eq!(counts().await, [1, 1, 0]);
    ada.delete(&path).await;
    ada.send("PUT", &path, &json!({"title": "gamma"})).await;
    assert_eq!(counts().await, [0, 1, 1]);
    ada.delete(&format!("{path}?permanent=true")).await;
    assert_eq!((counts().await, in_trash().await), (vec![0, 1, 0], 0));
    app.finish().await;
}

#[tokio::test]
async fn nobody_finds_the_notes_of_others() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    let eve = app.member(&Person::new("eve")).await;
    ada.note(&json!({"title": "secret apple", "tags": ["t"], "is_pinned": true}))
        .await;
    let trashed = ada.note_path("secret pear").await;
    ada.delete(&trashed).await;

    for query in [
        "",
        "?search=secret",
        "?search=apple&ordering=title",
        "?trashed=true",
        "?tag=t",
        "?is_pinned=true",
        "?trashed=true&search=pear",
        "?ordering=created_at",
    ] {
        let page = eve.get(&format!("{NOTES}{query}")).await.json();
        let nothing = json!({"count": 0, "next": null, "previous": null, "results": []});
        assert_eq!(page, nothing, "{query}");
    }
    app.finish().await;
}

/// An older program writes words by other rules, and leaves out by which.
#[tokio::test]
async fn notes_of_an_older_program_are_found_soon() {
    let app = TestApp::start().await;
    let ada = app.member(&Person::new("ada")).await;
    for (title, tag) in [("Łódź", "Café"), ("東京都", "ÉTÉ"), ("plain", "work")] {
        ada.note(&json!({"title": title, "tags": [tag]})).await;
    }
    let mut rows = app.rows().await;

    for statement in [
        "update notes set words = ' old ' || char(10) || ' ', tag_keys = null, change = change + 10",
        "update notes set folded = 0 where title = 'plain'",
    ] {
        rows.run(statement).await;
    }

    for (query, title) in [
        ("search=lodz", "Łódź"),
        ("search=%E4%BA%AC%E9%83%BD", "東京都"),
        ("search=plain", "plain"),
        ("tag=cafe%CC%81", "Łódź"),
        ("tag=%C3%A9t%C3%A9", "東京都"),
        ("tag=WORK", "plain"),
    ] {
        let path = format!("{NOTES}?{query}");
        let found = until(query, async || {
            Some(ada.titles(&path).await).filter(|titles| !titles.is_empty())
        });
        assert_eq!(found.await, [title], "{query}");
    }
    rows.close().await;
    app.finish().await;
}
