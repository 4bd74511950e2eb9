//! Where notes lie in the file: each user's together, and found without a look at the texts of others.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use domain::id::UserId;
use domain::notes::condition::Condition;
use domain::notes::create::Create;
use domain::notes::edit::{Patch, UpdateNote};
use domain::notes::list::{Key, NoteQuery, Order, PAGE_BYTES};
use domain::notes::remove::Remove;
use domain::notes::{Draft, NoteId};
use domain::plans::{NoteLimits, StorageLimits};
use domain::store::Store;
use sqlx::SqliteConnection;
use store_sqlite::Sqlite;

use super::erasing::KEEP;
use super::migrating::{Older, run};
use crate::support::{Database, options};
use store_conformance::support::calls::Calls as _;
use store_conformance::support::people::{Person, address};
use store_conformance::support::{TIMEOUT, at};

pub(super) const FREELY: NoteLimits = NoteLimits {
    free: u32::MAX,
    premium: None,
    storage: StorageLimits {
        free: None,
        premium: None,
    },
};

pub(super) async fn user(store: &Store, name: &str) -> UserId {
    let person = Person::new(name);
    person.becomes_a_user(store, at(0)).await;
    let mut reader = store.reader().await.unwrap();
    let key = address(&person.email).key().clone();
    reader.user_by_email(&key).await.unwrap().unwrap().id
}

pub(super) async fn add(store: &Store, user: UserId, content: &str) -> NoteId {
    let draft = Draft {
        title: "A title".to_owned(),
        content: content.to_owned(),
        ..Draft::default()
    };
    let create = Create::new(user, None, draft, FREELY, at(1));
    store.write(create).await.unwrap().unwrap().note().id
}

fn query(user: UserId, key: Key, word: Option<&str>) -> NoteQuery {
    NoteQuery {
        user,
        trashed: false,
        tag: None,
        pinned: None,
        archived: None,
        words: word.into_iter().map(str::to_owned).collect(),
        order: Order {
            key,
            descending: true,
        },
        place: None,
        limit: 20,
        bytes: PAGE_BYTES,
    }
}

/// Overwrites what long notes hold beside their beginnings, so that nothing can be read there.
async fn destroy_long_texts(database: &Database) -> usize {
    database.sqlite().close().await;
    let mut outside = database.outside().await;
    let pages: Vec<u32> = sqlx::query_scalar(
        "select pageno from dbstat where name = 'notes' and pagetype = 'overflow'",
    )
    .fetch_all(&mut outside)
    .await
    .unwrap();
    drop(outside);
    let file = OpenOptions::new()
        .write(true)
        .open(database.path())
        .unwrap();
    for page in &pages {
        let at = (u64::from(*page) - 1) * 4096;
        file.write_all_at(&[0xff; 4096], at).unwrap();
    }
    pages.len()
}

#[tokio::test]
async fn notes_are_found_and_written_without_reading_the_texts_of_others() {
    let database = Database::new().await;
    let store = database.store();
    let ada = user(&store, "ada").await;
    let short = add(&store, ada, "milk").await;
    for name in ["bob", "eve", "zoe"] {
        let other = user(&store, name).await;
        for _ in 0..40 {
            add(&store, other, &"long and longer ".repeat(1_000)).await;
        }
    }
    for n in 0..40 {
        add(&store, ada, &format!("bread {n}")).await;
    }
    let destroyed = destroy_long_texts(&database).await;
    let sqlite = Sqlite::open(options(&database.path())).await.unwrap();
    let store = Store::new(Arc::new(sqlite), TIMEOUT);

    let mut reader = store.reader().await.unwrap();
    for key in [Key::Updated, Key::Created, Key::Title] {
        let page = reader.notes(&query(ada, key, None)).await.unwrap();
        assert_eq!((page.notes.len(), page.count), (20, 41));
    }
    let found = reader.notes(&query(ada, Key::Rank, Some("milk"))).await;
    let feed = reader.note_changes(ada, 0, 100).await.unwrap();
    let note = reader.note(ada, short).await.unwrap();
    drop(reader);
    let added = add(&store, ada, "pears").await;
    let patch = Patch {
        content: Some("butter".to_owned()),
        ..Patch::default()
    };
    let change = UpdateNote::new(ada, short, patch, Condition::default(), FREELY, at(2));
    let changed = store.write(change).await.unwrap();
    let remove = Remove {
        user: ada,
        id: added,
        permanent: true,
        condition: Condition::default(),
        now: at(3),
    };
    let removed = store.write(remove).await.unwrap();

    assert!(destroyed > 300, "{destroyed} pages");
    assert_eq!(found.unwrap().count, 1);
    assert_eq!(feed.changes.len(), 41);
    assert!(note.is_some() && changed.is_ok() && removed.is_ok());
}

