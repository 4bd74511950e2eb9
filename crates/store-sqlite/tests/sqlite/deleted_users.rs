//! A user is deleted at once, and the notes follow in small transactions, between which others write.

use std::sync::Arc;

use domain::id::UserId;
use domain::notes::create::Create;
use domain::notes::{Draft, NoteId};
use domain::store::Store;
use sqlx::SqliteConnection;
use store_sqlite::Sqlite;

use super::erasing::{KEEP, found};
use super::migrating::{Older, run};
use super::rows::{FREELY, add, add_as_before, user};
use crate::support::{Database, options};
use store_conformance::support::calls::Calls as _;
use store_conformance::support::units::unit;
use store_conformance::support::{TIMEOUT, at};

/// Adds so many notes whose contents repeat a word so often, with the identifiers `…0000` on.
async fn fill(database: &Database, user: UserId, notes: u32, word: &str, times: usize) {
    let mut connection = database.outside().await;
    run(&mut connection, "begin").await;
    for n in 0..notes {
        let id = id(n).to_string();
        let statement = "
            insert into notes (row_id, user_id, id, title, title_key, tags, is_pinned, is_archived, created_at,
                updated_at, version, change, words, content)
            select (user_id << 32) + made, user_id, ?2, '', '', '[]', 0, 0, 1, 1, 1, last_change + 1, '', ?3
            from note_books where user_id = ?1";
        sqlx::query(statement)
            .bind(user.0)
            .bind(id)
            .bind(word.repeat(times))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    run(&mut connection, "commit").await;
}

fn id(n: u32) -> NoteId {
    format!("0190a0b0-c0d0-7e00-8f00-{n:012x}").parse().unwrap()
}

async fn delete(store: &Store, user: UserId) {
    let delete = unit(move |tx| Box::pin(async move { tx.delete_user(user).await }));
    assert!(store.write(delete).await.unwrap());
}

async fn left(database: &Database, user: UserId) -> i64 {
    sqlx::query_scalar("select count(*) from notes where user_id = ?")
        .bind(user.0)
        .fetch_one(&mut database.outside().await)
        .await
        .unwrap()
}

/// Sweeps as the worker does, until nothing is left to be removed.
async fn purge(sqlite: &Store) {
    while sqlite.purge(KEEP, at(0)).await.unwrap() > 0 {}
}

/// How many notes of a user each transaction removes, one after the other, while another user writes in between.
async fn turns(database: &Database, of: UserId, other: UserId) -> Vec<i64> {
    let mut turns = Vec::new();
    let mut before = left(database, of).await;
    while before > 0 {
        add(&database.store(), other, "in between").await;
        database.store().purge(KEEP, at(0)).await.unwrap();
        let after = left(database, of).await;
        turns.push(before - after);
        before = after;
    }
    turns
}

#[tokio::test]
async fn no_transaction_removes_more_than_some_hundred_notes_of_a_deleted_user() {
    let database = Database::new().await;
    let store = database.store();
    let [ada, bob] = [user(&store, "ada").await, user(&store, "bob").await];
    fill(&database, ada, 1200, "short", 1).await;

    delete(&store, ada).await;
    let at_once = left(&database, ada).await;
    let turns = turns(&database, ada, bob).await;

    assert_eq!(at_once, 1200, "notes removed with their user");
    assert_eq!(turns, [500, 500, 200]);
    assert_eq!(left(&database, bob).await, 3);
}

#[tokio::test]
async fn no_transaction_removes_much_more_than_a_mebibyte_of_notes() {
    let database = Database::new().await;
    let store = database.store();
    let [ada, bob] = [user(&store, "ada").await, user(&store, "bob").await];
    fill(&database, ada, 7, "a third, ", 40 * 1024).await;

    delete(&store, ada).await;
    let turns = turns(&database, ada, bob).await;

    assert_eq!(turns, [3, 3, 1], "of 0.35 MiB each");
}

#[tokio::test]
async fn two_processes_remove_what_a_killed_one_has_left_and_no_file_holds_it() {
    let database = Database::new().await;
    let store = database.store();
    let [ada, bob] = [user(&store, "ada").await, user(&store, "bob").await];
    let eve = user(&store, "eve").await;
    fill(&database, ada, 1700, "zebrafish", 20).await;
    add(&store, eve, "quagga").await;
    add(&store, bob, "remaining").await;
    for user in [ada, eve] {
        delete(&store, user).await;
    }
    let killed = database.another_store().await;
    killed.purge(KEEP, at(0)).await.unwrap();
    drop(killed);

    let processes = [
        database.another_store().await,
        database.another_store().await,
    ];
    tokio::join!(purge(&processes[0]), purge(&processes[1]));
    purge(&database.store()).await;

    for word in ["zebrafish", "quagga"] {
        assert_eq!(found(&database, word), 0, "{word}");
    }
    assert!(found(&database, "remaining") > 0);
    let remembered =
        "select (select count(*) from deleted_users) + (select count(*) from note_tombstones)";
    assert_eq!(database.number(remembered).await, 0);
    assert_eq!(database.text("pragma integrity_check").await, "ok");
}

#[tokio::test]
async fn notes_of_a_deleted_user_are_not_found_and_their_identifiers_are_free() {
    let database = Database::new().await;
    let store = database.store();
    let [ada, bob] = [user(&store, "ada").await, user(&store, "bob").await];
    fill(&database, ada, 3, "of ada", 1).await;
    delete(&store, ada).await;

    let mut reader = store.reader().await.unwrap();
    let found = reader.stored_note(ada, id(0)).await.unwrap();
    let revision = reader.live_revision(ada, id(0)).await.unwrap();
    let ahead = reader.note_version_ahead(bob, &[(id(1), 9)]).await.unwrap();
    reader.done();
    let taken = unit(|tx| Box::pin(async move { tx.note_id_is_taken(id(0)).await }));
    let taken = store.write(taken).await.unwrap();
    let draft = Draft {
        title: "of bob".to_owned(),
        ..Draft::default()
    };
    let create = Create::new(bob, Some(id(0)), draft, FREELY, at(1));
    let created = store.write(create).await.unwrap();

    assert!(found.is_none() && revision.is_none() && !taken);
    assert!(ahead.is_some(), "as if the note had never been");
    assert_eq!(created.unwrap().note().draft.title, "of bob");
    purge(&database.store()).await;
    let titles = database.text("select group_concat(title) from notes");
    assert_eq!(titles.await, "of bob");
}

/// The address and the name are another user's at once, who has none of the notes; nor has one who is brought over
/// under the same number.
#[tokio::test]
async fn whoever_comes_with_the_name_or_the_number_has_none_of_the_notes() {
    let database = Database::new().await;
    let store = database.store();
    let ada = user(&store, "ada").await;
    fill(&database, ada, 3, "of ada", 1).await;
    delete(&store, ada).await;

    let again = user(&store, "ada").await;
    let by_name = left(&database, again).await;
    database
        .execute(
            "insert into users (id, username, username_key, email, email_key, password_hash, created_at)
             values (1, 'eve', 'eve', 'eve@example.com', 'eve@example.com', '$hash$', 1)",
        )
        .await;

    assert_eq!((ada, again, by_name), (UserId(1), UserId(2), 0));
    assert_eq!(left(&database, ada).await, 0);
    let remembered = database.number("select count(*) from deleted_users");
    assert_eq!(remembered.await, 0);
}

/// A database of the release before, and one of its programs that goes on: neither removes notes with their user.
#[tokio::test]
async fn a_program_of_the_release_before_leaves_the_notes_to_the_sweep_as_well() {
    let mut older = Older::before("0023").await;
    let connection = &mut older.connection;
    for user in [1, 2] {
        let statement = format!(
            "insert into users (id, username, username_key, email, email_key, password_hash, created_at)
             values ({user}, 'u{user}', 'u{user}', 'e{user}', 'e{user}', '$hash$', 1)"
        );
        run(connection, &statement).await;
        for n in 0..3 {
            add_as_before(connection, user, &format!("note-{user}{n}"), n * 1000).await;
        }
    }
    let notes = "select group_concat(id || octet_length(content) order by id) from notes";
    let before = text(&mut older.connection, notes).await;

    older.migrate().await;

    let connection = &mut older.connection;
    assert_eq!(text(connection, notes).await, before);
    assert_eq!(text(connection, "pragma integrity_check").await, "ok");
    run(connection, "delete from users where id = 1").await;
    assert_eq!(text(connection, notes).await, before);
    let sqlite = Sqlite::open(options(&older.path())).await.unwrap();
    purge(&Store::new(Arc::new(sqlite), TIMEOUT)).await;
    let left = text(
        &mut older.connection,
        "select cast(sum(user_id) as text) from notes",
    )
    .await;
    assert_eq!(left, "6", "three notes of the second user");
}

async fn text(connection: &mut SqliteConnection, statement: &'static str) -> String {
    sqlx::query_scalar(statement)
        .fetch_one(connection)
        .await
        .unwrap()
}
