//! What an inspection finds of a file.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use store_sqlite::OpenError;
use store_sqlite::inspect::{Inspection, inspect};

use crate::support::Database;

async fn look(database: &Database) -> Inspection {
    inspect(&database.path(), Duration::from_secs(1))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_fresh_database_is_whole_and_of_this_schema() {
    let database = Database::new().await;

    let found = look(&database).await;

    assert_eq!(found.journal_mode, "wal");
    assert!(!found.sqlite_is_too_old, "{}", found.sqlite);
    assert_eq!(found.missing, [""; 0]);
    assert_eq!(found.unknown, [""; 0]);
    assert_eq!(found.damage, [""; 0]);
    assert_eq!(found.orphans, 0);
}

#[tokio::test]
async fn migrations_that_lack_and_that_are_unknown_are_named() {
    let database = Database::new().await;
    database
        .execute("delete from _sqlx_migrations where version = 2")
        .await;
    database
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (9999, 'from the future', true, x'00', 0)",
        )
        .await;

    let found = look(&database).await;

    assert_eq!(found.missing, ["0002 mails"]);
    assert_eq!(found.unknown, ["9999 from the future"]);
}

#[tokio::test]
async fn a_row_without_its_partner_is_counted() {
    let database = Database::new().await;
    database
        .execute(
            "pragma foreign_keys = off; insert into known_clients (user_id, client, seen_at) values (7, '192.0.2.1', 0)",
        )
        .await;

    let found = look(&database).await;

    assert_eq!(found.orphans, 1);
}

#[tokio::test]
async fn a_broken_page_is_damage() {
    let database = Database::new().await;
    database.execute("pragma wal_checkpoint(truncate)").await;
    let path = database.path();
    let root = "select rootpage from sqlite_schema where name = 'mails'";
    let page = u64::try_from(database.number(root).await).unwrap();
    database.sqlite().close().await;
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; 64], (page - 1) * 4096).unwrap();
    drop(file);

    let found = look(&database).await;

    assert!(!found.damage.is_empty());
}

#[tokio::test]
async fn what_is_no_database_is_not_opened_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, text) = (folder.path().join("none.db"), folder.path().join("text.db"));
    fs::write(&text, "this is a text, and a long one at that".repeat(20)).unwrap();

    let none = inspect(&missing, Duration::from_secs(1)).await;
    let other = inspect(&text, Duration::from_secs(1)).await;

    assert!(matches!(none, Err(OpenError::Missing(_))));
    assert!(matches!(other, Err(OpenError::Unusable { .. })));
    assert!(!missing.exists());
}
