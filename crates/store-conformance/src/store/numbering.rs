//! Numbers of changes, versions and users that jump, as after a restore from a backup.

use domain::notes::create::Create;
use domain::notes::numbers::{Jump, LEAST};
use domain::notes::remove::Remove;
use domain::store::Store;

use super::noting::{FREELY, add, changes, draft, id, trash, user};
use crate::support::at;
use crate::support::units::unit;

async fn jump(store: &Store, jump: Jump) -> u64 {
    let jumping = unit(move |tx| Box::pin(async move { tx.jump_note_numbers(&jump).await }));
    store.write(jumping).await.unwrap()
}

pub async fn after_a_jump_what_is_stored_stays_and_what_follows_lies_beyond(store: Store) {
    let (ada, bob) = (user(&store, "ada").await, user(&store, "bob").await);
    for (user, n) in [(ada, 1), (ada, 2), (ada, 3), (bob, 11)] {
        add(&store, user, n, "t").await;
    }
    let to = 5_000_000_000;
    let jumping = Jump {
        user: Some(ada),
        to,
        alone: false,
        now: at(9),
    };

    assert_eq!(jump(&store, jumping).await, 1);
    let (stored, upto, _) = changes(&store, ada, 0, 10).await;
    trash(&store, ada, 1).await;
    let removal = Remove {
        user: ada,
        id: id(2),
        permanent: true,
        condition: domain::notes::condition::Condition::default(),
        now: at(9),
    };
    store.write(removal).await.unwrap().unwrap();
    let chosen = Create::new(ada, Some(id(4)), draft("t", ""), FREELY, at(9));
    let fresh = Create::new(ada, None, draft("t", ""), FREELY, at(9));
    let made = store.write(chosen).await.unwrap().unwrap();
    let of_ours = store.write(fresh).await.unwrap().unwrap();
    trash(&store, bob, 11).await;

    assert_eq!(upto, 3);
    assert!(stored.iter().all(|(_, version, _)| *version == 1));
    let (since, last, _) = changes(&store, ada, upto, 10).await;
    let versions: Vec<_> = since.iter().map(|(_, version, _)| *version).collect();
    assert_eq!(versions, [to + 1, to + 1, to + 1, 1]);
    assert_eq!((made.note().version, of_ours.note().version), (to + 1, 1));
    assert_eq!(last, to + 4);
    assert_eq!(changes(&store, bob, 0, 10).await.0, [(id(11), 2, true)]);
}

pub async fn numbers_jump_the_least_further_at_least_and_never_too_far(store: Store) {
    let ada = user(&store, "ada").await;
    add(&store, ada, 1, "t").await;
    let everybody = |to| Jump {
        user: None,
        to,
        alone: false,
        now: at(9),
    };

    assert_eq!(jump(&store, everybody(0)).await, 1);
    assert_eq!(jump(&store, everybody(i64::MAX)).await, 0);
    trash(&store, ada, 1).await;

    assert_eq!(changes(&store, ada, 0, 10).await.1, 1 + LEAST + 1);
}

pub async fn a_version_is_ahead_that_no_note_of_the_user_ever_had(store: Store) {
    let (ada, bob) = (user(&store, "ada").await, user(&store, "bob").await);
    add(&store, ada, 1, "t").await;
    add(&store, bob, 11, "t").await;
    let mut reader = store.reader().await.unwrap();
    let mut ahead = Vec::new();

    for (n, version) in [(1, 1), (1, 2), (9, 0), (9, 1), (11, 7)] {
        let named = [(id(n), version)];
        let found = reader.note_version_ahead(ada, &named).await.unwrap();
        ahead.push(found.map(|found| (found.version, found.certain)));
    }

    assert_eq!(ahead, [None, Some((2, true)), None, Some((1, true)), None]);
}

pub async fn ids_of_users_are_left_out_unless_too_few_are_left(store: Store) {
    let leave_out = |at_least, fewest| {
        unit(move |tx| Box::pin(async move { tx.jump_user_ids(at_least, fewest, 5000).await }))
    };

    let first = store.write(leave_out(2000, 10)).await.unwrap();
    let second = store.write(leave_out(0, 10)).await.unwrap();
    let too_many = store.write(leave_out(0, 5000)).await.unwrap();
    let ada = user(&store, "ada").await;

    assert_eq!(first.map(|id| id.0), Some(2001));
    assert_eq!(second.map(|id| id.0), Some(2011));
    assert_eq!(too_many, None);
    assert_eq!(ada.0, 2011);
}
