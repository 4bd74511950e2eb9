//! What is deleted leaves the files: the database, the -wal, and so every backup that is made afterwards.

use std::time::Duration;

use domain::id::UserId;
use domain::notes::condition::Condition;
use domain::notes::create::Create;
use domain::notes::remove::Remove;
use domain::notes::{Draft, NoteId};
use domain::plans::{NoteLimits, StorageLimits};
use domain::queue::Retention;
use domain::queue::forget::forget_mails;
use domain::store::Store;

use crate::support::Database;
use store_conformance::support::at;
use store_conformance::support::calls::Calls as _;
use store_conformance::support::people::{Person, address};
use store_conformance::support::units::unit;

const DAYS: i64 = 24 * 3600;

pub(super) const KEEP: Retention = Retention {
    ended: Duration::from_hours(24),
    mails: Duration::from_hours(30 * 24),
    audit: Duration::from_hours(365 * 24),
    session_idle: Duration::from_hours(30 * 24),
    trash: Duration::from_hours(24 * 30),
    tombstones: Duration::from_hours(24 * 90),
};

async fn user(store: &Store, name: &str) -> UserId {
    let person = Person::new(name);
    person.becomes_a_user(store, at(0)).await;
    let mut reader = store.reader().await.unwrap();
    let key = address(&person.email).key().clone();
    reader.user_by_email(&key).await.unwrap().unwrap().id
}

/// A note that says a word in its title, its tags and its content, which is longer the higher `n`.
async fn add(store: &Store, user: UserId, word: &str, n: usize) -> NoteId {
    let draft = Draft {
        title: format!("{word} {n}"),
        content: format!("about {word}{n}, and ").repeat(n * n * 4),
        tags: vec![format!("{word}tag{n}")],
        ..Draft::default()
    };
    let limits = NoteLimits {
        free: u32::MAX,
        premium: None,
        storage: StorageLimits::default(),
    };
    let create = Create::new(user, None, draft, limits, at(1));
    store.write(create).await.unwrap().unwrap().note().id
}

async fn remove(store: &Store, user: UserId, id: NoteId, permanent: bool) {
    let remove = Remove {
        user,
        id,
        permanent,
        condition: Condition::default(),
        now: at(2),
    };
    store.write(remove).await.unwrap().unwrap();
}

/// How often the database's files hold a word.
pub(super) fn found(database: &Database, word: &str) -> usize {
    let mut found = 0;
    for suffix in ["", "-wal"] {
        let mut path = database.path().into_os_string();
        path.push(suffix);
        let bytes = std::fs::read(path).unwrap_or_default();
        let hits = bytes.windows(word.len());
        found += hits.filter(|window| *window == word.as_bytes()).count();
    }
    found
}

/// Sweeps as the worker does, until nothing is left to be removed.
async fn purge(database: &Database, days: i64) {
    while database.store().purge(KEEP, at(days * DAYS)).await.unwrap() > 0 {}
}

/// Notes of every length, among others that stay: a page of the file holds some of both.
async fn notes(store: &Store, user: UserId, word: &str) -> Vec<NoteId> {
    let mut ids = Vec::new();
    for n in 0..24 {
        ids.push(add(store, user, word, n).await);
        add(store, user, "remaining", n % 5).await;
    }
    ids
}

#[tokio::test]
async fn what_is_deleted_for_good_is_in_no_file_after_the_next_sweep() {
    let database = Database::new().await;
    let store = database.store();
    let ada = user(&store, "ada").await;
    let ids = notes(&store, ada, "zebrafish").await;
    assert!(found(&database, "zebrafish") > 0);

    // From the middle, so that pages are merged.
    for n in (0..24).map(|n| n * 7 % 24) {
        remove(&store, ada, ids[n], true).await;
    }
    purge(&database, 0).await;

    assert_eq!(found(&database, "zebrafish"), 0);
    assert!(found(&database, "remaining") > 0);
    assert_eq!(database.text("pragma integrity_check").await, "ok");
}

#[tokio::test]
async fn what_the_sweep_takes_out_of_the_trash_is_in_no_file() {
    let database = Database::new().await;
    let store = database.store();
    let ada = user(&store, "ada").await;
    for id in notes(&store, ada, "zebrafish").await {
        remove(&store, ada, id, false).await;
    }
    purge(&database, 20).await;
    assert!(found(&database, "zebrafish") > 0, "it may be restored");

    purge(&database, 40).await;

    assert_eq!(found(&database, "zebrafish"), 0);
}

#[tokio::test]
async fn what_an_account_held_is_in_no_file_once_it_is_gone() {
    let database = Database::new().await;
    let store = database.store();
    let ada = user(&store, "zebrafish").await;
    let bob = user(&store, "bob").await;
    notes(&store, ada, "quagga").await;
    add(&store, bob, "remaining", 3).await;

    let delete = unit(move |tx| Box::pin(async move { tx.delete_user(ada).await }));
    assert!(store.write(delete).await.unwrap());
    let forget = unit(move |tx| {
        Box::pin(async move {
            let email = address("zebrafish@example.com").key().clone();
            tx.delete_registrations(&email).await?;
            forget_mails(tx, ada, &email, "nobody", at(3)).await?;
            tx.forget_records(ada, &email, "nobody").await
        })
    });
    store.write(forget).await.unwrap();
    purge(&database, 0).await;

    // The ids of requests stay; those of this test hold the name.
    for word in ["quagga", "zebrafish@"] {
        assert_eq!(found(&database, word), 0, "{word}");
    }
    assert!(found(&database, "remaining") > 0);
}

#[tokio::test]
async fn what_a_note_said_before_it_was_changed_is_in_no_file() {
    let database = Database::new().await;
    let store = database.store();
    let ada = user(&store, "ada").await;
    for id in notes(&store, ada, "zebrafish").await {
        let replace = domain::notes::edit::Replace::new(
            ada,
            id,
            Draft {
                title: "something else".to_owned(),
                ..Draft::default()
            },
            Condition::default(),
            NoteLimits {
                free: u32::MAX,
                premium: None,
                storage: StorageLimits::default(),
            },
            at(2),
        );
        store.write(replace).await.unwrap().unwrap();
    }

    purge(&database, 0).await;

    assert_eq!(found(&database, "zebrafish"), 0);
}

/// A reader that stays keeps the -wal; nothing fails, and the next purge after its end empties it.
#[tokio::test]
async fn a_reader_that_stays_puts_it_off_and_stops_nobody() {
    use sqlx::Connection as _;

    let database = Database::new().await;
    let store = database.store();
    let ada = user(&store, "ada").await;
    let ids = notes(&store, ada, "zebrafish").await;
    let mut reader = database.outside().await;
    let mut reading = reader.begin().await.unwrap();
    sqlx::query_scalar::<_, i64>("select count(*) from notes")
        .fetch_one(&mut *reading)
        .await
        .unwrap();
    for id in ids {
        remove(&store, ada, id, true).await;
    }

    purge(&database, 0).await;
    let meanwhile = found(&database, "zebrafish");
    reading.commit().await.unwrap();
    purge(&database, 0).await;

    assert!(meanwhile > 0);
    assert_eq!(found(&database, "zebrafish"), 0);
}