#[tokio::test]
async fn the_notes_of_one_user_lie_together() {
    let database = Database::new().await;
    let store = database.store();
    let [ada, bob] = [user(&store, "ada").await, user(&store, "bob").await];

    for _ in 0..3 {
        add(&store, ada, "milk").await;
        add(&store, bob, "bread").await;
    }

    let owners = database
        .text("select group_concat(user_id) from (select user_id from notes order by row_id)")
        .await;
    let (ada, bob) = (ada.0, bob.0);
    assert_eq!(owners, format!("{ada},{ada},{ada},{bob},{bob},{bob}"));
}

/// The numbers of users, one of them brought over from elsewhere, that have notes in the schema before.
const USERS: [i64; 3] = [7, 9, 1 << 40];

/// Everything that notes have, and what is counted of them.
const ALL: &str = "
    select json_group_array(json_array(user_id, id, title, title_key, tags, is_pinned, is_archived, created_at,
               updated_at, version, change, trashed_at, conflict_of, words, content) order by id)
        || (select json_group_array(json_array(user_id, last_change, live, forgotten_change, bytes, tombstones)
               order by user_id) from note_books)
    from notes";

async fn all(connection: &mut SqliteConnection) -> String {
    sqlx::query_scalar(ALL).fetch_one(connection).await.unwrap()
}

/// Adds a note as programs do that know of no numbers of rows.
pub(super) async fn add_as_before(
    connection: &mut SqliteConnection,
    user: i64,
    id: &str,
    length: usize,
) {
    let statement = "
        insert into notes (user_id, id, title, title_key, tags, is_pinned, is_archived, created_at, updated_at,
            version, change, conflict_of, words, content)
        select user_id, ?2, 'Öl ' || ?2, 'ol', '[\"a\"]', 1, 0, 3, 4, 5, last_change + 1, ?2, ' words ',
               replace(hex(zeroblob(?3)), '00', 'ä')
        from note_books where user_id = ?1";
    sqlx::query(statement)
        .bind(user)
        .bind(id)
        .bind(i64::try_from(length).unwrap())
        .execute(connection)
        .await
        .unwrap();
}

/// A database of the schema before, with users and their notes of every length: live, in the trash, and deleted.
async fn with_notes() -> Older {
    let mut older = Older::before("0017").await;
    let connection = &mut older.connection;
    for user in USERS {
        let statement = "
            insert into users (id, username, username_key, email, email_key, password_hash, created_at)
            values (?1, ?1, ?1, ?1, ?1, '$hash$', 1)";
        sqlx::query(statement)
            .bind(user)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    for n in (0..60).rev() {
        let user = USERS[n % 3];
        add_as_before(connection, user, &format!("note-{n:02}"), n * n * 10).await;
    }
    let trash = "
        update notes set trashed_at = 6, version = 7, change = (
            select last_change + 1 from note_books where note_books.user_id = notes.user_id)
        where id in ('note-11', 'note-50')";
    run(connection, trash).await;
    run(connection, "delete from notes where id = 'note-50'").await;
    older
}

#[tokio::test]
async fn notes_keep_all_they_have_when_their_table_is_made_anew() {
    let mut older = with_notes().await;
    let before = all(&mut older.connection).await;

    older.migrate().await;

    let path = older.path();
    let connection = &mut older.connection;
    assert!(before.len() > 200_000, "{}", before.len());
    assert_eq!(all(connection).await, before);
    for user in USERS {
        sqlx::query("delete from users where id = ?")
            .bind(user)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    let sqlite = Sqlite::open(options(&path)).await.unwrap();
    let store = Store::new(Arc::new(sqlite), TIMEOUT);
    while store.purge(KEEP, at(0)).await.unwrap() > 0 {}
    let left: i64 = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    assert_eq!(left, 0, "notes follow their users");
    let sound: String = sqlx::query_scalar("pragma integrity_check")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    assert_eq!(sound, "ok");
}

/// Both add notes: an API of the release before and one of this release.
#[tokio::test]
async fn programs_that_know_of_no_numbers_of_rows_take_none_from_others() {
    let mut older = with_notes().await;
    older.migrate().await;
    let sqlite = Sqlite::open(options(&older.path())).await.unwrap();
    let store = Store::new(Arc::new(sqlite), TIMEOUT);

    for n in 0..20 {
        for user in USERS {
            add_as_before(&mut older.connection, user, &format!("old-{n}-{user}"), 1).await;
            add(&store, UserId(user), "of today").await;
        }
    }

    let counts: Vec<(i64, i64)> = sqlx::query_as(
        "select count(*), live from notes join note_books using (user_id)
         where trashed_at is null group by user_id order by user_id",
    )
    .fetch_all(&mut older.connection)
    .await
    .unwrap();
    assert_eq!(counts, [(60, 60), (60, 60), (58, 58)]);
}
