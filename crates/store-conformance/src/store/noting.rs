//! Notes: written, and limited by the plan.

use domain::id::UserId;
use domain::notes::changes::NoteChange;
use domain::notes::create::Create;
use domain::notes::port::{NewNote, NoteOwner};
use domain::notes::words::{self, ChangedWords};
use domain::notes::{Draft, Note, NoteId, Refused};
use domain::plans::{NoteLimits, Plan, StorageLimits};
use domain::store::Store;
use futures_util::future::join_all;

use crate::support::at;
use crate::support::people::{Person, address};
use crate::support::units::unit;

/// Any number.
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

pub(super) fn id(n: u64) -> NoteId {
    format!("0190a0b0-c0d0-7e00-8f00-{n:012x}").parse().unwrap()
}

pub(super) fn draft(title: &str, content: &str) -> Draft {
    Draft {
        title: title.to_owned(),
        content: content.to_owned(),
        ..Draft::default()
    }
}

pub(super) fn new(user: UserId, n: u64, draft: Draft) -> NewNote {
    NewNote {
        owner: NoteOwner::User(user),
        words: words::of_note(&draft),
        id_is_fresh: false,
        note: Note {
            id: id(n),
            draft,
            created: at(0),
            updated: at(0),
            version: 1,
            conflict_of: None,
            trashed: None,
        },
        limits: FREELY,
    }
}

pub(super) async fn insert(store: &Store, new: &NewNote) -> Option<i64> {
    let new = new.clone();
    let insert = unit(move |tx| {
        let new = new.clone();
        Box::pin(async move { tx.insert_note(&new).await })
    });
    store.write(insert).await.unwrap()
}

pub(super) async fn add(store: &Store, user: UserId, n: u64, title: &str) {
    let version = insert(store, &new(user, n, draft(title, ""))).await;
    assert!(version.is_some());
}

pub(super) async fn update(store: &Store, user: UserId, note: &Note) {
    let note = note.clone();
    let update = unit(move |tx| {
        let note = note.clone();
        Box::pin(async move {
            let words = words::of_note(&note.draft);
            tx.rewrite_note(user, &note, words.both(), FREELY, at(0))
                .await
                .map(drop)
        })
    });
    store.write(update).await.unwrap();
}

/// Writes a note over what is there, live or in the trash, with these words alone.
pub(super) async fn write_words(store: &Store, user: UserId, note: &Note, words: ChangedWords<'_>) {
    let (note, title) = (note.clone(), words.title.cloned());
    let content = words.content.map(str::to_owned);
    let write = unit(move |tx| {
        let (note, title, content) = (note.clone(), title.clone(), content.clone());
        Box::pin(async move {
            let words = ChangedWords {
                title: title.as_ref(),
                content: content.as_deref(),
            };
            tx.rewrite_note(user, &note, words, FREELY, at(0))
                .await
                .map(drop)
        })
    });
    store.write(write).await.unwrap();
}

pub(super) async fn restore(store: &Store, user: UserId, note: &Note, limits: NoteLimits) -> bool {
    let note = note.clone();
    let restore = unit(move |tx| {
        let note = note.clone();
        Box::pin(async move {
            let words = words::of_note(&note.draft);
            let words = words.both();
            tx.rewrite_note(user, &note, words, limits, at(0)).await
        })
    });
    store.write(restore).await.unwrap()
}

pub(super) async fn trash(store: &Store, user: UserId, n: u64) {
    let trash = unit(move |tx| Box::pin(async move { tx.trash_note(user, id(n), at(5)).await }));
    store.write(trash).await.unwrap();
}

pub(super) async fn delete(store: &Store, user: UserId, n: u64) {
    let delete = unit(move |tx| Box::pin(async move { tx.delete_note(user, id(n), at(6)).await }));
    store.write(delete).await.unwrap();
}

pub(super) async fn stored(store: &Store, user: UserId, n: u64) -> Option<Note> {
    let mut reader = store.reader().await.unwrap();
    reader.note(user, id(n)).await.unwrap()
}

