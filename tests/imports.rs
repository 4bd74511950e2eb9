//! Who may import whom, read from cargo's own metadata.
//!
//! domain ← store-sqlite ← runtime ← {API, worker, operator} ← {command line, bench}; only runtime imports `malloc_trim`. Only
//! dependencies of the programs count, not those of tests and build scripts. store-conformance is for tests of databases.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

const DOMAIN: &str = "smart-notes-domain";
const STORE: &str = "smart-notes-store-sqlite";
const CONFORMANCE: &str = "smart-notes-store-conformance";
const RUNTIME: &str = "smart-notes-runtime";
const API: &str = "smart-notes-api";
const WORKER: &str = "smart-notes-worker";
const OPERATOR: &str = "smart-notes-operator";
const CLI: &str = "smart-notes-cli";
const DEVMAIL: &str = "smart-notes-devmail";
const MALLOC_TRIM: &str = "smart-notes-malloc-trim";
const BENCH: &str = "smart-notes-bench";

/// Our crates, and which of our crates each may import.
const OURS: [(&str, &[&str]); 11] = [
    (DOMAIN, &[]),
    (DEVMAIL, &[]),
    (MALLOC_TRIM, &[]),
    (STORE, &[DOMAIN]),
    (CONFORMANCE, &[DOMAIN]),
    (RUNTIME, &[DOMAIN, STORE, MALLOC_TRIM]),
    (API, &[DOMAIN, RUNTIME]),
    (WORKER, &[DOMAIN, RUNTIME]),
    (OPERATOR, &[DOMAIN, RUNTIME]),
    (CLI, &[DOMAIN, RUNTIME, API, WORKER, OPERATOR, DEVMAIL]),
    (BENCH, &[DOMAIN, RUNTIME, WORKER, DEVMAIL]),
];

/// Crates that must not be anywhere below a crate of ours.
const NOT_BELOW: [(&str, &[&str]); 6] = [
    (
        DOMAIN,
        &[
            "tokio",
            "sqlx",
            "axum",
            "lettre",
            "hyper",
            "mio",
            "apalis-core",
        ],
    ),
    (CONFORMANCE, &["sqlx", "apalis-core"]),
    (API, &["lettre", "minijinja", "tokio-rustls", DEVMAIL]),
    (WORKER, &["axum", "tower-http", DEVMAIL]),
    (
        OPERATOR,
        &[
            "axum",
            "lettre",
            "clap",
            "comfy-table",
            "indicatif",
            "hickory-resolver",
            DEVMAIL,
        ],
    ),
    (DEVMAIL, &["sqlx", "lettre", "apalis-core"]),
];

/// Crates that only these of ours may name as their own dependency.
const ONLY: [(&str, &[&str]); 6] = [
    ("sqlx", &[STORE, BENCH]),
    ("apalis-sqlite", &[STORE]),
    ("apalis-core", &[STORE, WORKER]),
    ("lettre", &[WORKER, BENCH]),
    ("axum", &[API, DEVMAIL, BENCH]),
    ("argon2", &[DOMAIN]),
];

/// Crates that exist on Linux or on Windows alone: who needs one names it under a `cfg` of that system.
const OF_ONE_SYSTEM: [&str; 9] = [
    "epoll",
    "inotify",
    "inotify-sys",
    "io-uring",
    "linux-raw-sys",
    "procfs",
    "procfs-core",
    "winapi",
    "windows-sys",
];

/// The names of each package's dependencies.
#[derive(Clone, Default)]
struct Graph(BTreeMap<String, BTreeSet<String>>);

/// What cargo says of this workspace when it is built for a platform.
pub(crate) fn metadata_for(platform: &str) -> cargo_metadata::Result<Metadata> {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options([
            "--offline".to_owned(),
            format!("--filter-platform={platform}"),
        ])
        .exec()
}

impl Graph {
    /// The graph of this workspace.
    fn of_this_workspace() -> Self {
        // Crates for other platforms were never downloaded here.
        let metadata = metadata_for(&this_platform()).unwrap();
        let name = |id: &PackageId| metadata[id].name.to_string();
        let mut graph = Self::default();
        for node in &metadata.resolve.as_ref().unwrap().nodes {
            let normal = node.deps.iter().filter(|dependency| {
                let mut kinds = dependency.dep_kinds.iter();
                kinds.any(|kind| kind.kind == DependencyKind::Normal)
            });
            let names = graph.0.entry(name(&node.id)).or_default();
            names.extend(normal.map(|dependency| name(&dependency.pkg)));
        }
        graph
    }

    fn add(mut self, from: &str, to: &str) -> Self {
        self.0
            .entry(from.to_owned())
            .or_default()
            .insert(to.to_owned());
        self.0.entry(to.to_owned()).or_default();
        self
    }

