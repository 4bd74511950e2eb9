//! The codes of a password reset: which are refused, and who shares their tries.

use futures_util::future::join_all;
use insta::assert_snapshot;

use super::NEW;
use crate::support::{Person, TestApp, wrong};

/// OWASP ASVS 5.0 6.3.8: an address without an account has only wrong codes.
#[tokio::test]
async fn every_wrong_code_is_answered_alike() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.verified(&ada).await;
    let (_, code_of_bob) = app.registered(&bob, 1).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;

    let refused = app.client.reset(&ada.email, &wrong(&code), NEW).await;
    assert_snapshot!(refused.shown(), @r#"400 {"error":"Invalid OTP","code":"invalid_otp"}"#);
    for (email, code) in [
        ("nobody@example.com", "123456"),
        ("no address", "123456"),
        (&bob.email, &code_of_bob),
        (&bob.email, &code),
        (&ada.email, "a very long text instead of a code"),
        (&ada.email, " "),
    ] {
        let answer = app.client.reset(email, code, NEW).await;

        assert_eq!(answer.outside(), refused.outside(), "{email} {code}");
        assert_eq!(answer.body, refused.body);
    }
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.1.
#[tokio::test]
async fn a_code_used_twice_is_refused() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;

    let first = app.client.reset(&ada.email, &code, NEW).await;
    let again = app.client.reset(&ada.email, &code, &ada.password).await;

    assert_eq!((first.status, again.status), (200, 400));
    assert_eq!(app.client.login("ada", NEW).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.1: one success, whatever else was asked for at once.
#[tokio::test]
async fn of_twenty_resets_with_one_code_at_once_one_succeeds() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;

    let passwords: Vec<_> = (0..20).map(|n| format!("{NEW} number {n}")).collect();
    let resets = passwords
        .iter()
        .map(|password| app.client.reset(&ada.email, &code, password));
    let answers = join_all(resets).await;

    let set: Vec<_> = answers
        .iter()
        .zip(&passwords)
        .filter(|(answer, _)| answer.status == 200)
        .collect();
    assert_eq!(set.len(), 1);
    assert_eq!(app.client.login("ada", set[0].1).await.status, 200);
    assert_eq!(app.mails_to(&ada.email).await, 3, "and one notice");
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.5.
#[tokio::test]
async fn a_code_one_second_past_its_life_is_refused() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let mut codes = Vec::new();
    for person in [&ada, &bob] {
        app.verified(person).await;
        app.client.request_reset(&person.email).await;
        codes.push(app.newest_code(&person.email).await);
    }

    app.advance(599).await;
    let in_time = app.client.reset(&ada.email, &codes[0], NEW).await;
    app.advance(2).await;
    let late = app.client.reset(&bob.email, &codes[1], NEW).await;

    assert_eq!((in_time.status, late.status), (200, 400));
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3.
#[tokio::test]
async fn five_wrong_codes_burn_the_right_one_until_another_is_mailed() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.client.request_reset(&ada.email).await;
    let burnt = app.newest_code(&ada.email).await;
    for _ in 0..5 {
        app.client.reset(&ada.email, &wrong(&burnt), NEW).await;
    }

    assert_eq!(app.client.reset(&ada.email, &burnt, NEW).await.status, 400);
    app.client.request_reset(&ada.email).await;
    let new = app.newest_code(&ada.email).await;
    assert_ne!(new, burnt);
    assert_eq!(app.client.reset(&ada.email, &burnt, NEW).await.status, 400);
    assert_eq!(app.client.reset(&ada.email, &new, NEW).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: asking again for the same digits gives no new tries.
#[tokio::test]
async fn wrong_tries_are_counted_across_requests() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;

    for _ in 0..5 {
        app.client.request_reset(&ada.email).await;
        assert_eq!(app.newest_code(&ada.email).await, code);
        app.client.reset(&ada.email, &wrong(&code), NEW).await;
    }

    assert_eq!(app.client.reset(&ada.email, &code, NEW).await.status, 400);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.1.1: strangers burn the tries that everybody shares, and those of their own challenges.
#[tokio::test]
async fn a_holder_of_the_challenge_has_tries_that_strangers_can_not_burn() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let challenge = app.client.reset_challenge(&ada.email).await;
    let code = app.newest_code(&ada.email).await;
    let of_stranger = app.client.reset_challenge(&ada.email).await;
    let guess = wrong(&code);
    for _ in 0..6 {
        let bare = app.client.reset(&ada.email, &guess, NEW).await;
        let held = app.client.reset_with(&ada.email, &guess, NEW, &of_stranger);
        assert_eq!((bare.status, held.await.status), (400, 400));
    }

    assert_eq!(app.client.reset(&ada.email, &code, NEW).await.status, 400);
    let theirs = app.client.reset_with(&ada.email, &code, NEW, &of_stranger);
    assert_eq!(theirs.await.status, 400);
    let own = app.client.reset_with(&ada.email, &code, NEW, &challenge);
    assert_eq!(own.await.status, 200);
    app.finish().await;
}

/// A challenge that was mailed digits of its own keeps them, whatever others ask for.
#[tokio::test]
async fn the_holder_may_use_its_own_digits_and_newer_ones() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    for (person, newest) in [(&ada, false), (&bob, true)] {
        app.verified(person).await;
        let challenge = app.client.reset_challenge(&person.email).await;
        let own = app.newest_code(&person.email).await;
        app.advance(301).await;
        app.client.request_reset(&person.email).await;
        let newer = app.newest_code(&person.email).await;
        assert_ne!(own, newer);
        let code = if newest { &newer } else { &own };

        let bare = app.client.reset(&person.email, &own, NEW).await;
        let held = app.client.reset_with(&person.email, code, NEW, &challenge);

        assert_eq!((bare.status, held.await.status), (400, 200));
    }
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.2: refused, and nothing is burnt.
#[tokio::test]
async fn a_challenge_of_nobody_or_of_another_address_is_refused() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.verified(&ada).await;
    app.verified(&bob).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;
    let mut challenges = vec!["invented by who presents it".to_owned()];
    for email in [&bob.email, "nobody@example.com"] {
        challenges.push(app.client.reset_challenge(email).await);
    }
    challenges.push(
        app.client
            .registered(&Person::new("eve").at(&ada.email))
            .await,
    );

    for challenge in &challenges {
        for email in [&ada.email, "nobody@example.com"] {
            let answer = app.client.reset_with(email, &code, NEW, challenge).await;
            assert_eq!(
                answer.shown(),
                r#"400 {"error":"Invalid OTP","code":"invalid_otp"}"#
            );
        }
    }

    assert_eq!(app.client.reset(&ada.email, &code, NEW).await.status, 200);
    app.finish().await;
}

/// Once too many guesses were made without a challenge, six digits count with it alone; the mail has the long code for
/// clients that keep none.
#[tokio::test]
async fn after_fifty_guesses_digits_count_with_their_challenge_and_the_long_code_without() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let (mut challenge, mut code) = (String::new(), String::new());
    for _ in 0..11 {
        challenge = app.client.reset_challenge(&ada.email).await;
        let mailed = app.newest_code(&ada.email).await;
        assert_ne!(mailed, code, "no spent code is mailed again");
        code = mailed;
        for _ in 0..5 {
            app.client.reset(&ada.email, &wrong(&code), NEW).await;
        }
    }

    let long = app.newest_long_code(&ada.email).await.unwrap();
    assert_eq!(app.client.reset(&ada.email, &code, NEW).await.status, 400);
    let held = app.client.reset_with(&ada.email, &code, NEW, &challenge);
    assert_eq!(held.await.status, 200);
    let used = app.client.reset(&ada.email, &long, NEW).await;
    assert_eq!(used.status, 400, "both are one code");
    app.client.request_reset(&ada.email).await;
    let long = app.newest_long_code(&ada.email).await.unwrap();
    assert_eq!(app.client.reset(&ada.email, &long, NEW).await.status, 200);
    app.finish().await;
}
