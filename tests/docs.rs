//! The documents against the tree: links and anchors, paths, routes, metrics. `docs/settings.md` is compared with
//! `config/default.toml` in the crate of the settings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use domain::mail::MailState;
use serde_json::Value;

use crate::support::TestApp;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Folders that are not part of the tree, at whatever depth.
const FOREIGN: [&str; 5] = [".git", "target", "var", "node_modules", "__pycache__"];

/// The files of the tree whose name ends in one of these, by their path from the root, with their text.
fn files(endings: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from(ROOT)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !FOREIGN.contains(&name.as_str()) {
                folders.push(path);
            } else if path.is_file() && endings.iter().any(|end| name.ends_with(end)) {
                let from_root = path.strip_prefix(ROOT).unwrap().to_str().unwrap();
                found.insert(from_root.to_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The lines of a document that are not in a code block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The targets of the links of a document, those to other sites left out.
fn links(text: &str) -> Vec<&str> {
    let ends = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = ends.filter_map(|rest| rest.split(')').next());
    targets.filter(|to| !to.contains("://")).collect()
}

/// The anchors of a document's headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let slug = |line: &str| {
        let heading: String = line
            .trim_start_matches('#')
            .trim()
            .chars()
            .filter(kept)
            .collect();
        heading.to_lowercase().replace(' ', "-")
    };
    headings.map(slug).collect()
}

/// Every link of these documents that leads nowhere.
fn broken_links(documents: &BTreeMap<String, String>) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, text) in documents {
        let folder = Path::new(name).parent().unwrap();
        for link in links(text) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = if path.is_empty() {
                name.into()
            } else {
                folder.join(path)
            };
            let to = normal(&to);
            let resolves = if anchor.is_empty() {
                Path::new(ROOT).join(&to).exists()
            } else {
                documents
                    .get(&to)
                    .is_some_and(|text| anchors(text).contains(anchor))
            };
            if !resolves {
                broken.push(format!("{name}: {link}"));
            }
        }
    }
    broken
}

/// A path without `..`.
fn normal(path: &Path) -> String {
    let mut parts = Vec::new();
    for part in path.to_str().unwrap().split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The texts in backticks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn every_link_and_anchor_in_the_documents_resolves() {
    let documents = files(&[".md"]);

    let broken = broken_links(&documents);

    assert_eq!(broken, Vec::<String>::new());
    assert!(links(&documents["README.md"]).len() > 10);
}

#[test]
fn each_kind_of_broken_link_is_found() {
    let text = "# One thing, well-known\n[a](#one-thing-well-known) [b](#no) [c](no.md) [d](../README.md)\n\
        ```\n[e](in-code.md)\n```\n[f](https://example.com/)";
    let documents = BTreeMap::from([("docs/it.md".to_owned(), text.to_owned())]);

    let broken = broken_links(&documents);

    assert_eq!(broken, ["docs/it.md: #no", "docs/it.md: no.md"]);
}

/// mdBook renders the pages of `docs/` alone, so a link out of that folder would be dead there.
#[test]
fn the_book_contains_every_page_and_no_page_links_out_of_it() {
    let documents = files(&[".md"]);
    let pages = documents
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix("docs/")?, text)));
    let pages: BTreeMap<_, _> = pages.collect();

    let listed = links(pages["SUMMARY.md"]);
    let outside = pages
        .values()
        .flat_map(|text| links(text))
        .filter(|link| link.starts_with(".."));

    let others = pages.keys().copied().filter(|name| *name != "SUMMARY.md");
    assert_eq!(
        listed.into_iter().collect::<BTreeSet<_>>(),
        others.collect()
    );
    assert_eq!(outside.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn the_readme_is_short() {
    let lines = files(&["README.md"])["README.md"].lines().count();

    assert!(
        lines <= 150,
        "{lines} lines: docs/ has a page for each kind of reader"
    );
}

#[test]
fn every_path_that_a_document_names_exists() {
    let folders = [
        "src/",
        "crates/",
        "worker/",
        "tests/",
        "docs/",
        "config/",
        "migrations/",
        ".ci/",
    ];
    let is_path = |span: &&str| {
        let named = folders.iter().any(|folder| span.starts_with(folder));
        named && !span.contains([' ', '*', '{', '…'])
    };

    let mut missing = Vec::new();
    for (name, text) in files(&[".md"]) {
        let paths = code_spans(&text).filter(is_path);
        let absent = paths.filter(|path| !Path::new(ROOT).join(path).exists());
        missing.extend(absent.map(|path| format!("{name}: {path}")));
    }

    assert_eq!(missing, Vec::<String>::new());
}

/// A message or a comment that names a page must name one that exists.
#[test]
fn every_page_that_the_code_names_exists() {
    let mut missing = Vec::new();
    for (name, text) in files(&[".rs", ".toml", ".service", ".py", ".sh", "run"]) {
        let named = text.split("docs/").skip(1).filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c));
            let page = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
            Path::new(page)
                .extension()
                .is_some_and(|it| it == "md")
                .then_some(page)
        });
        let absent = named.filter(|page| !Path::new(ROOT).join("docs").join(page).exists());
        missing.extend(absent.map(|page| format!("{name}: docs/{page}")));
    }
    missing.retain(|missing| !missing.starts_with("tests/docs.rs"));

    assert_eq!(missing, Vec::<String>::new());
}

