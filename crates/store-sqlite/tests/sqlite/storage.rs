//! The bytes of each user's notes, as the triggers count them.

use domain::id::UserId;
use domain::notes::create::Create;
use domain::notes::edit::{Patch, Replace};
use domain::notes::remove::{Remove, Restore};
use domain::notes::{Draft, NoteId, condition::Condition, edit::UpdateNote};
use domain::plans::{NoteLimits, StorageLimits};
use domain::store::Store;
use store_sqlite::migrate;

use crate::support::Database;
use store_conformance::support::at;
use store_conformance::support::people::{Person, address};

const FREELY: NoteLimits = NoteLimits {
    free: u32::MAX,
    premium: None,
    storage: StorageLimits {
        free: None,
        premium: None,
    },
};

/// What the notes take up, added up anew.
const TRULY: &str =
    "select coalesce(sum(512 + octet_length(title) + octet_length(title_key) + octet_length(tags)
                         + octet_length(words) + octet_length(content)), 0) from notes";

const COUNTED: &str = "select sum(bytes) from note_books";

async fn user(store: &Store) -> UserId {
    let person = Person::new("ada");
    person.becomes_a_user(store, at(0)).await;
    let mut reader = store.reader().await.unwrap();
    let key = address(&person.email).key().clone();
    reader.user_by_email(&key).await.unwrap().unwrap().id
}

fn draft(n: usize) -> Draft {
    Draft {
        title: format!("Straße {n} \u{fdfa}"),
        content: "Ein Wörtchen, zweimal. ".repeat(n * 50),
        tags: (0..n).map(|tag| format!("tag \"{tag}\"")).collect(),
        pinned: n.is_multiple_of(2),
        archived: false,
    }
}

/// Adds, changes, trashes, restores and deletes notes, so that each is left in another state.
async fn write_in_every_way(store: &Store, user: UserId) {
    let mut ids: Vec<NoteId> = Vec::new();
    for n in 0..8 {
        let create = Create::new(user, None, draft(n), FREELY, at(1));
        let made = store.write(create).await.unwrap().unwrap();
        ids.push(made.note().id);
    }
    let anything = Condition::default;
    let change = |id, patch| UpdateNote::new(user, id, patch, anything(), FREELY, at(2));
    let title = Patch {
        title: Some("Öl".to_owned()),
        ..Patch::default()
    };
    let content = Patch {
        content: Some("kürzer".to_owned()),
        ..Patch::default()
    };
    let pinned = Patch {
        pinned: Some(true),
        tags: Some(vec!["ß".to_owned()]),
        ..Patch::default()
    };
    for (id, patch) in ids.iter().zip([title, content, pinned]) {
        store.write(change(*id, patch)).await.unwrap().unwrap();
    }
    let remove = |id, permanent| Remove {
        user,
        id,
        permanent,
        condition: anything(),
        now: at(3),
    };
    for id in &ids[3..7] {
        store.write(remove(*id, false)).await.unwrap().unwrap();
    }
    let restore = Restore {
        user,
        id: ids[4],
        condition: anything(),
        limits: FREELY,
        now: at(4),
    };
    store.write(restore).await.unwrap().unwrap();
    let replace = Replace::new(user, ids[5], draft(20), anything(), FREELY, at(4));
    store.write(replace).await.unwrap().unwrap();
    store.write(remove(ids[6], true)).await.unwrap().unwrap();
}

#[tokio::test]
async fn every_write_is_counted_to_the_byte() {
    let database = Database::new().await;
    let store = database.store();
    let user = user(&store).await;

    write_in_every_way(&store, user).await;

    let truly = database.number(TRULY).await;
    assert!(truly > 10_000, "{truly}");
    assert_eq!(database.number(COUNTED).await, truly);
    let mut reader = store.reader().await.unwrap();
    let standing = reader.plan_standing(user, at(5)).await.unwrap();
    assert_eq!(i64::try_from(standing.bytes), Ok(truly));
}

/// A budget that is exactly used up has no room, and one byte less is refused: the statement that adds a note counts as
/// the triggers do.
#[tokio::test]
async fn a_note_fits_to_the_byte() {
    let database = Database::new().await;
    let store = database.store();
    let user = user(&store).await;
    let create = |limits| Create::new(user, None, draft(3), limits, at(1));
    store.write(create(FREELY)).await.unwrap().unwrap();
    let size = u64::try_from(database.number(COUNTED).await).unwrap();
    let limits = |bytes| NoteLimits {
        storage: StorageLimits {
            free: Some(bytes),
            premium: None,
        },
        ..FREELY
    };

    let too_long = store.write(create(limits(2 * size - 1))).await.unwrap();
    let fitting = store.write(create(limits(2 * size))).await.unwrap();

    assert!(too_long.is_err(), "{too_long:?}");
    assert!(fitting.is_ok(), "{fitting:?}");
}

#[tokio::test]
async fn notes_that_were_there_before_the_budget_are_counted_by_the_migration() {
    let database = Database::new().await;
    let store = database.store();
    let user = user(&store).await;
    write_in_every_way(&store, user).await;
    // As the schema was before.
    for statement in [
        "drop trigger notes_grow_or_shrink",
        "drop trigger notes_are_removed",
        "drop trigger notes_are_added",
        "create trigger notes_are_added after insert on notes begin
             update note_books set last_change = new.change, live = live + (new.trashed_at is null)
             where user_id = new.user_id;
             delete from note_tombstones where user_id = new.user_id and id = new.id;
         end",
        "drop trigger tombstones_are_added",
        "drop trigger tombstones_are_removed",
        "drop trigger tombstones_are_too_many",
        "alter table note_books drop column tombstones",
        "alter table note_books drop column bytes",
        "delete from _sqlx_migrations where version = 14",
    ] {
        database.execute(statement).await;
    }

    let report = migrate::run(&database.path()).await.unwrap();

    assert_eq!(report.applied, ["0014 storage"]);
    assert_eq!(database.number(COUNTED).await, database.number(TRULY).await);
}
