//! What a login finds, and what opens a session.

use std::time::Duration;

use domain::accounts::LoginAccount;
use domain::accounts::login::{OpenSession, SessionPolicy};
use domain::accounts::register::RegisterPolicy;
use domain::id::UserId;
use domain::store::Store;
use domain::username::NameKey;
use jiff::Timestamp;

use crate::support::at;
use crate::support::people::{POLICY, Person, address};

/// So many attempts as are made.
const UNLIMITED: RegisterPolicy = RegisterPolicy {
    live_attempts: None,
    ..POLICY
};

async fn found(store: &Store, email: Option<&str>, name: &str, now: Timestamp) -> LoginAccount {
    let email = email.map(address);
    let mut view = store.view().await.unwrap();
    view.login_account(
        email.as_ref().map(domain::email::EmailAddress::key),
        &NameKey::of(name),
        None,
        now,
    )
    .await
    .unwrap()
}

fn session(user: UserId, credential_version: i64) -> OpenSession {
    let policy = SessionPolicy {
        idle: Duration::from_hours(1),
        max: Duration::from_hours(24),
    };
    let actor = Person::new("ada").actor("request-login");
    OpenSession::new(user, credential_version, actor, policy, None, at(1)).0
}

pub async fn an_attempt_is_known_to_login_until_it_lapses(store: Store) {
    Person::new("ada").registers(&store, at(0)).await;

    let before = found(&store, None, "ada", at(1)).await;
    let after = found(&store, None, "ada", at(86_400)).await;

    assert!(matches!(before, LoginAccount::Unverified { .. }));
    assert!(matches!(after, LoginAccount::Unknown));
}

/// How many passwords are checked for an address tells no other client how many attempts wait there.
pub async fn a_login_finds_its_clients_attempts_or_else_the_newest(store: Store) {
    let ada = Person::new("ada");
    ada.registers(&store, at(0)).await;
    for (second, name) in (1..).zip(["eve", "mallory", "trudy", "oscar"]) {
        let stranger = Person::new(name).at(&ada.email).on_machine(2);
        store
            .write(stranger.registration(UNLIMITED, at(second)))
            .await
            .unwrap();
    }

    let checked = async |machine: u8| {
        let client = ada.clone().on_machine(machine).client();
        let email = address(&ada.email);
        let mut view = store.view().await.unwrap();
        let (email, name) = (Some(email.key()), NameKey::of(&ada.email));
        match view.login_account(email, &name, Some(&client), at(9)).await {
            Ok(LoginAccount::Unverified { passwords }) => passwords
                .iter()
                .map(|hash| hash.as_str().to_owned())
                .collect(),
            other => panic!("{other:?}"),
        }
    };
    let (of_ada, of_stranger, elsewhere): (Vec<_>, Vec<_>, Vec<_>) =
        (checked(1).await, checked(2).await, checked(3).await);

    assert_eq!(of_ada, ["$hash-of-ada$"]);
    let newest = ["$hash-of-oscar$", "$hash-of-trudy$", "$hash-of-mallory$"];
    assert_eq!(of_stranger, newest);
    assert_eq!(elsewhere, newest[..1]);
}

/// The same beside a user.
pub async fn a_login_checks_decoys_of_its_client_alone(store: Store) {
    let ada = Person::new("ada");
    ada.becomes_a_user(&store, at(0)).await;
    for (second, name) in (1..).zip(["eve", "mallory"]) {
        let stranger = Person::new(name).at(&ada.email).on_machine(2);
        stranger.registers(&store, at(second)).await;
    }

    let decoys = async |machine: u8| {
        let client = ada.clone().on_machine(machine).client();
        let email = address(&ada.email);
        let mut view = store.view().await.unwrap();
        let (email, name) = (Some(email.key()), NameKey::of(&ada.email));
        match view.login_account(email, &name, Some(&client), at(9)).await {
            Ok(LoginAccount::Verified { decoys, .. }) => decoys.len(),
            other => panic!("{other:?}"),
        }
    };

    assert_eq!((decoys(1).await, decoys(2).await), (0, 1));
}

pub async fn a_user_is_found_by_name_and_by_address(store: Store) {
    Person::new("ada").becomes_a_user(&store, at(0)).await;

    let by_name = found(&store, None, "ADA", at(1)).await;
    let by_address = found(&store, Some("Ada@Example.com"), "Ada@Example.com", at(1)).await;
    let unknown = found(&store, Some("bob@example.com"), "bob", at(1)).await;

    assert!(matches!(by_name, LoginAccount::Verified { .. }));
    assert!(matches!(by_address, LoginAccount::Verified { .. }));
    assert!(matches!(unknown, LoginAccount::Unknown));
}

pub async fn a_session_needs_the_credentials_that_were_checked(store: Store) {
    Person::new("ada").becomes_a_user(&store, at(0)).await;
    let LoginAccount::Verified {
        id,
        credential_version,
        ..
    } = found(&store, None, "ada", at(1)).await
    else {
        panic!("there is a user");
    };

    let current = store.write(session(id, credential_version)).await.unwrap();
    let stale = store
        .write(session(id, credential_version - 1))
        .await
        .unwrap();
    let nobodys = store
        .write(session(UserId(-1), credential_version))
        .await
        .unwrap();

    assert_eq!((current, stale, nobodys), (true, false, false));
}
