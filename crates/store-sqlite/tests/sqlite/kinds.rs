//! The kinds of hashes that the database counts are those that the domain knows.

use domain::accounts::dummy::HashKinds;
use domain::password::{HashCost, Hasher, Password, PasswordHash, django};

use crate::support::Database;

/// OWASP ASVS 5.0 6.3.8: dummies are made of the kinds that are counted.
#[tokio::test]
async fn users_are_counted_by_the_kind_of_their_hash() {
    let database = Database::new().await;
    let current = Hasher::new(HashCost::FLOOR)
        .unwrap()
        .hash(&Password::new("correct horse"));
    let as_typed = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$YWJjZGVmZ2hpamtsbW5vcA";
    let hashes = [
        current.as_str().to_owned(),
        as_typed.to_owned(),
        as_typed.replace("t=2", "t=3"),
        django::of_nobody(260_000).as_str().to_owned(),
        django::of_nobody(1_000_000).as_str().to_owned(),
        django::of_nobody(260_000).as_str().to_owned(),
        "!unusable".to_owned(),
        "md5$salt$098f6bcd4621d373cade4e832627b4f6".to_owned(),
    ];
    for hash in &hashes {
        let user = "insert into users (username, username_key, email, email_key, password_hash, created_at)
                    select count(*), count(*), count(*), count(*), ?, 0 from users";
        let outside = &mut database.outside().await;
        sqlx::query(user).bind(hash).execute(outside).await.unwrap();
    }

    let mut reader = database.store().reader().await.unwrap();
    let HashKinds(kinds) = reader.hash_kinds().await.unwrap();

    let users_of = |hash: &str| {
        let kind = PasswordHash::from(hash.to_owned()).kind().unwrap();
        kinds
            .iter()
            .find(|(other, _)| *other == kind)
            .map(|(_, users)| *users)
    };
    assert_eq!(
        hashes[..6]
            .iter()
            .map(|hash| users_of(hash))
            .collect::<Vec<_>>(),
        [1, 1, 1, 2, 1, 2].map(Some)
    );
    let never_checked = kinds
        .iter()
        .find(|(kind, _)| PasswordHash::of_nobody(kind).is_none());
    assert_eq!(never_checked.map(|(_, users)| *users), Some(2));
    assert_eq!(kinds.len(), 6);
}
