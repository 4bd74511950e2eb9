//! `jobs list` and `jobs stats`.

use std::collections::HashSet;

use super::Scene;
use crate::support::Place;

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_gone_through_by_the_commands_it_names() {
    let scene = Scene::quiet().await;
    let mut all = HashSet::new();
    for name in ["ada", "bob", "eve", "fay", "guy"] {
        all.insert(scene.mail_to(name, &format!("{name}@example.com")).await);
    }

    let mut command = "smart-notes jobs list --state queued --limit 2".to_owned();
    let mut pages = Vec::new();
    loop {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let page = scene.prints(&words);
        let next = page
            .lines()
            .find_map(|line| line.strip_prefix("next page: "));
        let next = next.map(str::to_owned);
        pages.push(page);
        match next {
            Some(next) => command = next,
            None => break,
        }
    }
    let whole = scene.json(&["jobs", "list", "--json", "--limit", "10000"]);

    let seen: Vec<&str> = pages
        .iter()
        .flat_map(|page| page.lines())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| all.contains(*word))
        .collect();
    assert_eq!(pages.len(), 3, "{pages:#?}");
    let listed: Vec<&str> = whole
        .as_array()
        .unwrap()
        .iter()
        .map(|mail| mail["id"].as_str().unwrap())
        .collect();
    assert_eq!(seen, listed, "in one order, and each once");
    assert_eq!(listed.len(), 5);
    assert!(
        whole
            .as_array()
            .unwrap()
            .iter()
            .all(|mail| mail["state"] == "queued")
    );
}

/// What is pasted from a list must not tell addresses, the command for the next page included.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_page_names_no_address_unless_they_are_shown() {
    let scene = Scene::quiet().await;
    for _ in 0..2 {
        scene.mail_to("ada", "ada@example.com").await;
    }
    let list = ["jobs", "list", "--to", "ADA@example.com", "--limit", "1"];

    let masked = scene.prints(&list);
    let shown = scene.prints(&[list.as_slice(), &["--reveal"]].concat());

    assert!(
        masked.contains("--to ADDRESS --limit 1 --before"),
        "{masked}"
    );
    assert!(!masked.to_lowercase().contains("ada@"), "{masked}");
    assert!(shown.contains("--to ADA@example.com"), "{shown}");
    let next = shown.lines().find(|line| line.starts_with("next page"));
    assert!(next.unwrap().ends_with("--reveal"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_found_by_user_kind_and_time() {
    let scene = Scene::quiet().await;
    let ada = scene.mail_to("ada", "ada@example.com").await;
    scene.mail_to("bob", "bob@example.com").await;
    scene.prints(&["users", "verify", "ada@example.com"]);
    let count = |options: &[&str]| {
        let list = ["jobs", "list", "--json"];
        let mails = scene.json(&[list.as_slice(), options].concat());
        mails.as_array().unwrap().len()
    };

    for user in ["ada", "Ada@Example.com", "1"] {
        let mails = scene.json(&["jobs", "list", "--json", "--user", user]);
        assert_eq!(mails[0]["id"], ada, "{user}");
        assert_eq!(mails.as_array().unwrap().len(), 1, "{user}");
    }
    assert_eq!(count(&["--kind", "verify_email"]), 2);
    assert_eq!(count(&["--kind", "log_in"]), 0);
    assert_eq!(count(&["--since", "1h"]), 2);
    assert_eq!(count(&["--since", "2999-01-01T00:00:00Z"]), 0);
    let nobody = scene.run(&["jobs", "list", "--user", "mallory"]);
    assert_eq!(nobody.code, 3, "{nobody:?}");
    let no_kind = scene.run(&["jobs", "list", "--kind", "spam"]);
    assert_eq!(no_kind.code, 2, "{no_kind:?}");
    assert!(no_kind.err.contains("verify_email"), "{no_kind:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_add_up_and_name_the_workers_that_live() {
    let scene = Scene::new().await;
    let delivered = scene.mail_to("ada", "ada@example.com").await;
    scene.reaches(&delivered, "delivered").await;
    let refused = scene.mail_to("eve", "eve@bounce.test").await;
    scene.reaches(&refused, "undeliverable").await;
    scene.prints(&["jobs", "pause", "--reason", "a test"]);
    let waiting = scene.mail_to("bob", "bob@example.com").await;

    let stats = scene.json(&["jobs", "stats", "--json"]);
    let text = scene.prints(&["jobs", "stats"]);
    scene.finish().await;

    assert_eq!(stats["mails"]["delivered"]["verify_email"], 1);
    assert_eq!(stats["mails"]["undeliverable"]["verify_email"], 1);
    assert_eq!(stats["mails"]["queued"]["verify_email"], 1);
    assert_eq!(stats["oldest_waiting"]["id"], waiting);
    assert_eq!(stats["ended_last_minute"]["delivered"], 1);
    assert_eq!(stats["ended_last_hour"]["undeliverable"], 1);
    assert_eq!(stats["suppressed_addresses"], 1);
    assert_eq!(stats["pauses"][0]["reason"], "a test");
    assert_eq!(stats["workers"][0]["alive"], true);
    for words in [
        &waiting,
        "1 delivered, 1 undeliverable",
        "1 address",
        "alive, seen",
    ] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
    assert!(!text.lines().any(|line| line.ends_with(' ')), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_queue_without_a_worker_says_so() {
    let scene = Scene::quiet().await;

    let text = scene.prints(&["jobs", "stats"]);

    assert!(text.starts_with("no mails\n"), "{text}");
    assert!(
        text.contains("none: no mail is sent until one is started"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_why_mails_wait_and_that_no_worker_is_alive() {
    let mut scene = Scene::quiet().await;
    let id = scene.mail_to("ada", "ada@tempfail.test").await;

    let alone = scene.prints(&["jobs", "list"]);
    scene.start_worker().await;
    scene.reaches(&id, "waiting").await;
    let greylisted = scene.prints(&["jobs", "list"]);
    scene.finish().await;

    assert!(
        alone.ends_with("no worker is alive: start smart-notes-worker\n"),
        "{alone}"
    );
    assert!(!greylisted.contains("no worker"), "{greylisted}");
    assert!(
        greylisted.contains("REASON") && greylisted.contains("451"),
        "{greylisted}"
    );
}

/// A command that a message names finds the settings that the message was printed for.
#[test]
fn commands_that_are_named_carry_the_file_of_settings() {
    let place = Place::new();
    let file = place.path("my settings.toml");
    std::fs::write(&file, "").unwrap();

    let refused = place.run(&[
        "--config",
        file.to_str().unwrap(),
        "users",
        "show",
        "nobody",
    ]);

    let command = format!("`smart-notes --config '{}' users list`", file.display());
    assert!(refused.err.contains(&command), "{refused:?}");
}
