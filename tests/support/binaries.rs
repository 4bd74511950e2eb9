//! Where the programs are that tests run.
//!
//! Cargo builds the API's program for these tests. The others are its siblings in the same
//! folder: plain `cargo test` builds them for their own tests, but `cargo test -p
//! smart-notes-api` does not, and then they are missing, or older than their sources. In both cases they
//! are built here, once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The API's program.
pub const API: &str = env!("CARGO_BIN_EXE_smart-notes-api");

/// The worker's program.
pub fn worker() -> &'static Path {
    static WORKER: OnceLock<PathBuf> = OnceLock::new();
    WORKER.get_or_init(|| fresh("smart-notes-worker", "smart-notes-worker"))
}

/// A sibling of the API's program, built from its package if need be.
pub fn fresh(name: &str, package: &str) -> PathBuf {
    let program = Path::new(API).with_file_name(name);
    if !is_fresh(&program) {
        build(&program, package);
    }
    program
}

/// Whether the program is newer than every source that cargo has noted for it.
fn is_fresh(program: &Path) -> bool {
    let (Ok(built), Ok(noted)) = (
        changed(program),
        std::fs::read_to_string(program.with_extension("d")),
    ) else {
        return false;
    };
    noted
        .replace("\\ ", "\0")
        .split_whitespace()
        .skip(1)
        .all(|source| {
            let source = source.replace('\0', " ");
            changed(Path::new(&source)).is_ok_and(|at| at <= built)
        })
}

fn changed(path: &Path) -> std::io::Result<SystemTime> {
    path.metadata()?.modified()
}

fn build(program: &Path, package: &str) {
    let folder = program.parent().expect("a program is in a folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--package", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    if let Some(target) = folder.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    let status = cargo.status().expect("cargo runs");
    assert!(
        status.success() && program.exists(),
        "{package} can't be built"
    );
}
