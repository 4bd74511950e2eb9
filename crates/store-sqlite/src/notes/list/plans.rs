//! How the lists' statements find their rows: they are put together by macros, so what is planned here are the queries
//! that run, and not a text of them.

use domain::id::UserId;
use domain::notes::NoteId;
use domain::notes::list::{Order, PAGE_BYTES};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Execute, Row};

use super::*;
use crate::migrate;

fn query(words: &[&str]) -> NoteQuery {
    NoteQuery {
        user: UserId(1),
        trashed: false,
        tag: None,
        pinned: None,
        archived: None,
        words: words.iter().map(ToString::to_string).collect(),
        order: Order {
            key: Key::Updated,
            descending: true,
        },
        place: None,
        limit: 20,
        bytes: PAGE_BYTES,
    }
}

/// The steps of a statement's plan, on a database without statistics, as in production.
async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("explain query plan {statement}"));
    let rows = sqlx::query(explain).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

/// The steps that read rows of notes: those of one user alone, or of everybody.
fn reading(plan: &[String]) -> impl Iterator<Item = &String> {
    plan.iter().filter(|step| {
        let mut words = step.split_whitespace();
        let reads = matches!(words.next(), Some("SCAN" | "SEARCH"));
        reads
            && ["notes", "note_books", "note_tombstones"]
                .contains(&words.next().unwrap_or_default())
    })
}

/// Whether a step finds rows by whose they are, which is the number of a book's row, or a note that was found so.
fn is_own(step: &str) -> bool {
    let named = ["user_id=?", "INTEGER PRIMARY KEY (rowid=?)"];
    step.starts_with("SEARCH ") && named.iter().any(|by| step.contains(by))
}

#[tokio::test]
async fn a_list_reads_the_rows_of_its_user_alone_and_the_plain_one_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    migrate::run(&path).await.unwrap();
    let options = SqliteConnectOptions::new().filename(&path);
    let mut connection = options.connect().await.unwrap();
    let (at, limit) = (Beyond::of(None, true), 21_i64);
    let words = query(&["one", "two", "three", "four", "five"]);
    let filter = Filter::of(&words).unwrap();

    for (is_plain, statement) in [
        (true, plain!("<", "desc", 1_i64, at, limit).sql()),
        (true, plain!(">", "asc", 1_i64, at, limit).sql()),
        (true, plain_sized!("<", "desc", words, at, limit).sql()),
        (true, plain_sized!(">", "asc", words, at, limit).sql()),
        (
            false,
            matched!(
                "<",
                "rank desc, number desc, title_key desc, id desc",
                filter,
                at,
                limit
            )
            .sql(),
        ),
        (
            false,
            matched!(">", "rank, number, title_key, id", filter, at, limit).sql(),
        ),
    ] {
        let statement = statement.as_str();
        let plan = plan(&mut connection, statement).await;

        assert!(reading(&plan).count() >= 2, "{plan:#?}");
        for step in reading(&plan) {
            assert!(is_own(step), "{step}\n{statement}\n{plan:#?}");
        }
        if is_plain {
            let ordered = plan
                .iter()
                .any(|step| step.contains("INDEX notes_by_update (user_id=?"));
            let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
            assert!(ordered && !sorts, "{plan:#?}");
        }
    }
    let scan = plan(&mut connection, "select title from notes").await;
    assert!(
        reading(&scan).any(|step| step.starts_with("SCAN ")),
        "{scan:#?}"
    );
}

/// The first and the last place of a list lie beyond every note.
#[test]
fn a_list_begins_beyond_everything() {
    let first = Beyond::of(None, true);
    let last = Beyond::of(None, false);

    assert_eq!((first.number, last.number), (i64::MAX, i64::MIN));
    let id: NoteId = "ffffffff-ffff-ffff-ffff-ffffffffffff".parse().unwrap();
    assert!(last.id < id.to_string() && id.to_string() < first.id);
}
