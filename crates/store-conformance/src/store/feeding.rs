//! The feed of a user's notes: numbered changes, and pages of them.

use domain::notes::list::PAGE_BYTES;
use domain::store::Store;

use super::noting::{
    FREELY, add, changes, delete, draft, id, insert, new, restore, stored, trash, update, user,
};
use crate::support::at;
use crate::support::units::{failure, unit};

pub async fn every_write_is_the_next_change_and_an_undone_one_is_none(store: Store) {
    let ada = user(&store, "ada").await;
    for n in 1..=4 {
        add(&store, ada, n, "t").await;
    }
    let undone = unit(move |tx| {
        Box::pin(async move {
            tx.insert_note(&new(ada, 9, draft("never", ""))).await?;
            tx.trash_note(ada, id(1), at(1)).await?;
            tx.delete_note(ada, id(2), at(1)).await?;
            Err::<(), _>(failure())
        })
    });
    store.write(undone).await.unwrap_err();
    let (_, before, _) = changes(&store, ada, 0, 10).await;

    trash(&store, ada, 2).await;
    let one = stored(&store, ada, 1).await.unwrap();
    update(&store, ada, &one.changed(draft("newer", ""), at(1))).await;
    delete(&store, ada, 3).await;
    let two = stored(&store, ada, 2).await.unwrap();
    let back = two.changed(draft("back", ""), at(1));
    restore(&store, ada, &back, FREELY).await;
    trash(&store, ada, 4).await;

    let since = [
        (id(1), 2, false),
        (id(3), 2, true),
        (id(2), 3, false),
        (id(4), 2, true),
    ];
    assert_eq!(changes(&store, ada, before, 10).await.0, since);
    let mut pages = Vec::new();
    let mut after = before;
    loop {
        let (page, upto, more) = changes(&store, ada, after, 1).await;
        pages.extend(page);
        after = upto;
        if !more {
            break;
        }
    }
    assert_eq!(pages, since);
    assert_eq!(
        changes(&store, ada, after, 10).await,
        (vec![], after, false)
    );
    assert_eq!(changes(&store, ada, 0, 10).await.0, since, "each note once");
}

pub async fn a_note_made_again_counts_its_versions_on_for_its_owner_alone(store: Store) {
    let (ada, bob) = (user(&store, "ada").await, user(&store, "bob").await);
    for n in [1, 2] {
        add(&store, ada, n, "t").await;
        trash(&store, ada, n).await;
        delete(&store, ada, n).await;
    }

    let again = insert(&store, &new(ada, 1, draft("again", ""))).await;
    let others = insert(&store, &new(bob, 2, draft("free again", ""))).await;

    assert_eq!((again, others), (Some(4), Some(1)));
    assert_eq!(
        changes(&store, ada, 0, 10).await.0,
        [(id(2), 3, true), (id(1), 4, false)]
    );
}

pub async fn a_part_of_the_feed_ends_at_its_bytes_and_the_next_goes_on_from_there(store: Store) {
    let ada = user(&store, "ada").await;
    let half = "x".repeat(PAGE_BYTES as usize / 2);
    for n in 0..8 {
        insert(&store, &new(ada, n, draft("t", &half))).await;
    }
    trash(&store, ada, 1).await;
    delete(&store, ada, 4).await;

    let (mut found, mut after, mut parts) = (Vec::new(), 0, Vec::new());
    loop {
        let (changes, upto, more) = changes(&store, ada, after, 100).await;
        after = upto;
        parts.push(changes.len());
        found.extend(changes.into_iter().map(|(id, _, deleted)| (id, deleted)));
        if !more {
            break;
        }
    }

    assert_eq!(parts, [2, 2, 2, 2]);
    let live = [0, 2, 3, 5, 6, 7].map(|n| (id(n), false));
    let deleted = [1, 4].map(|n| (id(n), true));
    assert_eq!(found, [&live[..], &deleted].concat());
}

pub async fn a_part_of_the_feed_counts_bytes_as_json_writes_them(store: Store) {
    let ada = user(&store, "ada").await;
    // Six bytes each in JSON: two such notes are more than a page.
    let half = "\u{1}".repeat(PAGE_BYTES as usize / 12 + 1);
    for n in 0..3 {
        insert(&store, &new(ada, n, draft("t", &half))).await;
    }

    let (first, upto, more) = changes(&store, ada, 0, 100).await;
    let (second, _, more_yet) = changes(&store, ada, upto, 100).await;

    assert_eq!((first.len(), more), (2, true));
    assert_eq!((second.len(), more_yet), (1, false));
}
