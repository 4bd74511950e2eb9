//! What a re-send leaves behind.

use domain::accounts::ChallengeOwner;
use domain::accounts::code::Requested;
use domain::store::Store;

use crate::support::at;
use crate::support::mails::mails_to;
use crate::support::people::{Person, address, attempts, challenges_of, newest_code, wrong};

pub async fn a_resend_mails_the_same_challenge_again(store: Store) {
    let ada = Person::new("ada");
    ada.registers(&store, at(0)).await;
    let first = newest_code(&store, &ada.email, at(0)).await;

    let resent = ada.asks_again(&store, at(300)).await;

    assert_eq!(resent, Requested::Queued);
    assert_eq!(newest_code(&store, &ada.email, at(300)).await, first);
    assert_eq!(attempts(&store, &ada.email, at(300)).await[0].1.len(), 1);
    assert_eq!(mails_to(&store, &ada.email).await.len(), 2);
}

pub async fn a_resend_with_less_than_half_the_life_left_makes_a_new_challenge(store: Store) {
    let ada = Person::new("ada");
    ada.registers(&store, at(0)).await;

    ada.asks_again(&store, at(301)).await;

    let challenges = attempts(&store, &ada.email, at(301)).await.remove(0).1;
    let superseded: Vec<_> = challenges
        .iter()
        .map(|challenge| (challenge.seed.generation, challenge.superseded))
        .collect();
    assert_eq!(superseded, [(2, false), (1, true)], "the newest first");
    assert_eq!(challenges[0].expires, at(901));
}

/// The same rows as for one that registers: one challenge, as long as it has time, and a mail for each request.
pub async fn a_resend_for_an_unknown_address_queues_decoys(store: Store) {
    let nobody = Person::new("nobody");
    for second in [0, 299, 301] {
        let resent = nobody.asks_again(&store, at(second)).await;
        assert_eq!(resent, Requested::Queued);
    }

    let owner = ChallengeOwner::NoAccount(address(&nobody.email).key().clone());
    let challenges = challenges_of(&store, owner, at(301)).await;

    let seen: Vec<_> = (challenges.iter())
        .map(|one| (one.seed.generation, one.superseded, one.decoy))
        .collect();
    assert_eq!(seen, [(2, false, true), (1, true, true)]);
    assert_eq!(mails_to(&store, &nobody.email).await.len(), 3);
}

pub async fn a_resend_after_spent_tries_makes_a_new_challenge_and_starts_the_count_anew(
    store: Store,
) {
    let ada = Person::new("ada");
    ada.registers(&store, at(0)).await;
    let first = newest_code(&store, &ada.email, at(0)).await;
    for _ in 0..5 {
        let guess = ada.presents(&wrong(&first), None, at(1));
        store.write(guess).await.unwrap();
    }

    ada.asks_again(&store, at(2)).await;
    let second = newest_code(&store, &ada.email, at(2)).await;
    let verified = store.write(ada.presents(&second, None, at(3))).await;

    assert_eq!(attempts(&store, &ada.email, at(3)).await.len(), 0);
    assert!(matches!(
        verified.unwrap(),
        domain::accounts::verify::Verified::Welcome(_)
    ));
}