/// A number of the feed's changes and its end: each as its note, its version, and whether it is deleted.
pub(super) async fn changes(
    store: &Store,
    user: UserId,
    after: i64,
    limit: u32,
) -> (Vec<(NoteId, i64, bool)>, i64, bool) {
    let mut reader = store.reader().await.unwrap();
    let page = reader.note_changes(user, after, limit).await.unwrap();
    let changes = page.changes.into_iter().map(|change| match change {
        NoteChange::Written(note) => (note.id, note.version, false),
        NoteChange::Deleted { id, version } => (id, version, true),
    });
    (changes.collect(), page.upto, page.more)
}

pub async fn a_note_comes_back_as_it_was_written(store: Store) {
    let ada = user(&store, "ada").await;
    let mut note = new(
        ada,
        1,
        Draft {
            title: " \u{1}\"\\'\u{7f}%_".to_owned(),
            content: "e\u{301}\r\n\u{2028}\u{feff}🦀\u{10ffff}".to_owned(),
            tags: vec![
                "b".to_owned(),
                "a,\"".to_owned(),
                "b".to_owned(),
                "1".to_owned(),
            ],
            pinned: true,
            archived: true,
        },
    );
    note.note.conflict_of = Some(id(9));

    let version = insert(&store, &note).await;

    assert_eq!(version, Some(1));
    assert_eq!(stored(&store, ada, 1).await, Some(note.note.clone()));
    let changed = note.note.changed(draft("t", ""), at(3));
    update(&store, ada, &changed).await;
    assert_eq!(stored(&store, ada, 1).await, Some(changed));
}

pub async fn a_note_with_an_identifier_of_its_own_begins_with_version_1(store: Store) {
    let ada = user(&store, "ada").await;
    let fresh = NewNote {
        id_is_fresh: true,
        ..new(ada, 1, draft("t", ""))
    };

    let versions = [insert(&store, &fresh).await, insert(&store, &fresh).await];

    assert_eq!(versions, [Some(1), None]);
    assert_eq!(stored(&store, ada, 1).await, Some(fresh.note));
}

/// Whose account was deleted since the request was let in.
pub async fn a_note_of_nobody_is_refused_as_not_found(store: Store) {
    let create = Create::new(UserId(999), Some(id(1)), draft("t", ""), FREELY, at(0));

    let refused = store.write(create).await.unwrap();

    assert_eq!(refused, Err(Refused::NotFound));
}

pub async fn an_identifier_is_given_once_whoever_asks_for_it(store: Store) {
    let (ada, bob) = (user(&store, "ada").await, user(&store, "bob").await);
    add(&store, ada, 1, "first").await;

    let own = insert(&store, &new(ada, 1, draft("second", ""))).await;
    let others = insert(&store, &new(bob, 1, draft("theirs", ""))).await;
    let taken = unit(|tx| {
        Box::pin(async move {
            let pair = (
                tx.note_id_is_taken(id(1)).await?,
                tx.note_id_is_taken(id(2)).await?,
            );
            Ok(pair)
        })
    });
    let taken = store.write(taken).await.unwrap();

    assert_eq!((own, others, taken), (None, None, (true, false)));
    assert_eq!(stored(&store, ada, 1).await.unwrap().draft.title, "first");
    assert_eq!(stored(&store, bob, 1).await, None);
    assert_eq!(changes(&store, ada, 0, 10).await.0, [(id(1), 1, false)]);
    assert!(changes(&store, bob, 0, 10).await.0.is_empty());
}

