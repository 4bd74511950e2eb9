//! `POST /api/auth/password-reset-request/` and `…-confirm/`: a new password for who reads the mailbox.

use futures_util::future::join_all;
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp, wrong};

const NEW: &str = "an entirely different staple";

#[tokio::test]
async fn a_code_sets_a_new_password_and_the_old_one_is_void() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    let requested = app.client.request_reset(" ADA@Example.com ").await;
    let code = app.newest_code(&ada.email).await;
    let reset = app.client.reset(&ada.email, &code, NEW).await;

    assert_snapshot!(requested.shown(), @r#"200 {"message":"Password reset OTP sent to email.","challenge":"…"}"#);
    assert_snapshot!(reset.shown(), @r#"200 {"message":"Password has been reset successfully. Please login."}"#);
    assert_eq!(app.client.login("ada", &ada.password).await.status, 400);
    assert_eq!(app.client.login("ada", NEW).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8: the same bytes for everybody, and no mail but to who has an account.
#[tokio::test]
async fn every_address_is_answered_alike() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.verified(&ada).await;
    app.registered(&bob, 1).await;

    let known = app.client.request_reset(&ada.email).await;
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
        let path = "/api/auth/password-reset-request/";
        let answer = app.client.post(path, &json!({"email": other})).await;

        assert_eq!(answer.outside(), known.outside(), "{other}");
        assert_ne!(answer.field("challenge"), known.field("challenge"));
    }
    assert_eq!(app.mails_to(&ada.email).await, 2);
    assert_eq!(app.mails_to(&bob.email).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn all_fields_are_required() {
    let app = TestApp::start().await;

    let none = app.client.request_reset("").await;
    assert_snapshot!(none.shown(), @r#"400 {"error":"Email is required","code":"email_required"}"#);
    for body in [
        json!({}),
        json!({"email": "ada@example.com", "otp": "123456"}),
        json!({"email": "ada@example.com", "new_password": NEW}),
        json!({"otp": "123456", "new_password": NEW}),
        json!({"email": "", "otp": "", "new_password": ""}),
        json!({"email": null, "otp": null, "new_password": null}),
    ] {
        let path = "/api/auth/password-reset-confirm/";
        let answer = app.client.post(path, &body).await;

        let refusal = r#"400 {"error":"Email, OTP, and New Password are required","code":"reset_fields_required"}"#;
        assert_eq!(answer.shown(), refusal, "{body}");
    }
    app.finish().await;
}

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

/// The rules for a new password come first, so that they tell nothing about a code, and cost no try.
#[tokio::test]
async fn what_is_wrong_with_a_password_is_said_before_the_code_is_looked_at() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;

    for password in ["sesame!", "password", "smartnotes"] {
        let right = app.client.reset(&ada.email, &code, password).await;
        let guess = app.client.reset(&ada.email, &wrong(&code), password).await;
        let nobody = app.client.reset("no@example.com", &code, password).await;

        assert_eq!(right.status, 400, "{}", right.shown());
        assert!(right.json()["new_password"].is_array());
        assert_eq!(right.body, guess.body);
        assert_eq!(right.body, nobody.body);
    }
    let path = "/api/auth/password-reset-confirm/";
    for odd in [json!(12_345_678), json!(["x"]), json!({"a": 1})] {
        let body = json!({"email": ada.email, "otp": code, "new_password": odd});
        let answer = app.client.post(path, &body).await;
        answer.assert_refused("new_password", "Not a valid string.");
    }
    assert_eq!(app.client.reset(&ada.email, &code, NEW).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 7.4.3: every session ends at once, and no token is part of the answer.
#[tokio::test]
async fn a_reset_ends_every_session_and_gives_none() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let first = app.member(&ada).await;
    let second = app.client.logged_in(&ada).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;

    let reset = app.client.reset(&ada.email, &code, NEW).await;

    assert!(!reset.text().contains("token"), "{}", reset.text());
    assert_eq!(
        (first.me_status().await, second.me_status().await),
        (401, 401)
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.7: the owner hears of it, and the notice carries no secret.
#[tokio::test]
async fn a_reset_mails_a_notice_without_a_code() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    app.client.request_reset(&ada.email).await;
    let code = app.newest_code(&ada.email).await;
    app.client.reset(&ada.email, &code, NEW).await;

    let notice = app.mail(&ada.email, 3).await;

    assert_snapshot!(notice.subject().unwrap(), @"Your Smart Notes password was changed");
    assert_eq!(notice.code(), None);
    for secret in [code.as_str(), NEW, &ada.password, "OTP"] {
        assert!(!notice.text().unwrap().contains(secret));
        assert!(!notice.html().unwrap().contains(secret));
    }
    app.finish().await;
}

/// A reset is no way around the confirmation of an address.
#[tokio::test]
async fn an_unverified_address_gets_no_code_to_reset() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (_, code) = app.registered(&ada, 1).await;

    app.client.request_reset(&ada.email).await;

    assert_eq!(app.mails_to(&ada.email).await, 1);
    assert_eq!(app.client.reset(&ada.email, &code, NEW).await.status, 400);
    assert_eq!(app.client.verify(&ada, &code).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.1.1: a stranger who asks for a code changes nothing for who logs in.
#[tokio::test]
async fn a_request_alone_changes_nothing() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;

    app.client.request_reset(&ada.email).await;
    for _ in 0..9 {
        app.client.reset(&ada.email, "000000", NEW).await;
    }

    assert_eq!(session.me_status().await, 200);
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
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

/// A reset ends every code of its kind that is on its way or in the mailbox.
#[tokio::test]
async fn after_a_reset_no_earlier_code_is_good() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let challenge = app.client.reset_challenge(&ada.email).await;
    let first = app.newest_code(&ada.email).await;
    app.advance(301).await;
    app.client.request_reset(&ada.email).await;
    let second = app.newest_code(&ada.email).await;
    let reset = app.client.reset(&ada.email, &second, NEW).await;
    assert_eq!(reset.status, 200);

    let again = app
        .client
        .reset_with(&ada.email, &first, &ada.password, &challenge);

    assert_eq!(again.await.status, 400);
    app.finish().await;
}
