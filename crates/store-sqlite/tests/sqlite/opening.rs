//! Opening a file: who may read it, how each connection is set, and what is refused in which words.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use domain::mail::MailKind;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use store_sqlite::{OpenError, Sqlite, migrate};

use crate::support::{Database, options, outside};
use store_conformance::support::at;
use store_conformance::support::mails::{enqueue, mail};

use super::chain;

async fn refused(path: &Path) -> String {
    match Sqlite::open(options(path)).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => chain(&error),
    }
}

#[tokio::test]
async fn the_file_and_its_companions_are_their_owners_alone() {
    let database = Database::new().await;
    enqueue(
        &database.store(),
        mail(MailKind::AlreadyRegistered, "ada@example.com", at(0)),
    )
    .await;

    for companion in ["", "-wal", "-shm"] {
        let mut path = database.path().into_os_string();
        path.push(companion);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{companion}");
    }
}

#[tokio::test]
async fn the_file_is_in_wal_mode_and_whole() {
    let database = Database::new().await;

    assert_eq!(database.text("pragma journal_mode").await, "wal");
    assert_eq!(database.text("pragma integrity_check").await, "ok");
    assert_eq!(
        database
            .number("select count(*) from pragma_foreign_key_check")
            .await,
        0
    );
}

#[tokio::test]
async fn a_foreign_key_is_enforced() {
    let database = Database::new().await;
    let mut orphan = mail(MailKind::VerifyEmail, "ada@example.com", at(0));
    orphan.challenge = Some(domain::id::ChallengeId::generate());
    let put = store_conformance::support::units::unit(move |tx| {
        let orphan = orphan.clone();
        Box::pin(async move { tx.enqueue(&orphan).await })
    });

    let answer = database.store().write(put).await;

    assert!(answer.is_err());
    assert_eq!(database.number("select count(*) from Jobs").await, 0);
}

#[tokio::test]
async fn a_missing_file_is_told_with_the_command_that_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing.db");

    let said = refused(&path).await;

    assert!(said.contains("there is no database at"), "{said}");
    assert!(said.contains("smart-notes migrate"), "{said}");
    assert!(!path.exists(), "opening makes no file");
}

#[tokio::test]
async fn a_directory_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();

    let said = refused(folder.path()).await;

    assert!(said.contains("can't be opened"), "{said}");
    assert!(said.contains(&*folder.path().to_string_lossy()), "{said}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garbage.db");
    let garbage = "this is a shopping list\n".repeat(400);
    std::fs::write(&path, &garbage).unwrap();

    let said = refused(&path).await;
    let migrated = migrate::run(&path).await;

    assert!(said.contains("file is not a database"), "{said}");
    assert!(migrated.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), garbage);
}

#[tokio::test]
async fn an_empty_file_is_a_schema_that_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.db");
    std::fs::write(&path, "").unwrap();

    let said = refused(&path).await;

    assert!(said.contains("older than this program"), "{said}");
    assert!(said.contains("smart-notes migrate"), "{said}");
}

#[tokio::test]
async fn a_schema_that_lacks_one_migration_is_refused_by_its_name() {
    let database = Database::new().await;
    database
        .execute("delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)")
        .await;

    let said = refused(&database.path()).await;

    assert!(said.contains("older than this program"), "{said}");
    assert!(said.contains("is missing"), "{said}");
    assert!(said.contains("smart-notes migrate"), "{said}");
}

#[tokio::test]
async fn a_newer_schema_is_opened() {
    let database = Database::new().await;
    database
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (9999, 'from the future', true, x'00', 0)",
        )
        .await;

    let opened = Sqlite::open(options(&database.path())).await;

    assert!(opened.is_ok());
    assert!(database.store().check().await.is_ok());
}

#[tokio::test]
async fn a_file_that_may_not_be_read_is_another_error_than_one_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    // A file as the folder of the database: not readable for anybody, the superuser included.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();

    let opened = Sqlite::open(options(&file.join("notes.db"))).await;

    assert!(matches!(opened.err(), Some(OpenError::Unusable { .. })));
}

#[tokio::test]
async fn a_database_that_refuses_wal_mode_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    migrate::run(&path).await.unwrap();
    // A reader in the old mode keeps the file from being changed to the new one.
    let mut connection = SqliteConnectOptions::new()
        .filename(&path)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Delete)
        .connect()
        .await
        .unwrap();
    let mut reader = connection.begin().await.unwrap();
    sqlx::query("select count(*) from mails")
        .execute(&mut *reader)
        .await
        .unwrap();

    let said = refused(&path).await;

    assert!(said.contains("notes.db"), "{said}");
    drop(outside(&path).await);
}
