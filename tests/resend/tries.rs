//! Codes mailed again and the wrong tries at them: neither buys tries at the other.

use crate::support::{Person, TestApp, wrong};

/// OWASP ASVS 5.0 6.6.3: asking again for the same digits gives no new tries.
#[tokio::test]
async fn wrong_tries_are_counted_across_resends() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let challenge = app.client.registered(&ada).await;
    let code = app.code(&ada, 1).await;

    for n in 0..4 {
        app.client.verify(&ada, &wrong(&code)).await;
        app.client
            .verify_with(&ada, &wrong(&code), &challenge)
            .await;
        app.client.resend(&ada.email).await;
        assert_eq!(app.code(&ada, n + 2).await, code);
    }
    app.client.verify(&ada, &wrong(&code)).await;
    app.client
        .verify_with(&ada, &wrong(&code), &challenge)
        .await;

    assert_eq!(app.client.verify(&ada, &code).await.status, 400);
    assert_eq!(
        app.client.verify_with(&ada, &code, &challenge).await.status,
        400
    );
    app.finish().await;
}

/// A stranger can burn all tries; whoever reads the mailbox gets new ones with new digits.
#[tokio::test]
async fn a_resend_after_all_tries_are_spent_mails_new_digits() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    let burnt = app.code(&ada, 1).await;
    for _ in 0..5 {
        app.client.verify(&ada, &wrong(&burnt)).await;
    }

    app.client.resend(&ada.email).await;
    let new = app.code(&ada, 2).await;

    assert_ne!(new, burnt);
    assert_eq!(app.client.verify(&ada, &burnt).await.status, 400);
    assert_eq!(app.client.verify(&ada, &new).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: guessing and re-sending in turn ends after fifty guesses in a day. What is mailed after that
/// carries the long code beside six digits, which count with the challenge alone.
#[tokio::test]
async fn guessing_and_resending_in_turn_buys_fifty_tries() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let challenge = app.client.registered(&ada).await;
    let mut codes = vec![app.code(&ada, 1).await];

    for round in 2..=12 {
        let latest = codes.last().unwrap().clone();
        for _ in 0..5 {
            app.client.verify(&ada, &wrong(&latest)).await;
        }
        app.client.resend(&ada.email).await;
        codes.push(app.code(&ada, round).await);
    }

    let latest = codes.last().unwrap().clone();
    codes.dedup();
    assert_eq!(codes.len(), 12, "no spent code is mailed again");
    assert_eq!(app.client.verify(&ada, &latest).await.status, 400);
    assert!(app.newest_long_code(&ada.email).await.is_some());
    let held = app.client.verify_with(&ada, &latest, &challenge).await;
    assert_eq!(held.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: what leads to no attempt makes no code, and buys no guesses at that of another.
#[tokio::test]
async fn a_resend_with_an_invented_challenge_buys_no_tries() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;
    for _ in 0..5 {
        app.client.verify(&ada, &wrong(&code)).await;
    }

    let invented = "0123456789abcdef0123456789abcdef";
    let answer = app.client.resend_with(&ada.email, invented).await;

    assert_eq!(answer.status, 200);
    assert_eq!(app.client.verify(&ada, &code).await.status, 400);
    assert_eq!(app.mails_to(&ada.email).await, 1);
    let verified = app.client.verify_with(&ada, &code, &challenge).await;
    assert_eq!(verified.status, 200);
    app.finish().await;
}

/// Nor do new digits of one attempt buy guesses at those of another, which stay as they are.
#[tokio::test]
async fn a_resend_for_one_attempt_buys_no_tries_at_the_digits_of_another() {
    let app = TestApp::start().await;
    let (ada, again) = (
        Person::new("ada"),
        Person::new("ada").password("another password"),
    );
    let (_, code) = app.registered(&ada, 1).await;
    let (challenge, _) = app.registered(&again, 2).await;
    for _ in 0..5 {
        app.client.verify(&ada, &wrong(&code)).await;
    }

    app.client.resend_with(&again.email, &challenge).await;
    let renewed = app.code(&again, 3).await;

    assert_ne!(renewed, code);
    assert_eq!(app.client.verify(&ada, &code).await.status, 400);
    let held = app.client.verify_with(&again, &renewed, &challenge).await;
    assert_eq!(held.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: the holder of a challenge buys tries by re-sending, too, and no more than a hundred in a day.
#[tokio::test]
async fn a_holder_gets_new_tries_with_new_digits_a_hundred_in_a_day() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    for (person, rounds, then) in [(&ada, 19, 200), (&bob, 20, 400)] {
        let challenge = app.client.registered(person).await;
        let mut code = app.code(person, 1).await;
        for round in 0..rounds {
            for _ in 0..5 {
                let guess = wrong(&code);
                app.client.verify_with(person, &guess, &challenge).await;
            }
            let spent = app.client.verify_with(person, &code, &challenge).await;
            assert_eq!(spent.status, 400);
            app.client.resend_with(&person.email, &challenge).await;
            code = app.code(person, round + 2).await;
        }

        let held = app.client.verify_with(person, &code, &challenge).await;

        assert_eq!(held.status, then, "after {rounds} codes");
    }
    let long = app.newest_long_code(&bob.email).await.unwrap();
    assert_eq!(app.client.verify(&bob, &long).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8: a decoy's life is prolonged by a re-send as a real attempt's is.
#[tokio::test]
async fn the_limit_of_attempts_does_not_tell_a_verified_address_after_resends() {
    let app = TestApp::with()
        .many_mails()
        .limit("code_requests_per_minute", 100)
        .behind_a_proxy()
        .start()
        .await;
    let from = |n: usize| app.client.from(&format!("198.51.100.{n}"));
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.verified(&bob).await;
    // Until then bob's own attempt is one of the five.
    app.advance(600).await;
    let mut answers = Vec::new();

    let mut challenges = Vec::new();
    for n in 0..5 {
        for person in [&ada, &bob] {
            let attempt = Person::new(&format!("{}{n}", person.name)).at(&person.email);
            let challenge = from(n).registered(&attempt).await;
            challenges.push((person.email.clone(), challenge));
        }
    }
    app.advance(400).await;
    for (email, challenge) in &challenges {
        app.client.resend_with(email, challenge).await;
    }
    app.advance(300).await;
    for person in [&ada, &bob] {
        let sixth = Person::new(&format!("{}6", person.name)).at(&person.email);
        answers.push(from(9).register(&sixth).await.status);
    }

    assert_eq!(answers, [429, 429]);
    app.finish().await;
}
