//! What a code does, and what a wrong one leaves behind. The rules are OWASP ASVS 5.0.0's 6.5.1
//! (single use), 6.5.5 (its life), 6.6.3 (counted before comparing) and 6.1.1 (a stranger burns nothing).

use domain::accounts::NewUser;
use domain::accounts::verify::{Verified, VerifyCode};
use domain::otp::Purpose;
use domain::password::PasswordHash;
use domain::store::Store;
use domain::username::NameKey;

use crate::support::at;
use crate::support::people::{Person, address, attempts, code_of, keys_of, newest_code, wrong};
use crate::support::units::unit;

async fn verified(store: &Store, verify: VerifyCode) -> bool {
    matches!(store.write(verify).await.unwrap(), Verified::Welcome(_))
}

async fn user_exists(store: &Store, email: &str) -> bool {
    let mut reader = store.reader().await.unwrap();
    reader
        .user_by_email(address(email).key())
        .await
        .unwrap()
        .is_some()
}

async fn open_tries(store: &Store, email: &str) -> u32 {
    let key = address(email).key().clone();
    let count = unit(move |tx| {
        let key = key.clone();
        Box::pin(async move { tx.open_tries(&key, Purpose::VerifyEmail).await })
    });
    store.write(count).await.unwrap()
}

pub async fn the_right_code_makes_one_user_and_ends_the_attempt(store: Store) {
    let ada = Person::new("ada");
    ada.registers(&store, at(0)).await;
    let code = newest_code(&store, &ada.email, at(0)).await;

    let welcome = verified(&store, ada.presents(&code, None, at(1))).await;

    assert!(welcome);
    assert!(user_exists(&store, &ada.email).await);
    assert!(attempts(&store, &ada.email, at(1)).await.is_empty());
    assert_eq!(open_tries(&store, &ada.email).await, 0);
}

pub async fn a_code_used_twice_is_refused(store: Store) {
    let ada = Person::new("ada");
    let handle = ada.registers(&store, at(0)).await;
    let code = newest_code(&store, &ada.email, at(0)).await;

    let first = verified(&store, ada.presents(&code, Some(&handle), at(1))).await;
    let second = verified(&store, ada.presents(&code, Some(&handle), at(2))).await;

    assert_eq!((first, second), (true, false));
}

pub async fn fifty_parallel_right_codes_make_one_user(store: Store) {
    let ada = Person::new("ada");
    let handle = ada.registers(&store, at(0)).await;
    let code = newest_code(&store, &ada.email, at(0)).await;

    let all = (0..50).map(|_| store.write(ada.presents(&code, Some(&handle), at(1))));
    let answers = futures_util::future::join_all(all).await;

    let welcomes = answers
        .into_iter()
        .filter(|answer| matches!(answer, Ok(Verified::Welcome(_))))
        .count();
    assert_eq!(welcomes, 1);
}

pub async fn a_wrong_code_is_counted_and_the_count_is_kept(store: Store) {
    let ada = Person::new("ada");
    let handle = ada.registers(&store, at(0)).await;
    let code = wrong(&newest_code(&store, &ada.email, at(0)).await);

    let open = verified(&store, ada.presents(&code, None, at(1))).await;
    let holder = verified(&store, ada.presents(&code, Some(&handle), at(1))).await;

    assert!(!open && !holder);
    assert_eq!(open_tries(&store, &ada.email).await, 1);
    assert_eq!(attempts(&store, &ada.email, at(1)).await[0].1[0].tries, 1);
}

pub async fn a_sixth_try_is_refused_even_with_the_right_code(store: Store) {
    let ada = Person::new("ada");
    let handle = ada.registers(&store, at(0)).await;
    let code = newest_code(&store, &ada.email, at(0)).await;
    for _ in 0..5 {
        assert!(!verified(&store, ada.presents(&wrong(&code), Some(&handle), at(1))).await);
    }

    let sixth = verified(&store, ada.presents(&code, Some(&handle), at(2))).await;

    assert!(!sixth);
    assert!(!user_exists(&store, &ada.email).await);
}

