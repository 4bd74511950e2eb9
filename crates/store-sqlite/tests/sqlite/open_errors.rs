//! A database that can't be used, because of who may do what with its files or of what they hold: the error says how to
//! fix that.
//!
//! Tests may run as the superuser, for whom permissions do not count; so each attempt runs on a thread of an unprivileged user.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_res_uid;
use store_sqlite::{Sqlite, migrate};
use tempfile::TempDir;
use tokio::runtime;

use crate::support::options;

use super::chain;

/// A number that no user of the machine has.
const NOBODY: u32 = 54_321;

/// Runs it where permissions count.
fn as_nobody<T: Send>(attempt: impl AsyncFnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if geteuid().is_root() {
                let nobody = Uid::from_raw(NOBODY);
                set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            // On this very thread, and the threads of SQLite's connections come from it.
            runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(attempt())
        });
        thread.join().unwrap()
    })
}

/// The error of opening it as an unprivileged user.
fn opening(path: &Path) -> String {
    as_nobody(async || match Sqlite::open(options(path)).await {
        Ok(_) => "opened".to_owned(),
        Err(error) => chain(&error),
    })
}

/// The error of migrating it as an unprivileged user.
fn migrating(path: &Path) -> String {
    as_nobody(async || match migrate::run(path).await {
        Ok(_) => "migrated".to_owned(),
        Err(error) => chain(&error),
    })
}

/// A folder with a migrated database, both with these permissions for everybody. Given back, it can be removed.
struct LockedDatabase {
    folder: TempDir,
    path: PathBuf,
}

impl LockedDatabase {
    fn with(folder_mode: u32, mode: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.db");
        let migrated = migrate::run(&path);
        runtime::Runtime::new().unwrap().block_on(migrated).unwrap();
        permit(&path, mode);
        permit(folder.path(), folder_mode);
        Self { folder, path }
    }

    fn said(&self) -> [String; 2] {
        [opening(&self.path), migrating(&self.path)]
    }
}

impl Drop for LockedDatabase {
    fn drop(&mut self) {
        permit(self.folder.path(), 0o700);
    }
}

fn permit(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn assert_says(said: &str, words: &[&str]) {
    for words in words {
        assert!(said.contains(words), "no `{words}` in: {said}");
    }
}

#[test]
fn where_everything_may_be_written_nothing_is_to_be_mended() {
    assert_eq!(
        LockedDatabase::with(0o777, 0o666).said(),
        ["opened", "migrated"]
    );
}

#[test]
fn files_of_somebody_else_are_told_with_who_must_own_them() {
    for (folder_mode, mode) in [
        (0o555, 0o444),
        (0o555, 0o666),
        (0o777, 0o444),
        (0o777, 0o000),
        (0o000, 0o666),
    ] {
        let place = LockedDatabase::with(folder_mode, mode);
        for said in place.said() {
            let folder = &*place.folder.path().to_string_lossy();
            assert_says(&said, &[folder, "run this as their owner", "`chown`"]);
        }
    }
}

/// As they are left behind by a command that the superuser ran.
#[test]
fn a_wal_of_somebody_else_is_named() {
    let place = LockedDatabase::with(0o777, 0o666);
    for suffix in ["-wal", "-shm"] {
        let file = place.folder.path().join(format!("notes.db{suffix}"));
        std::fs::write(&file, "").unwrap();
        permit(&file, 0o400);
    }

    let [opening, migrating] = place.said();

    assert_says(&opening, &["notes.db-wal can't be written", "`chown`"]);
    assert_says(&migrating, &["-wal and -shm", "`chown`"]);
}

#[test]
fn a_folder_in_which_nothing_can_be_made_is_told_by_migrating() {
    let place = LockedDatabase::with(0o555, 0o666);

    let file = migrating(&place.folder.path().join("other.db"));
    let folder = migrating(&place.folder.path().join("a/b/other.db"));

    assert_says(&file, &["other.db can't be used", "`chown`"]);
    assert_says(&folder, &["a/b can't be used", "`chown`"]);
}

#[test]
fn what_can_not_be_a_database_is_told_with_the_setting_that_names_it() {
    let place = LockedDatabase::with(0o777, 0o666);
    let below_a_file = place.path.join("notes.db");

    for path in [place.folder.path(), &below_a_file] {
        for said in [opening(path), migrating(path)] {
            assert_says(&said, &["another place with database.url"]);
        }
    }
    std::fs::write(&place.path, "no database ".repeat(1000)).unwrap();
    for said in place.said() {
        assert_says(&said, &["a backup", "database.url", "not a database"]);
    }
}

#[test]
fn a_database_that_another_program_keeps_locked_is_told_so() {
    let place = LockedDatabase::with(0o777, 0o666);
    let outside = runtime::Runtime::new().unwrap();
    let mut connection = outside.block_on(crate::support::outside(&place.path));
    for statement in ["pragma locking_mode = exclusive", "begin exclusive"] {
        let run = sqlx::query(statement).execute(&mut connection);
        outside.block_on(run).unwrap();
    }

    let said = opening(&place.path);

    assert_says(&said, &["Another program keeps it locked", "locked"]);
}
