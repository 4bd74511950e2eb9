//! A database that is missing, old, new, damaged, or open to others.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use domain::restore::AfterRestore;
use jiff::Timestamp;
use runtime::database::{Database, Role};
use runtime::shutdown::Shutdown;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::place::Place;

/// A connection from outside, as some other program has.
async fn outside(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .unwrap()
}

async fn execute(place: &Place, statement: &'static str) {
    let mut outside = outside(&place.path("notes.db")).await;
    sqlx::query(statement).execute(&mut outside).await.unwrap();
    outside.close().await.unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_missing_database_is_a_problem_with_the_command_that_creates_it_and_none_is_created() {
    let place = Place::empty().await;

    let said = place.doctor("").await;

    said.is_a_problem("there is no database at", "smart-notes migrate");
    said.is_ok("would accept mail");
    assert_eq!(place.files(), [""; 0]);
}

#[tokio::test]
async fn an_older_schema_must_be_migrated_and_a_newer_one_is_a_warning() {
    let (old, new) = (Place::new().await, Place::new().await);
    execute(
        &old,
        "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)",
    )
    .await;
    execute(
        &new,
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'from the future', true, x'00', 0)",
    )
    .await;

    let older = old.doctor("").await;
    let newer = new.doctor("").await;

    older.is_a_problem(
        "its schema is older than this program: 1 missing, starting with",
        "smart-notes migrate",
    );
    newer.is_a_warning(
        "newer than this program: unknown migration 9999 from the future",
        "restart worker and API",
    );
}

#[tokio::test]
async fn a_damaged_page_is_found() {
    let place = Place::new().await;
    let mut outside = outside(&place.path("notes.db")).await;
    let root: i64 = sqlx::query_scalar("select rootpage from sqlite_schema where name = 'mails'")
        .fetch_one(&mut outside)
        .await
        .unwrap();
    outside.close().await.unwrap();
    let file = fs::File::options()
        .write(true)
        .open(place.path("notes.db"))
        .unwrap();
    let page = u64::try_from(root - 1).unwrap() * 4096;
    file.write_all_at(&[0xff; 64], page).unwrap();
    drop(file);

    let said = place.doctor("").await;

    said.is_a_problem("notes.db is damaged", "restore a backup");
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_a_problem() {
    let place = Place::empty().await;
    fs::write(place.path("notes.db"), "no database ".repeat(1000)).unwrap();

    let said = place.doctor("").await;

    said.is_a_problem("not a database", "restore a backup");
}

#[tokio::test]
async fn files_that_others_can_read_is_a_problem() {
    let place = Place::new().await;
    let keeps_the_wal = place.database().await;
    let files = ["notes.db", "notes.db-wal", "notes.db-shm"].map(|name| place.path(name));

    for file in &files {
        set_mode(file, 0o640);
        let said = place.doctor("").await;
        set_mode(file, 0o600);

        let words = format!("other users can access {} (mode 0640)", file.display());
        said.is_a_problem(&words, &format!("chmod 600 {}", file.display()));
    }
    let fixed = place.doctor("").await;
    fixed.is_ok("only their owner can access its files");
    keeps_the_wal.close().await;
}

#[tokio::test]
async fn a_folder_that_others_can_change_is_a_problem() {
    let place = Place::new().await;
    let folder = place.path("");
    set_mode(&folder, 0o777);

    let open = place.doctor("").await;
    set_mode(&folder, 0o755);
    let readable = place.doctor("").await;
    let in_production = place.in_production().doctor("").await;

    open.is_a_problem("other users can create files in", "chmod 700");
    readable.is_ok("only their owner can access its files");
    let line = in_production.about("other users can list");
    assert!(line.contains('!') && line.contains("chmod 700"), "{line}");
}

#[tokio::test]
async fn a_restored_database_is_a_warning_until_after_restore_has_run() {
    let place = Place::new().await;
    execute(
        &place,
        "insert into users (username, username_key, email, email_key, password_hash, created_at)
         values ('ada', 'ada', 'ada@example.com', 'ada@example.com', '$none$', 0)",
    )
    .await;
    let now = Timestamp::now();
    let noticed = format!(
        "update note_books set jumped_alone = 1, jumped_at = {}",
        now.as_microsecond()
    );
    let mut connection = outside(&place.path("notes.db")).await;
    sqlx::query(sqlx::AssertSqlSafe(noticed))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();

    let noticed = place.doctor("").await;
    let settings = place.settings();
    let database = Database::open(&settings, Role::Tool, &Shutdown::new())
        .await
        .unwrap();
    database.store.write(AfterRestore { now }).await.unwrap();
    database.close().await;
    let done = place.doctor("").await;

    noticed.is_a_warning(
        "as after a restore from a backup (users: 1; the latest is user 1,",
        "smart-notes after-restore",
    );
    assert!(!done.out.contains("restore from a backup"), "{}", done.out);
}
