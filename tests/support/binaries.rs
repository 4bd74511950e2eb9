//! Where the programs are that [`super::Processes`] runs.
//!
//! Cargo builds the API's program for these tests. The worker's is the sibling in the same
//! folder: plain `cargo test` builds it for the worker's own tests, but `cargo test -p
//! smart-notes-api` does not, and then it is missing, or older than its sources. In both cases it
//! is built here, once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The API's program.
pub const API: &str = env!("CARGO_BIN_EXE_smart-notes-api");

/// The worker's program.
pub fn worker() -> &'static Path {
    static WORKER: OnceLock<PathBuf> = OnceLock::new();
    WORKER.get_or_init(|| {
        let program = Path::new(API).with_file_name("smart-notes-worker");
        if !is_fresh(&program) {
            build(&program);
        }
        program
    })
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

fn build(program: &Path) {
    let folder = program.parent().expect("a program is in a folder");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--package", "smart-notes-worker"])
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
        "the worker can't be built"
    );
}
