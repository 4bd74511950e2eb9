//! What a registration leaves behind.

use domain::accounts::register::{RegisterPolicy, Registered};
use domain::store::Store;

use crate::support::at;
use crate::support::mails::mails_to;
use crate::support::people::{POLICY, Person, attempts};

const DAY: i64 = 24 * 60 * 60;

pub async fn a_registration_is_one_attempt_one_challenge_and_one_mail(store: Store) {
    let ada = Person::new("ada");

    ada.registers(&store, at(0)).await;

    let attempts = attempts(&store, &ada.email, at(0)).await;
    let mails = mails_to(&store, &ada.email).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].1.len(), 1);
    assert!(!attempts[0].0.decoy);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].kind, "verify_email");
    assert_eq!(mails[0].state, "queued");
    assert_eq!(mails[0].request_id, "request-ada");
}

pub async fn a_name_of_a_live_attempt_is_taken_for_other_addresses_until_it_lapses(store: Store) {
    Person::new("ada").registers(&store, at(0)).await;
    let other = Person::new("ADA").at("other@example.com");

    let before = other.tries_to_register(&store, at(DAY - 1)).await;
    let after = other.tries_to_register(&store, at(DAY)).await;

    assert!(matches!(
        before,
        Registered::Taken {
            username: true,
            email: false
        }
    ));
    assert!(matches!(after, Registered::Accepted { .. }));
}

pub async fn an_address_may_register_again_at_once_with_the_same_name(store: Store) {
    let ada = Person::new("ada");
    ada.registers(&store, at(0)).await;

    ada.registers(&store, at(0)).await;

    assert_eq!(attempts(&store, &ada.email, at(0)).await.len(), 2);
    assert_eq!(mails_to(&store, &ada.email).await.len(), 2);
}

pub async fn a_sixth_live_attempt_is_refused_until_the_first_challenge_ends(store: Store) {
    let ada = Person::new("ada");
    for (second, machine) in (0..).zip([1, 1, 2, 2, 3]) {
        let ada = ada.clone().on_machine(machine);
        ada.registers(&store, at(second)).await;
    }
    let elsewhere = ada.clone().on_machine(9);

    let sixth = elsewhere.tries_to_register(&store, at(5)).await;
    let later = elsewhere.tries_to_register(&store, at(600)).await;

    match sixth {
        Registered::TooMany(refusal) => assert_eq!(refusal.retry_at, at(600)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(later, Registered::Accepted { .. }));
    assert_eq!(mails_to(&store, &ada.email).await.len(), 6);
}

pub async fn one_client_has_at_most_half_of_the_live_attempts_of_an_address(store: Store) {
    let ada = Person::new("ada");
    for second in 0..3 {
        ada.registers(&store, at(second)).await;
    }

    let fourth = ada.tries_to_register(&store, at(3)).await;
    let elsewhere = ada.clone().on_machine(9);
    let fourth_elsewhere = elsewhere.tries_to_register(&store, at(3)).await;

    match fourth {
        Registered::TooMany(refusal) => assert_eq!(refusal.retry_at, at(600)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(fourth_elsewhere, Registered::Accepted { .. }));
}

pub async fn a_verified_address_gets_a_decoy_and_its_owner_one_notice_an_hour(store: Store) {
    let ada = Person::new("ada");
    ada.becomes_a_user(&store, at(0)).await;
    let stranger = Person::new("mallory").at(&ada.email).on_machine(2);

    stranger.registers(&store, at(10)).await;
    stranger.registers(&store, at(20)).await;
    stranger.registers(&store, at(10 + 3600)).await;

    let attempts = attempts(&store, &ada.email, at(3610)).await;
    let kinds: Vec<_> = mails_to(&store, &ada.email)
        .await
        .into_iter()
        .map(|mail| mail.kind)
        .collect();
    assert_eq!(attempts.len(), 3);
    assert!(attempts.iter().all(|(attempt, _)| attempt.decoy));
    assert_eq!(
        kinds,
        [
            "already_registered",
            "verify_email",
            "already_registered",
            "verify_email"
        ],
        "a decoy where no notice is due"
    );
}

pub async fn a_verified_address_is_told_apart_when_the_settings_say_so(store: Store) {
    let ada = Person::new("ada");
    ada.becomes_a_user(&store, at(0)).await;
    let policy = RegisterPolicy {
        reveal_registered: true,
        ..POLICY
    };
    let stranger = Person::new("mallory").at(&ada.email);

    let answer = store.write(stranger.registration(policy, at(1))).await;

    assert!(matches!(
        answer.unwrap(),
        Registered::Taken {
            username: false,
            email: true
        }
    ));
    assert!(attempts(&store, &ada.email, at(1)).await.is_empty());
}