    fn own(&self, package: &str) -> BTreeSet<&str> {
        self.0[package].iter().map(String::as_str).collect()
    }

    fn everything_below(&self, package: &str) -> BTreeSet<&str> {
        let mut below = BTreeSet::new();
        let mut open = vec![package];
        while let Some(next) = open.pop() {
            let new = self
                .own(next)
                .into_iter()
                .filter(|name| below.insert(*name));
            open.extend(new.collect::<Vec<_>>());
        }
        below
    }

    /// Every broken rule, in words.
    fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for (package, allowed) in OURS {
            for (other, _) in OURS {
                if self.own(package).contains(other) && !allowed.contains(&other) {
                    broken.push(format!("{package} imports {other}"));
                }
            }
        }
        for (package, never) in NOT_BELOW {
            let below = self.everything_below(package);
            let found = never.iter().filter(|name| below.contains(*name));
            broken.extend(found.map(|name| format!("{name} is below {package}")));
        }
        for (library, owners) in ONLY {
            for (package, _) in OURS {
                if self.own(package).contains(library) && !owners.contains(&package) {
                    broken.push(format!("{package} imports {library}"));
                }
            }
        }
        broken
    }
}

/// The target triple of the compiler that these tests were built with.
pub(crate) fn this_platform() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let about = Command::new(rustc).arg("-vV").output().unwrap();
    let about = String::from_utf8(about.stdout).unwrap();
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc names its host").to_owned()
}

#[test]
fn every_crate_imports_only_what_it_may() {
    let graph = Graph::of_this_workspace();

    assert_eq!(graph.broken(), Vec::<String>::new());
}

/// Developers have Macs. The programs can't be linked for one here, since the C of `SQLite` needs its headers.
#[test]
fn nothing_is_built_on_macos_that_exists_on_another_system_alone() {
    let built = names_for("aarch64-apple-darwin").unwrap_or_else(named_for_every_system);

    let foreign = OF_ONE_SYSTEM.iter().filter(|name| built.contains(**name));

    assert!(built.contains("tokio"), "{built:?}");
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<&&str>::new());
}

/// Every crate that is built for a platform; `None` where crates for it were never downloaded.
fn names_for(platform: &str) -> Option<BTreeSet<String>> {
    let metadata = metadata_for(platform).ok()?;
    let nodes = &metadata.resolve.as_ref()?.nodes;
    let names = nodes.iter().map(|node| metadata[&node.id].name.to_string());
    Some(names.collect())
}

/// The crates that ours name without saying for which system.
fn named_for_every_system() -> BTreeSet<String> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let named = metadata.packages.iter().flat_map(|ours| &ours.dependencies);
    let everywhere = named.filter(|dependency| dependency.target.is_none());
    everywhere.map(|named| named.name.clone()).collect()
}

/// Otherwise a renamed crate would make the rules above hold for nothing.
#[test]
fn every_crate_in_the_rules_exists() {
    let graph = Graph::of_this_workspace();

    for (library, owners) in ONLY {
        for owner in owners {
            assert!(graph.own(owner).contains(library), "{owner} → {library}");
        }
    }
    for name in NOT_BELOW.iter().flat_map(|(_, never)| *never) {
        assert!(graph.0.contains_key(*name), "{name}");
    }
}

#[test]
fn each_kind_of_broken_rule_is_found() {
    let graph = Graph::of_this_workspace();
    let finds = |from, to, broken: String| {
        let found = graph.clone().add(from, to).broken();
        assert!(found.contains(&broken), "{from} → {to}: {found:?}");
    };

    finds(API, WORKER, format!("{API} imports {WORKER}"));
    finds(WORKER, API, format!("{WORKER} imports {API}"));
    finds(API, STORE, format!("{API} imports {STORE}"));
    finds(STORE, RUNTIME, format!("{STORE} imports {RUNTIME}"));
    finds(CONFORMANCE, STORE, format!("{CONFORMANCE} imports {STORE}"));
    finds(
        RUNTIME,
        CONFORMANCE,
        format!("{RUNTIME} imports {CONFORMANCE}"),
    );
    finds(OPERATOR, WORKER, format!("{OPERATOR} imports {WORKER}"));
    finds(WORKER, OPERATOR, format!("{WORKER} imports {OPERATOR}"));
    finds(OPERATOR, "clap", format!("clap is below {OPERATOR}"));
    finds(DEVMAIL, DOMAIN, format!("{DEVMAIL} imports {DOMAIN}"));
    finds(DOMAIN, "tokio", format!("tokio is below {DOMAIN}"));
    finds(RUNTIME, "sqlx", format!("{RUNTIME} imports sqlx"));
    finds(WORKER, "axum", format!("axum is below {WORKER}"));
    // Not by its own hand, but by that of a library it uses.
    finds("tower", "lettre", format!("lettre is below {API}"));
}
