//! What a login finds, and what opens a session.

use std::time::Duration;

use domain::accounts::LoginAccount;
use domain::accounts::login::{OpenSession, SessionPolicy};
use domain::accounts::register::RegisterPolicy;
use domain::id::UserId;
use domain::password::PasswordHash;
use domain::store::Store;
use domain::username::NameKey;
use jiff::Timestamp;

use crate::support::at;
use crate::support::people::{POLICY, Person, address};

/// So many attempts as are made.
const UNLIMITED: RegisterPolicy = RegisterPolicy {
    live_registrations: None,
    ..POLICY
};

async fn found(store: &Store, email: Option<&str>, name: &str, now: Timestamp) -> LoginAccount {
    let email = email.map(address);
    let mut reader = store.reader().await.unwrap();
    reader
        .login_account(
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

/// The hashes of attempts that a login from a machine finds: of its own, and the newest of others.
async fn attempts(
    store: &Store,
    (email, name): (Option<&str>, &str),
    machine: u8,
    now: Timestamp,
) -> (Vec<String>, Option<String>) {
    let client = Person::new(name).on_machine(machine).client();
    let email = email.map(address);
    let email = email.as_ref().map(domain::email::EmailAddress::key);
    let name = NameKey::of(name);
    let mut reader = store.reader().await.unwrap();
    let found = reader.login_account(email, &name, Some(&client), now);
    let found = found.await.unwrap();
    let shown = |hash: &PasswordHash| hash.as_str().to_owned();
    let own = found.own.iter().map(shown).collect();
    (own, found.newest.as_ref().map(shown))
}

/// From its own machine by name and address, from others by name alone.
pub async fn an_attempt_is_known_to_login_until_it_lapses(store: Store) {
    let ada = Person::new("ada");
    ada.registers(&store, at(0)).await;
    let hash = || "$hash-of-ada$".to_owned();
    let (by_name, by_address) = ((None, "ada"), (Some(&*ada.email), "ada@example.com"));

    for (login, machine, expected) in [
        (by_name, 1, (vec![hash()], None)),
        (by_address, 1, (vec![hash()], None)),
        (by_name, 2, (vec![], Some(hash()))),
        (by_address, 2, (vec![], None)),
    ] {
        assert_eq!(attempts(&store, login, machine, at(1)).await, expected);
        let lapsed = attempts(&store, login, machine, at(86_400)).await;
        assert_eq!(lapsed, (vec![], None));
    }
}

/// How many passwords are checked for an address tells no other client how many attempts wait there.
pub async fn a_login_finds_its_clients_newest_attempts(store: Store) {
    let ada = Person::new("ada");
    ada.registers(&store, at(0)).await;
    for (second, name) in (1..).zip(["eve", "mallory", "trudy", "oscar"]) {
        let stranger = Person::new(name).at(&ada.email).on_machine(2);
        store
            .write(stranger.registration(UNLIMITED, at(second)))
            .await
            .unwrap();
    }
    let login = (Some(&*ada.email), "ada@example.com");

    let of_ada = attempts(&store, login, 1, at(9)).await;
    let of_stranger = attempts(&store, login, 2, at(9)).await;
    let elsewhere = attempts(&store, login, 3, at(9)).await;

    assert_eq!(of_ada.0, ["$hash-of-ada$"]);
    let newest = ["$hash-of-oscar$", "$hash-of-trudy$", "$hash-of-mallory$"];
    assert_eq!(of_stranger.0, newest);
    assert_eq!(elsewhere, (vec![], None));
}

/// The same beside a user; and those that have lost the address are found as before.
pub async fn a_login_finds_decoys_of_its_client_alone(store: Store) {
    let ada = Person::new("ada");
    let before = Person::new("eve").at(&ada.email).on_machine(2);
    before.registers(&store, at(0)).await;
    ada.becomes_a_user(&store, at(1)).await;
    let after = Person::new("mallory").at(&ada.email).on_machine(2);
    after.registers(&store, at(2)).await;

    for login in [(Some(&*ada.email), "ada@example.com"), (None, "eve")] {
        let (own, _) = attempts(&store, login, 2, at(9)).await;
        let expected: &[&str] = match login.0 {
            Some(_) => &["$hash-of-mallory$", "$hash-of-eve$"],
            None => &["$hash-of-eve$"],
        };
        assert_eq!(own, expected);
    }
    let of_ada = attempts(&store, (Some(&*ada.email), "ada"), 1, at(9)).await;
    assert_eq!(of_ada, (vec![], None), "nothing but the user's own");
    let lapsed = attempts(&store, (None, "eve"), 2, at(86_400)).await;
    assert_eq!(lapsed, (vec![], None));
}

pub async fn a_user_is_found_by_name_and_by_address(store: Store) {
    Person::new("ada").becomes_a_user(&store, at(0)).await;

    let by_name = found(&store, None, "ADA", at(1)).await;
    let by_address = found(&store, Some("Ada@Example.com"), "Ada@Example.com", at(1)).await;
    let unknown = found(&store, Some("bob@example.com"), "bob", at(1)).await;

    assert!(by_name.user.is_some() && by_address.user.is_some());
    assert!(unknown.user.is_none());
}

pub async fn a_session_needs_the_credentials_that_were_checked(store: Store) {
    Person::new("ada").becomes_a_user(&store, at(0)).await;
    let user = found(&store, None, "ada", at(1)).await.user.unwrap();
    let (id, credential_version) = (user.id, user.credential_version);

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