pub async fn a_note_was_deleted_while_its_owner_has_it_neither_live_nor_in_the_trash(store: Store) {
    let (ada, bob) = (user(&store, "ada").await, user(&store, "bob").await);
    let was_deleted = async |user: UserId, n: u64| {
        let asked = unit(move |tx| Box::pin(async move { tx.note_was_deleted(user, id(n)).await }));
        store.write(asked).await.unwrap()
    };

    add(&store, ada, 1, "t").await;
    let live = was_deleted(ada, 1).await;
    trash(&store, ada, 1).await;
    let trashed = was_deleted(ada, 1).await;
    delete(&store, ada, 1).await;
    let gone = [
        was_deleted(ada, 1).await,
        was_deleted(bob, 1).await,
        was_deleted(ada, 2).await,
    ];
    add(&store, ada, 1, "again").await;

    assert_eq!((live, trashed, gone), (false, false, [true, false, false]));
    assert!(!was_deleted(ada, 1).await);
}

pub async fn of_fifty_notes_at_once_no_more_are_added_than_the_plan_allows(store: Store) {
    let ada = user(&store, "ada").await;
    let limits = NoteLimits { free: 7, ..FREELY };

    let all = join_all((0..50).map(|n| {
        let new = NewNote {
            limits,
            ..new(ada, n, draft("t", ""))
        };
        let store = &store;
        async move { insert(store, &new).await }
    }))
    .await;

    let added = all.iter().flatten().count();
    let mut reader = store.reader().await.unwrap();
    let standing = reader.plan_standing(ada, at(0)).await.unwrap();
    assert_eq!((added, standing.used, standing.plan), (7, 7, Plan::Free));
}

pub async fn a_trashed_note_leaves_room_and_comes_back_only_into_room(store: Store) {
    let ada = user(&store, "ada").await;
    let two = NoteLimits { free: 2, ..FREELY };
    add(&store, ada, 1, "one").await;
    add(&store, ada, 2, "two").await;
    trash(&store, ada, 1).await;
    let trashed = stored(&store, ada, 1).await.unwrap();
    let back = Note {
        trashed: None,
        version: 3,
        ..trashed.clone()
    };

    let third = NewNote {
        limits: two,
        ..new(ada, 3, draft("three", ""))
    };
    assert_eq!(insert(&store, &third).await, Some(1));
    assert!(!restore(&store, ada, &back, two).await);
    assert_eq!(stored(&store, ada, 1).await, Some(trashed.clone()));
    trash(&store, ada, 2).await;
    delete(&store, ada, 2).await;
    assert!(restore(&store, ada, &back, two).await);

    assert_eq!((trashed.version, trashed.trashed), (2, Some(at(5))));
    assert_eq!(stored(&store, ada, 1).await, Some(back));
    let mut reader = store.reader().await.unwrap();
    assert_eq!(reader.plan_standing(ada, at(0)).await.unwrap().used, 2);
}

pub async fn the_version_of_a_live_note_is_told_without_the_note(store: Store) {
    let (ada, bob) = (user(&store, "ada").await, user(&store, "bob").await);
    for n in [1, 2] {
        add(&store, ada, n, "t").await;
    }
    let note = stored(&store, ada, 1).await.unwrap();
    update(&store, ada, &note.changed(draft("t", "new"), at(1))).await;
    trash(&store, ada, 2).await;

    let mut reader = store.reader().await.unwrap();
    let mut told = Vec::new();
    for (user, n) in [(ada, 1), (ada, 2), (ada, 3), (bob, 1)] {
        let revision = reader.live_revision(user, id(n)).await.unwrap();
        told.push(revision.map(|revision| revision.version));
    }

    assert_eq!(told, [Some(2), None, None, None]);
}

pub async fn the_notes_of_a_deleted_user_are_gone_without_a_trace(store: Store) {
    let ada = user(&store, "ada").await;
    add(&store, ada, 1, "live").await;
    add(&store, ada, 2, "buried").await;
    delete(&store, ada, 2).await;

    let gone = unit(move |tx| Box::pin(async move { tx.delete_user(ada).await }));
    store.write(gone).await.unwrap();

    assert_eq!(stored(&store, ada, 1).await, None);
    assert!(changes(&store, ada, 0, 10).await.0.is_empty());
    let bob = user(&store, "bob").await;
    for n in [1, 2] {
        let mine = insert(&store, &new(bob, n, draft("mine", ""))).await;
        assert_eq!(mine, Some(1));
    }
}
