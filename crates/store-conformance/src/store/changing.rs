//! What changes of a user, and only while the credentials are those that were checked.

use domain::accounts::User;
use domain::id::UserId;
use domain::password::PasswordHash;
use domain::store::{Store, StoreError};
use domain::username::Username;

use crate::support::at;
use crate::support::mails::{forget, mails_to, notice};
use crate::support::people::{Person, address};
use crate::support::units::unit;

async fn user(store: &Store, email: &str) -> Option<User> {
    let mut reader = store.reader().await.unwrap();
    reader.user_by_email(address(email).key()).await.unwrap()
}

/// A new user of that name.
async fn member(store: &Store, name: &str) -> User {
    let person = Person::new(name);
    person.becomes_a_user(store, at(0)).await;
    user(store, &person.email).await.unwrap()
}

async fn set_password(store: &Store, user: UserId, version: i64, hash: &'static str) -> bool {
    let set = unit(move |tx| {
        let hash = PasswordHash::from(hash.to_owned());
        Box::pin(async move { tx.set_password(user, version, &hash).await })
    });
    store.write(set).await.unwrap()
}

async fn set_email(
    store: &Store,
    user: UserId,
    version: i64,
    email: &'static str,
) -> Result<bool, StoreError> {
    let set = unit(move |tx| {
        let email = address(email);
        Box::pin(async move { tx.set_email(user, version, &email).await })
    });
    store.write(set).await
}

pub async fn a_password_is_set_while_the_credentials_are_those_that_were_checked(store: Store) {
    let ada = member(&store, "ada").await;

    let first = set_password(&store, ada.id, ada.credential_version, "$first$").await;
    let stale = set_password(&store, ada.id, ada.credential_version, "$stale$").await;

    let after = user(&store, &ada.email).await.unwrap();
    assert_eq!((first, stale), (true, false));
    assert_eq!(after.password.as_str(), "$first$");
    assert_eq!(after.credential_version, ada.credential_version + 1);
}

/// The same password under a new hash is no change of credentials: sessions and codes stay as they are.
pub async fn a_rehash_changes_the_hash_alone(store: Store) {
    let ada = member(&store, "ada").await;
    let (id, version) = (ada.id, ada.credential_version);
    let rehash = unit(move |tx| {
        let (new, stale) = ("$new$".to_owned().into(), "$stale$".to_owned().into());
        Box::pin(async move {
            tx.rehash_password(id, version, &new).await?;
            tx.rehash_password(id, version - 1, &stale).await
        })
    });
    store.write(rehash).await.unwrap();

    let after = user(&store, &ada.email).await.unwrap();

    assert_eq!(after.password.as_str(), "$new$");
    assert_eq!(after.credential_version, version);
}

pub async fn an_address_is_set_once_and_a_taken_one_is_a_conflict(store: Store) {
    let ada = member(&store, "ada").await;
    member(&store, "bob").await;
    let version = ada.credential_version;

    let taken = set_email(&store, ada.id, version, "BOB@example.com").await;
    let first = set_email(&store, ada.id, version, "King@example.com").await;
    let stale = set_email(&store, ada.id, version, "third@example.com").await;

    assert!(
        matches!(taken, Err(StoreError::Conflict("email"))),
        "{taken:?}"
    );
    assert!(matches!((first, stale), (Ok(true), Ok(false))));
    let after = user(&store, "king@example.com").await.unwrap();
    assert_eq!(
        (after.id, after.email.as_str()),
        (ada.id, "King@example.com")
    );
    assert_eq!(after.credential_version, version + 1);
    assert!(user(&store, "ada@example.com").await.is_none());
}

pub async fn a_name_is_set_and_a_taken_one_is_a_conflict(store: Store) {
    let ada = member(&store, "ada").await;
    member(&store, "bob").await;
    let id = ada.id;
    let rename = |name: &'static str| {
        let set = unit(move |tx| {
            let name = Username::parse(name).unwrap();
            Box::pin(async move { tx.set_username(id, &name).await })
        });
        store.write(set)
    };

    let taken = rename("BOB").await;
    let own = rename("ADA").await;

    assert!(matches!(taken, Err(StoreError::Conflict("username"))));
    assert!(own.is_ok());
    assert_eq!(user(&store, &ada.email).await.unwrap().username, "ADA");
}

pub async fn a_deleted_user_is_gone_and_its_number_is_not_given_again(store: Store) {
    let ada = member(&store, "ada").await;
    let id = ada.id;
    let delete = || {
        let delete = unit(move |tx| Box::pin(async move { tx.delete_user(id).await }));
        store.write(delete)
    };

    let (first, second) = (delete().await.unwrap(), delete().await.unwrap());

    assert_eq!((first, second), (true, false));
    assert!(user(&store, &ada.email).await.is_none());
    let again = member(&store, "ada").await;
    assert_ne!(again.id, ada.id);
}

/// Mails to an address that is gone are withdrawn where they wait, and name it no more where they are over.
pub async fn the_mails_of_an_address_that_is_gone_are_withdrawn_and_forgotten(store: Store) {
    notice(&store, "ada@example.com", at(0)).await;
    notice(&store, "bob@example.com", at(0)).await;

    forget(&store, "ada@example.com", at(1)).await;

    assert!(mails_to(&store, "ada@example.com").await.is_empty());
    assert_eq!(mails_to(&store, "bob@example.com").await[0].state, "queued");
    let mut reader = store.reader().await.unwrap();
    let all = domain::queue::MailFilter {
        limit: 10,
        ..domain::queue::MailFilter::default()
    };
    let mails = reader.mails(&all).await.unwrap();
    let withdrawn = mails.iter().find(|mail| mail.to.is_empty()).unwrap();
    assert_eq!(withdrawn.state, "cancelled");
}
