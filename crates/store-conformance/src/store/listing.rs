//! Lists of notes: ordered, filtered, and found by their words.

use domain::id::UserId;
use domain::notes::list::{Key, ListPosition, NotePage, NoteQuery, Order, PAGE_BYTES};
use domain::notes::words::{self, ChangedWords};
use domain::notes::{Draft, NoteId};
use domain::store::Store;

use super::noting::{draft, id, insert, new, stored, trash, user, write_words};
use crate::support::at;

fn everything(user: UserId, key: Key, descending: bool) -> NoteQuery {
    NoteQuery {
        user,
        trashed: false,
        tag: None,
        pinned: None,
        archived: None,
        words: Vec::new(),
        order: Order { key, descending },
        place: None,
        limit: 100,
        bytes: PAGE_BYTES,
    }
}

async fn listed(store: &Store, query: &NoteQuery) -> NotePage {
    let mut reader = store.reader().await.unwrap();
    reader.notes(query).await.unwrap()
}

fn ids(page: &NotePage) -> Vec<NoteId> {
    page.notes.iter().map(|listed| listed.note.id).collect()
}

/// Notes with ties in everything, some in the trash, and some of another user.
async fn many(store: &Store) -> UserId {
    let (ada, bob) = (user(store, "ada").await, user(store, "bob").await);
    for n in 0..20_u8 {
        let title = ["b", "É", "\u{10ffff}\u{10ffff}\u{10ffff}", "", "e"][usize::from(n % 5)];
        let content = format!("word{n} apple pear plum fig {}", n % 3);
        let mut note = new(ada, u64::from(n), draft(title, &content));
        note.note.created = at(i64::from(n % 3));
        note.note.updated = note.note.created;
        note.note.draft.tags = vec![format!("tag{}", n % 2)];
        note.note.draft.pinned = n % 4 == 0;
        note.note.draft.archived = n % 5 == 0;
        insert(store, &note).await;
        insert(
            store,
            &new(bob, 100 + u64::from(n), draft("bob's apple", "")),
        )
        .await;
    }
    for n in [3, 7] {
        trash(store, ada, n).await;
    }
    ada
}

pub async fn every_order_goes_on_from_a_place_in_both_directions(store: Store) {
    let ada = many(&store).await;

    for key in [Key::Updated, Key::Created, Key::Title, Key::Rank] {
        for descending in [true, false] {
            let mut query = everything(ada, key, descending);
            let all = listed(&store, &query).await;
            assert_eq!((all.notes.len(), all.count, all.more), (18, 18, false));
            let places: Vec<ListPosition> = all
                .notes
                .iter()
                .map(|listed| listed.place(key, false))
                .collect();
            let sorted = places.windows(2).all(|pair| {
                let of = |place: &ListPosition| {
                    (place.rank, place.number, place.title.clone(), place.id)
                };
                (of(&pair[0]) > of(&pair[1])) == descending
            });
            assert!(sorted, "{key:?} {descending}");

            query.limit = 4;
            for (n, place) in places.iter().enumerate() {
                query.place = Some(place.clone());
                let after = listed(&store, &query).await;
                let end = (n + 5).min(18);
                assert_eq!(
                    ids(&after),
                    ids(&all)[n + 1..end],
                    "{key:?} {descending} after {n}"
                );
                assert_eq!((after.more, after.count), (n + 5 < 18, 18));

                query.place = Some(all.notes[n].place(key, true));
                let before = listed(&store, &query).await;
                let start = n.saturating_sub(4);
                assert_eq!(
                    ids(&before),
                    ids(&all)[start..n],
                    "{key:?} {descending} before {n}"
                );
                assert_eq!((before.more, before.count), (n > 4, 18));
            }
        }
    }
}

pub async fn a_page_ends_at_its_bytes_and_the_next_goes_on_from_there(store: Store) {
    let ada = user(&store, "ada").await;
    for n in 0..30_u8 {
        // Some fit by dozens, one by itself is more than a page.
        let length = [10, 900, 2500, 30_000, 5000][usize::from(n % 5)];
        let mut note = new(ada, n.into(), draft(&format!("t{n}"), &"é".repeat(length)));
        note.note.created = at(i64::from(n / 3));
        note.note.updated = note.note.created;
        note.note.draft.tags = vec!["tag".repeat(usize::from(n % 7)); 3];
        insert(&store, &note).await;
    }
    let bytes_of = |draft: &Draft| {
        let tags = serde_json::to_string(&draft.tags).unwrap().len();
        draft.title.len() + draft.content.len() + tags
    };

    for (key, words) in [
        (Key::Updated, vec![]),
        (Key::Created, vec![]),
        (Key::Title, vec![]),
        (Key::Rank, vec!["t".to_owned()]),
    ] {
        for (descending, before) in [(true, false), (false, false), (true, true), (false, true)] {
            let mut query = NoteQuery {
                words: words.clone(),
                bytes: u32::MAX,
                ..everything(ada, key, descending)
            };
            let mut all = listed(&store, &query).await;
            assert_eq!((all.notes.len(), all.more), (30, false));
            query.bytes = 20_000;
            if before {
                all.notes.reverse();
                query.place = Some(ListPosition::end(query.order));
            }
            let mut found = Vec::new();
            loop {
                let mut page = listed(&store, &query).await;
                if before {
                    page.notes.reverse();
                }
                let sizes = page.notes.iter().map(|listed| bytes_of(&listed.note.draft));
                let sizes: Vec<usize> = sizes.collect();
                let (last, others) = sizes.split_last().expect("a page has a note");
                let all_others: usize = others.iter().sum();
                assert!(all_others < 20_000, "{sizes:?}");
                assert!(!page.more || all_others + last >= 20_000, "{sizes:?}");
                assert_eq!(page.count, 30);
                query.place = page.notes.last().map(|last| last.place(key, before));
                found.extend(ids(&page));
                if !page.more {
                    break;
                }
            }
            assert_eq!(found, ids(&all), "{key:?} {descending} {before}");
        }
    }
}