pub async fn a_strangers_wrong_codes_do_not_burn_the_holder_of_the_handle(store: Store) {
    let ada = Person::new("ada");
    let handle = ada.registers(&store, at(0)).await;
    let code = newest_code(&store, &ada.email, at(0)).await;
    for _ in 0..9 {
        verified(&store, ada.presents(&wrong(&code), None, at(1))).await;
    }

    let open = verified(&store, ada.presents(&code, None, at(2))).await;
    let holder = verified(&store, ada.presents(&code, Some(&handle), at(2))).await;

    assert_eq!((open, holder), (false, true));
}

pub async fn a_code_one_second_past_its_life_is_refused(store: Store) {
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    ada.registers(&store, at(0)).await;
    bob.registers(&store, at(0)).await;
    let adas = newest_code(&store, &ada.email, at(0)).await;
    let bobs = newest_code(&store, &bob.email, at(0)).await;

    let in_time = verified(&store, ada.presents(&adas, None, at(599))).await;
    let too_late = verified(&store, bob.presents(&bobs, None, at(601))).await;

    assert_eq!((in_time, too_late), (true, false));
}

pub async fn the_code_decides_which_of_two_attempts_wins(store: Store) {
    let ada = Person::new("ada");
    let stranger = Person::new("mallory").at(&ada.email).on_machine(2);
    stranger.registers(&store, at(0)).await;
    let handle = ada.registers(&store, at(1)).await;
    let all = attempts(&store, &ada.email, at(1)).await;
    let adas = code_of(&all[0].1[0]);

    let theirs = verified(&store, stranger.presents(&adas, None, at(2))).await;
    let own = verified(&store, ada.presents(&adas, Some(&handle), at(3))).await;

    assert_eq!((theirs, own), (false, true));
    let left = attempts(&store, &ada.email, at(3)).await;
    let decoys: Vec<_> = (left.iter().map(|(one, _)| (&*one.username, one.decoy))).collect();
    assert_eq!(decoys, [("mallory", true)]);
    assert!(left[0].1.iter().all(|challenge| challenge.decoy));
}

pub async fn a_code_of_a_key_that_is_missing_counts_nothing(store: Store) {
    let ada = Person::new("ada");
    let handle = ada.registers(&store, at(0)).await;
    let code = newest_code(&store, &ada.email, at(0)).await;
    let elsewhere = |handle| {
        let mut verify = ada.presents(&code, handle, at(1));
        verify.submitted.keys = keys_of("another example key, which made no code here");
        verify
    };

    let open = verified(&store, elsewhere(None)).await;
    let holder = verified(&store, elsewhere(Some(&handle))).await;

    assert!(!open && !holder);
    assert_eq!(open_tries(&store, &ada.email).await, 0);
    assert_eq!(attempts(&store, &ada.email, at(1)).await[0].1[0].tries, 0);
}

pub async fn a_user_added_meanwhile_under_that_name_makes_the_attempt_lose(store: Store) {
    let ada = Person::new("ada");
    ada.registers(&store, at(0)).await;
    let code = newest_code(&store, &ada.email, at(0)).await;
    let namesake = unit(|tx| {
        Box::pin(async move {
            let user = NewUser {
                username: "ada".to_owned(),
                username_key: NameKey::of("ada"),
                email: "namesake@example.com".to_owned(),
                email_key: address("namesake@example.com").key().clone(),
                password: PasswordHash::from("$none$".to_owned()),
                now: at(1),
            };
            tx.insert_user(&user).await
        })
    });
    store.write(namesake).await.unwrap();

    let welcome = verified(&store, ada.presents(&code, None, at(2))).await;

    assert!(!welcome);
    assert!(!user_exists(&store, &ada.email).await);
}
