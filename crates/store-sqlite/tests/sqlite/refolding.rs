//! Notes that were folded by older rules, or written by an older program.

use std::sync::Arc;

use domain::notes::condition::Condition;
use domain::notes::edit::{Patch, UpdateNote};
use domain::notes::port::OutdatedNote;
use domain::notes::refold::{self, Refold};
use domain::notes::remove::Remove;
use domain::store::Store;
use store_sqlite::Sqlite;

use super::migrating::{Older, run};
use super::rows::{FREELY, add, add_as_before, user};
use crate::support::{Database, options};
use store_conformance::support::{TIMEOUT, at};

/// Folds again what is outdated; returns in how many steps.
async fn refold(store: &Store) -> usize {
    let mut steps = 0;
    loop {
        let outdated = refold::outdated(store).await.unwrap();
        if outdated.is_empty() {
            return steps;
        }
        store.write(Refold::new(outdated)).await.unwrap();
        steps += 1;
        assert!(steps < 100, "the notes stay outdated");
    }
}

async fn outdated(store: &Store) -> Vec<OutdatedNote> {
    refold::outdated(store).await.unwrap()
}

fn patch(content: &str) -> Patch {
    Patch {
        content: Some(content.to_owned()),
        ..Patch::default()
    }
}

const OWNER: &str = "
    insert into users (id, username, username_key, email, email_key, password_hash, created_at)
    values (7, 'ada', 'ada', 'ada', 'ada', '$hash$', 1)";

#[tokio::test]
async fn notes_of_an_older_schema_are_folded_again_some_at_a_time_and_stay_as_they_are() {
    let mut older = Older::before("0020").await;
    run(&mut older.connection, OWNER).await;
    for n in 0..300 {
        let length = if n % 20 == 0 { 50_000 } else { 10 };
        add_as_before(&mut older.connection, 7, &format!("note-{n}"), length).await;
    }
    run(
        &mut older.connection,
        "update notes set tags = '[\"É\"]' where id = 'note-1'",
    )
    .await;
    older.migrate().await;
    let sqlite = Sqlite::open(options(&older.path())).await.unwrap();
    let store = Store::new(Arc::new(sqlite), TIMEOUT);

    let steps = refold(&store).await;

    assert!(steps > 5, "{steps}");
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
        "select count(*), sum(folded = 8 * change + 1 and version = 5 and instr(words, ' ol note ') > 0),
                sum(tag_keys is '[\"é\"]')
         from notes",
    )
    .fetch_all(&mut older.connection)
    .await
    .unwrap();
    assert_eq!(rows, [(300, 300, 1)]);
    add_as_before(&mut older.connection, 7, "later", 1).await;
    assert_eq!(outdated(&store).await.len(), 1, "an older program wrote it");
}

#[tokio::test]
async fn what_was_changed_meanwhile_is_not_folded_over() {
    let database = Database::new().await;
    let store = database.store();
    let ada = user(&store, "ada").await;
    let id = add(&store, ada, "milk").await;
    run(&mut database.outside().await, "update notes set folded = 0").await;

    let refold = Refold::new(outdated(&store).await);
    let change = UpdateNote::new(ada, id, patch("bread"), Condition::default(), FREELY, at(2));
    store.write(change).await.unwrap().unwrap();
    store.write(refold).await.unwrap();

    let words = database.text("select words from notes").await;
    assert_eq!(words, " a title \n bread ");
}

#[tokio::test]
async fn a_note_is_outdated_until_all_of_it_was_folded_by_todays_rules() {
    let database = Database::new().await;
    let store = database.store();
    let ada = user(&store, "ada").await;
    let [milk, pears] = [
        add(&store, ada, "milk").await,
        add(&store, ada, "pears").await,
    ];
    let change = async |id, patch: Patch| {
        let change = UpdateNote::new(ada, id, patch, Condition::default(), FREELY, at(2));
        store.write(change).await.unwrap().unwrap();
    };
    let trash = async |id| {
        let (condition, now) = (Condition::default(), at(3));
        let remove = Remove {
            user: ada,
            id,
            permanent: false,
            condition,
            now,
        };
        store.write(remove).await.unwrap().unwrap();
    };
    change(pears, patch("more pears")).await;
    trash(pears).await;
    assert!(
        outdated(&store).await.is_empty(),
        "written by today's rules"
    );
    run(&mut database.outside().await, OLDER_EDITS).await;

    change(milk, patch("bread")).await;
    trash(milk).await;

    let left = outdated(&store).await;
    assert_eq!(left.len(), 2);
    refold(&store).await;
    let words = database
        .text("select group_concat(words, '|') from notes order by row_id")
        .await;
    assert_eq!(words, " a title \n bread | a title \n more pears ");
}

/// What an older program writes: words by other rules.
const OLDER_EDITS: &str = "
    update notes set words = ' old ' || substr(words, instr(words, char(10))), change = change + 10;";
