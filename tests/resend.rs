//! `POST /api/auth/resend-otp/`: the same digits while they have time, and one answer for everybody.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp, wrong};

#[tokio::test]
async fn a_resend_in_the_first_half_of_its_life_mails_the_same_digits() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    let first = app.code(&ada, 1).await;
    app.advance(300).await;

    let answer = app.client.resend(&ada.email).await;

    assert_snapshot!(answer.shown(), @r#"200 {"message":"New OTP sent to your email."}"#);
    assert_eq!(app.code(&ada, 2).await, first);
    assert_eq!(app.client.verify(&ada, &first).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn the_same_digits_do_not_live_longer_by_a_resend() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    app.advance(290).await;
    app.client.resend(&ada.email).await;
    let code = app.code(&ada, 2).await;

    app.advance(311).await;

    assert_eq!(app.client.verify(&ada, &code).await.status, 400);
    app.finish().await;
}

#[tokio::test]
async fn a_resend_in_the_second_half_mails_new_digits_which_replace_the_old() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    let old = app.code(&ada, 1).await;
    app.advance(301).await;

    app.client.resend(&ada.email).await;
    let new = app.code(&ada, 2).await;

    assert_ne!(new, old);
    assert_eq!(app.client.verify(&ada, &old).await.status, 400);
    app.advance(599).await;
    assert_eq!(app.client.verify(&ada, &new).await.status, 200);
    app.finish().await;
}

/// The old challenge stays good for its holder to its end, and its handle is good for the new digits.
#[tokio::test]
async fn the_holder_of_the_challenge_may_use_old_and_new_digits() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let (of_ada, of_bob) = (
        app.client.registered(&ada).await,
        app.client.registered(&bob).await,
    );
    let old_of_ada = app.code(&ada, 1).await;
    app.advance(301).await;
    app.client.resend(&ada.email).await;
    app.client.resend(&bob.email).await;
    let new_of_bob = app.code(&bob, 2).await;
    app.code(&ada, 2).await;

    assert_eq!(
        app.client
            .verify_with(&ada, &old_of_ada, &of_ada)
            .await
            .status,
        200
    );
    assert_eq!(
        app.client
            .verify_with(&bob, &new_of_bob, &of_bob)
            .await
            .status,
        200
    );
    app.finish().await;
}

#[tokio::test]
async fn the_old_digits_die_at_their_own_end() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let challenge = app.client.registered(&ada).await;
    let old = app.code(&ada, 1).await;
    app.advance(301).await;
    app.client.resend(&ada.email).await;
    let new = app.code(&ada, 2).await;

    app.advance(300).await;

    assert_eq!(
        app.client.verify_with(&ada, &old, &challenge).await.status,
        400
    );
    assert_eq!(
        app.client.verify_with(&ada, &new, &challenge).await.status,
        200
    );
    app.finish().await;
}

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

#[tokio::test]
async fn a_resend_after_the_codes_life_opens_a_new_one() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let challenge = app.client.registered(&ada).await;
    app.advance(3600).await;

    app.client.resend_with(&ada.email, &challenge).await;
    let code = app.code(&ada, 2).await;

    assert_eq!(
        app.client.verify_with(&ada, &code, &challenge).await.status,
        200
    );
    app.finish().await;
}

#[tokio::test]
async fn nothing_is_mailed_once_the_registration_has_lapsed() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    app.advance(86_400).await;

    let answer = app.client.resend(&ada.email).await;

    assert_eq!(answer.status, 200);
    assert_eq!(app.mails_to(&ada.email).await, 1);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8: the same bytes for everybody, and no mail where none is due.
#[tokio::test]
async fn every_address_is_answered_alike() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.client.registered(&ada).await;
    app.verified(&bob).await;

    let waiting = app.client.resend(&ada.email).await;
    app.mail(&ada.email, 2).await;
    for other in [
        json!("bob@example.com"),
        json!("nobody@example.com"),
        json!("no address"),
        json!("  "),
        json!(5),
        json!(["a"]),
        json!({"a": 1}),
        json!(true),
    ] {
        let answer = app
            .client
            .post("/api/auth/resend-otp/", &json!({"email": other}))
            .await;

        assert_eq!(answer.outside(), waiting.outside(), "{other}");
        assert_eq!(answer.body, waiting.body);
    }
    assert_eq!(app.mails_to(&bob.email).await, 1);
    assert_eq!(app.inbox().accepted(), 3);
    app.finish().await;
}

#[tokio::test]
async fn an_address_is_required() {
    let app = TestApp::start().await;

    for nothing in [
        json!({}),
        json!({"email": null}),
        json!({"email": ""}),
        json!({"email": 0}),
        json!({"email": []}),
        json!({"email": false}),
    ] {
        let answer = app.client.post("/api/auth/resend-otp/", &nothing).await;

        let refusal = r#"400 {"error":"Email is required","code":"email_required"}"#;
        assert_eq!(answer.shown(), refusal, "{nothing}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_challenge_names_the_attempt_that_is_meant() {
    let app = TestApp::start().await;
    let (ada, eve) = (Person::new("ada"), Person::new("eve").at("ada@example.com"));
    let challenge = app.client.registered(&ada).await;
    let of_ada = app.code(&ada, 1).await;
    app.client.registered(&eve).await;
    let of_eve = app.code(&eve, 2).await;

    app.client.resend_with(&ada.email, &challenge).await;
    assert_eq!(app.code(&ada, 3).await, of_ada);
    app.client.resend(&ada.email).await;
    assert_eq!(
        app.code(&ada, 4).await,
        of_eve,
        "without one, the newest is meant"
    );

    app.finish().await;
}

#[tokio::test]
async fn with_an_invented_challenge_nothing_is_mailed() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;

    let answer = app.client.resend_with(&ada.email, "0123456789abcdef").await;

    assert_snapshot!(answer.shown(), @r#"200 {"message":"New OTP sent to your email."}"#);
    assert_eq!(app.mails_to(&ada.email).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn without_a_challenge_the_clients_own_attempt_is_meant() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let (home, away) = (
        app.client.from("198.51.100.1"),
        app.client.from("203.0.113.9"),
    );
    let (ada, eve) = (Person::new("ada"), Person::new("eve").at("ada@example.com"));
    home.registered(&ada).await;
    let of_ada = app.code(&ada, 1).await;
    away.registered(&eve).await;
    let of_eve = app.code(&eve, 2).await;

    home.resend(&ada.email).await;
    assert_eq!(app.code(&ada, 3).await, of_ada);
    app.client.from("192.0.2.5").resend(&ada.email).await;
    assert_eq!(app.code(&ada, 4).await, of_eve);

    app.finish().await;
}

#[tokio::test]
async fn the_mail_goes_to_the_address_as_it_was_registered() {
    let app = TestApp::start().await;
    app.client
        .registered(&Person::new("ada").at("Ada.B@example.com"))
        .await;

    app.client.resend(" ada.b@EXAMPLE.com ").await;

    assert_eq!(
        app.mail("ada.b@example.com", 2).await.envelope_to,
        ["Ada.B@example.com"]
    );
    app.finish().await;
}