/// The first cells of the rows of all tables.
fn first_cells(text: &str) -> impl Iterator<Item = &str> {
    let rows = prose(text).filter(|line| line.starts_with("| "));
    rows.filter_map(|row| row.split('|').nth(1))
}

#[tokio::test]
async fn the_page_of_the_api_has_every_route_and_code_of_the_description() {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .paid()
        .start()
        .await;
    let description: Value = app.client.get("/api/openapi.json").await.json();
    let page = &files(&["api.md"])["docs/api.md"];

    let mut listed = BTreeSet::new();
    for cell in first_cells(page) {
        let mut methods = Vec::new();
        for span in cell.split('`').skip(1).step_by(2) {
            let (method, path) = span.split_once(' ').unwrap_or((span, ""));
            methods.push(method);
            if !path.is_empty() {
                listed.extend(methods.drain(..).map(|method| format!("{method} {path}")));
            }
        }
    }

    let paths = description["paths"].as_object().unwrap();
    let described = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let described = described.collect();
    let differ = listed.symmetric_difference(&described).cloned();
    assert_eq!(differ.collect::<Vec<_>>(), Vec::<String>::new());
    let codes = codes(&description);
    let missing = codes
        .iter()
        .filter(|code| !page.contains(&format!("`{code}`")));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&&str>::new());
    assert!(codes.len() > 20, "{codes:?}");
    app.finish().await;
}

/// The codes of refusals that a description names.
fn codes(description: &Value) -> BTreeSet<&str> {
    let code = &description["properties"]["code"];
    let named = code["enum"].as_array().into_iter().flatten();
    let mut codes: BTreeSet<_> = named.filter_map(Value::as_str).collect();
    match description {
        Value::Object(members) => codes.extend(members.values().flat_map(self::codes)),
        Value::Array(items) => codes.extend(items.iter().flat_map(self::codes)),
        _ => {}
    }
    codes
}

#[test]
fn the_table_of_states_lists_every_state_of_a_mail() {
    let page = &files(&["delivery.md"])["docs/delivery.md"];
    let (_, section) = page.split_once("## States of a mail\n").unwrap();
    let (table, _) = section.split_once("\n## ").unwrap();

    let listed = first_cells(table).filter_map(|cell| cell.split('`').nth(1));

    let states = MailState::ALL.map(MailState::as_str);
    assert_eq!(listed.collect::<BTreeSet<_>>(), BTreeSet::from(states));
}

#[test]
fn the_tables_of_metrics_are_those_of_the_programs() {
    let page = &files(&["monitoring.md"])["docs/monitoring.md"];
    let is_metric =
        |text: &&str| text.starts_with("smart_notes_") && !text.contains([' ', '=', ',']);
    let libraries = ["smart_notes_api", "smart_notes_worker"];

    let spans = first_cells(page).flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let listed: BTreeSet<_> = spans.filter(is_metric).collect();

    let sources = files(&[".rs"]);
    let products = sources.iter().filter(|(name, _)| {
        let tests = name.contains("tests/") || name.contains("tests.rs");
        !tests && !name.starts_with("crates/bench") && !name.contains("/bench/")
    });
    let texts = products.flat_map(|(_, text)| text.split('"'));
    let counted = texts
        .filter(is_metric)
        .filter(|text| !libraries.contains(text));
    let counted: BTreeSet<_> = counted.collect();
    let differ = listed.symmetric_difference(&counted);
    assert_eq!(differ.collect::<Vec<_>>(), Vec::<&&str>::new());
}
