//! Making the schema: as often as one likes, and several at once.

use store_sqlite::migrate;

use crate::support::{Database, outside};

#[tokio::test]
async fn a_second_run_applies_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deeper").join("notes.db");

    let first = migrate::run(&path).await.unwrap();
    let second = migrate::run(&path).await.unwrap();

    assert!(
        first.applied.iter().any(|name| name.contains("accounts")),
        "{first:?}"
    );
    assert!(second.applied.is_empty(), "{second:?}");
}

#[tokio::test]
async fn several_at_once_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    // The turn is a lock that blocks its thread, so each run has a thread of its own.
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap()
                    .block_on(migrate::run(&path))
                    .unwrap()
                    .applied
                    .len()
            })
        })
        .collect();

    let mut applied: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();

    applied.sort_unstable();
    assert_eq!(applied[..3], [0, 0, 0]);
    assert!(applied[3] > 0);
}

#[tokio::test]
async fn apalis_and_we_keep_our_migrations_apart() {
    let database = Database::new().await;

    let ours = database
        .number("select count(*) from _sqlx_migrations")
        .await;
    let apalis = database
        .number("select count(*) from _apalis_migrations")
        .await;

    assert_eq!(
        ours,
        i64::try_from(
            std::fs::read_dir("../../migrations/sqlite")
                .unwrap()
                .count()
        )
        .unwrap()
    );
    assert!(apalis > 0);
}

#[tokio::test]
async fn a_running_server_is_migrated_under_its_feet() {
    let database = Database::new().await;
    let mut other = outside(&database.path()).await;

    let report = migrate::run(&database.path()).await.unwrap();
    let still: i64 = sqlx::query_scalar("select count(*) from users")
        .fetch_one(&mut other)
        .await
        .unwrap();

    assert!(report.applied.is_empty());
    assert_eq!(still, 0);
}