pub async fn each_filter_holds_alone_and_with_the_others(store: Store) {
    let ada = many(&store).await;

    for (tag, pinned, archived, trashed, count) in [
        (None, None, None, false, 18),
        (Some("tag1"), None, None, false, 8),
        (Some("tag"), None, None, false, 0),
        (None, Some(true), None, false, 5),
        (None, Some(false), None, false, 13),
        (None, None, Some(true), false, 4),
        (None, Some(true), Some(true), false, 1),
        (None, None, None, true, 2),
        (Some("tag1"), None, None, true, 2),
        (Some("tag0"), None, None, true, 0),
    ] {
        let query = NoteQuery {
            tag: tag.map(str::to_owned),
            pinned,
            archived,
            trashed,
            ..everything(ada, Key::Updated, true)
        };
        let page = listed(&store, &query).await;
        assert_eq!(page.count, count, "{query:?}");
        assert_eq!(ids(&page).len() as u64, count, "{query:?}");
    }
}

pub async fn each_word_must_begin_one_of_the_notes(store: Store) {
    let ada = many(&store).await;

    for (words, count) in [
        ("word1", 11),
        ("word1 app", 11),
        ("pple", 0),
        ("e", 8),
        ("apple pear plum fig word1 2", 3),
        ("apple pear plum fig word1 nothing", 0),
    ] {
        let query = NoteQuery {
            words: words.split(' ').map(str::to_owned).collect(),
            ..everything(ada, Key::Updated, true)
        };
        assert_eq!(listed(&store, &query).await.count, count, "{words}");
    }
}

pub async fn words_of_what_does_not_change_stay(store: Store) {
    let ada = user(&store, "ada").await;
    insert(&store, &new(ada, 1, draft("milk", "bread butter"))).await;
    let found = async |words: &str| {
        let query = NoteQuery {
            words: words.split(' ').map(str::to_owned).collect(),
            ..everything(ada, Key::Rank, true)
        };
        let page = listed(&store, &query).await;
        page.notes.first().map(|listed| listed.rank)
    };
    let only_title = words::of_title("Zebra");
    let only_content = words::of_content("salt");

    assert_eq!(
        (found("milk").await, found("bread butter").await),
        (Some(3), Some(2))
    );
    // The ranks tell where a word stands: 2 more for the title.
    for (changed, words, fitting, gone) in [
        (
            draft("Zebra", "bread butter"),
            ChangedWords {
                title: Some(&only_title),
                content: None,
            },
            [("zebra", 3), ("bread butter", 2)],
            "milk",
        ),
        (
            draft("Zebra", "salt"),
            ChangedWords {
                title: None,
                content: Some(&only_content),
            },
            [("zebra", 3), ("salt", 1)],
            "bread",
        ),
        (
            Draft {
                pinned: true,
                ..draft("Zebra", "salt")
            },
            ChangedWords::default(),
            [("zebra", 3), ("salt", 1)],
            "milk",
        ),
    ] {
        for revived in [false, true] {
            if revived {
                trash(&store, ada, 1).await;
            }
            let now = stored(&store, ada, 1).await.unwrap();
            write_words(&store, ada, &now.changed(changed.clone(), at(1)), words).await;

            for (word, rank) in fitting {
                assert_eq!(found(word).await, Some(rank), "{word} {revived}");
            }
            assert_eq!(found(gone).await, None, "{gone} {revived}");
        }
    }
    insert(&store, &new(ada, 2, draft("yak", ""))).await;
    let by_title = listed(&store, &everything(ada, Key::Title, false)).await;
    assert_eq!(ids(&by_title), [2, 1].map(id));
}

pub async fn whole_words_and_those_of_the_title_rank_higher(store: Store) {
    let ada = user(&store, "ada").await;
    for (n, (title, content)) in [
        ("", "applesauce"),
        ("", "apple"),
        ("applesauce", ""),
        ("apple", ""),
    ]
    .into_iter()
    .enumerate()
    {
        insert(&store, &new(ada, n as u64, draft(title, content))).await;
    }

    let query = NoteQuery {
        words: vec!["apple".to_owned()],
        ..everything(ada, Key::Rank, true)
    };
    let page = listed(&store, &query).await;

    assert_eq!(ids(&page), [3, 2, 1, 0].map(id));
    let ranks: Vec<_> = page.notes.iter().map(|listed| listed.rank).collect();
    assert!(ranks.is_sorted_by(|one, next| one > next), "{ranks:?}");
}
