//! What single statements of the ports promise.

use domain::accounts::NewUser;
use domain::id::ChallengeId;
use domain::mail::{MailKind, MailState};
use domain::otp::Purpose;
use domain::password::PasswordHash;
use domain::queue::MailFilter;
use domain::store::{Store, StoreError};
use domain::username::NameKey;
use jiff::Timestamp;

use crate::support::at;
use crate::support::mails::{enqueue, mail, notice};
use crate::support::people::{Person, address, attempts};
use crate::support::units::unit;

async fn add_user(
    store: &Store,
    name: &'static str,
    email: &'static str,
) -> Result<(), StoreError> {
    let add = unit(move |tx| {
        Box::pin(async move {
            let user = NewUser {
                username: name.to_owned(),
                username_key: NameKey::of(name),
                email: email.to_owned(),
                email_key: address(email).key().clone(),
                password: PasswordHash::from("$none$".to_owned()),
                now: at(0),
            };
            tx.insert_user(&user).await.map(drop)
        })
    });
    store.write(add).await
}

async fn used(store: &Store, challenge: ChallengeId, now: Timestamp) -> bool {
    let using = unit(move |tx| Box::pin(async move { tx.use_challenge(challenge, now).await }));
    store.write(using).await.unwrap()
}

/// Registers a person and returns the challenge.
async fn challenge(store: &Store, name: &str) -> ChallengeId {
    let person = Person::new(name);
    person.registers(store, at(0)).await;
    attempts(store, &person.email, at(0)).await[0].1[0].id
}

pub async fn conflicts_are_named(store: Store) {
    add_user(&store, "ada", "ada@example.com").await.unwrap();

    let name = add_user(&store, "Ada", "other@example.com").await;
    let email = add_user(&store, "other", "ADA@example.com").await;

    assert!(matches!(name, Err(StoreError::Conflict("username"))));
    assert!(matches!(email, Err(StoreError::Conflict("email"))));
}

pub async fn a_challenge_is_used_once(store: Store) {
    let challenge = challenge(&store, "ada").await;

    let first = used(&store, challenge, at(1)).await;
    let second = used(&store, challenge, at(1)).await;

    assert_eq!((first, second), (true, false));
}

pub async fn a_challenge_that_has_ended_or_expired_is_not_used(store: Store) {
    let (ended, expired) = (
        challenge(&store, "ada").await,
        challenge(&store, "bob").await,
    );
    let end = unit(|tx| {
        Box::pin(async move {
            let ada = address("ada@example.com");
            tx.close_registrations(ada.key(), None, at(1)).await
        })
    });
    store.write(end).await.unwrap();

    assert!(!used(&store, ended, at(2)).await);
    assert!(!used(&store, expired, at(600)).await);
}

pub async fn tries_are_counted_up_to_their_limit(store: Store) {
    let challenge = challenge(&store, "ada").await;
    let count = unit(move |tx| {
        Box::pin(async move {
            let ada = address("ada@example.com");
            let mut counted = Vec::new();
            for _ in 0..4 {
                let purpose = Purpose::VerifyEmail;
                counted.push((
                    tx.count_try(challenge, 3).await?,
                    tx.count_open_try(ada.key(), purpose, 3, at(1)).await?,
                ));
            }
            tx.uncount_try(challenge).await?;
            counted.push((tx.count_try(challenge, 3).await?, false));
            Ok(counted)
        })
    });

    let counted = store.write(count).await.unwrap();

    let expected = [true, true, true, false].map(|yes| (yes, yes));
    assert_eq!(counted[..4], expected);
    assert_eq!(counted[4], (true, false), "a try that was taken back");
}

pub async fn a_mail_is_found_by_the_beginning_of_its_id(store: Store) {
    let id = notice(&store, "ada@example.com", at(0)).await.to_string();
    let mut reader = store.reader().await.unwrap();

    let whole = reader.mail(&id).await.unwrap();
    let lower = reader.mail(&id[..20].to_lowercase()).await.unwrap();
    let other = reader.mail("00000000").await.unwrap();

    assert_eq!(whole[0].mail.id.to_string(), id);
    assert_eq!(lower[0].mail.id.to_string(), id);
    assert!(other.is_empty());
}

pub async fn mails_are_listed_newest_first_by_state_and_address(store: Store) {
    let first = notice(&store, "ada@example.com", at(0)).await;
    let second = notice(&store, "bob@example.com", at(1)).await;
    let mut third = mail(MailKind::AlreadyRegistered, "ada@example.com", at(2));
    // Two ids of one millisecond are in no order.
    while third.id <= second.max(first) {
        third.id = domain::id::MailId::generate();
    }
    let third = enqueue(&store, third).await;
    let list = async |filter: MailFilter| -> Vec<_> {
        let mut reader = store.reader().await.unwrap();
        let mails = reader.mails(&filter).await.unwrap();
        mails.into_iter().map(|mail| mail.id).collect()
    };

    let adas = list(MailFilter {
        to: Some(address("ada@example.com").key().clone()),
        limit: 10,
        state: Some(MailState::Queued),
        ..MailFilter::default()
    });
    let newest = list(MailFilter {
        limit: 1,
        ..MailFilter::default()
    });
    let delivered = list(MailFilter {
        state: Some(MailState::Delivered),
        limit: 10,
        ..MailFilter::default()
    });

    assert_eq!(adas.await, [third, first]);
    assert_eq!(newest.await, [third]);
    assert!(delivered.await.is_empty());
}
