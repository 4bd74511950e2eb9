//! `deny.toml` without cargo-deny: licences, banned crates and sources of everything that is built here.

use cargo_metadata::{Metadata, Package};

use crate::imports::{metadata_for, this_platform};

const DENY: &str = include_str!("../deny.toml");

/// The texts in quotes of a list in a section of `deny.toml`, its comments left out.
fn list(section: &str, key: &str) -> Vec<&'static str> {
    let (_, section) = DENY.split_once(&format!("[{section}]\n")).unwrap();
    let (_, list) = section.split_once(&format!("\n{key} = [")).unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let lines = list.lines().filter_map(|line| line.split('#').next());
    lines
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .collect()
}

/// The names of the crates that `deny.toml` bans.
fn banned() -> Vec<&'static str> {
    let crates = DENY.lines().filter(|line| line.contains("{ crate = "));
    crates.map(|line| line.split('"').nth(1).unwrap()).collect()
}

/// Whether an SPDX expression is satisfied by allowed licences. `MIT/Apache-2.0` is the old spelling of `OR`.
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let satisfied = any(&mut words, allowed);
    satisfied && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// One of several alternatives. Reads all of them, satisfied or not.
fn any(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut satisfied = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        satisfied |= all(words, allowed);
    }
    satisfied
}

/// Several licences at once. `AND` binds closer than `OR`.
fn all(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    let mut satisfied = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        satisfied &= one(words, allowed);
    }
    satisfied
}

/// A licence with its exception, or an expression in parentheses. An exception is part of the name in the list.
fn one(words: &mut Words<'_>, allowed: &[&str]) -> bool {
    match words.next() {
        Some("(") => any(words, allowed) & words.next_if_eq(&")").is_some(),
        Some(licence) if words.next_if_eq(&"WITH").is_some() => {
            let with = format!("{licence} WITH {}", words.next().unwrap_or_default());
            allowed.contains(&with.as_str())
        }
        Some(licence) => allowed.contains(&licence),
        None => false,
    }
}

/// Every rule of `deny.toml` that a package breaks.
fn broken(metadata: &Metadata) -> Vec<String> {
    let (allowed, banned) = (list("licenses", "allow"), banned());
    let registries = list("sources", "allow-registry");
    let known = |package: &Package| {
        let source = package.source.as_ref().map(|source| source.repr.as_str());
        source.is_none_or(|source| {
            let registry = source.strip_prefix("registry+");
            registry.is_some_and(|registry| registries.contains(&registry))
        })
    };
    let mut broken = Vec::new();
    for package in &metadata.packages {
        let licence = package.license.as_deref().unwrap_or_default();
        if !satisfied(licence, &allowed) {
            broken.push(format!("{} has the licence `{licence}`", package.name));
        }
        if banned.contains(&package.name.as_str()) {
            broken.push(format!("{} is banned", package.name));
        }
        if !known(package) {
            broken.push(format!("{} comes from {:?}", package.name, package.source));
        }
    }
    broken
}

#[test]
fn every_dependency_keeps_the_rules_of_deny_toml() {
    let metadata = metadata_for(&this_platform()).unwrap();

    let broken = broken(&metadata);

    assert_eq!(broken, Vec::<String>::new());
    assert!(!banned().is_empty() && metadata.packages.len() > 100);
}

#[test]
fn each_kind_of_broken_rule_of_deny_toml_is_found() {
    let mut metadata = metadata_for(&this_platform()).unwrap();
    let package = metadata.packages.first_mut().unwrap();
    package.license = Some("GPL-3.0-only".to_owned());
    let source = r#""git+https://example.com/crate""#;
    package.source = Some(serde_json::from_str(source).unwrap());

    let broken = broken(&metadata);

    assert_eq!(broken.len(), 2, "{broken:?}");
}

#[test]
fn licence_expressions_are_read_as_spdx_defines_them() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
    let satisfied = |expression| satisfied(expression, &allowed);

    assert!(satisfied("MIT") && satisfied("GPL-2.0 OR MIT") && satisfied("MIT/X11"));
    assert!(satisfied("MIT AND ISC") && satisfied("GPL-2.0 AND MIT OR ISC"));
    assert!(satisfied("(GPL-2.0 OR MIT) AND ISC"));
    assert!(satisfied("GPL-2.0 OR Apache-2.0 WITH LLVM-exception"));
    assert!(!satisfied("") && !satisfied("MIT AND GPL-2.0") && !satisfied("Apache-2.0"));
    assert!(!satisfied("(GPL-2.0 OR MIT) AND GPL-3.0") && !satisfied("(MIT"));
}
