//! `POST /api/auth/verify-otp/`: which code counts, how often, for whom, and how long.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp, wrong};

#[tokio::test]
async fn the_right_code_makes_an_account() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (_, code) = app.registered(&ada, 1).await;

    let answer = app.client.verify(&ada, &code).await;

    assert_snapshot!(answer.shown(), @r#"200 {"message":"Account verified! You can now login."}"#);
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn a_code_used_twice_is_refused() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;
    app.client.verify(&ada, &code).await;

    let again = app.client.verify(&ada, &code).await;
    let with_challenge = app.client.verify_with(&ada, &code, &challenge).await;

    assert_snapshot!(again.shown(), @r#"400 {"error":"Invalid OTP","code":"invalid_otp"}"#);
    assert_eq!(with_challenge.shown(), again.shown());
    app.finish().await;
}

#[tokio::test]
async fn what_is_no_code_of_the_address_is_answered_alike() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let (_, code) = app.registered(&ada, 1).await;
    app.verified(&bob).await;

    let refused = app.client.verify(&ada, &wrong(&code)).await;
    for (person, code) in [
        (&ada, "abcdef"),
        (&ada, "1"),
        (&ada, "１２３４５６"),
        (&bob, &code),
        (&Person::new("nobody"), &code),
    ] {
        let answer = app.client.verify(person, code).await;
        assert_eq!(answer.outside(), refused.outside(), "{code}");
    }
    app.finish().await;
}

#[tokio::test]
async fn the_right_code_counts_after_four_wrong_ones() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (_, code) = app.registered(&ada, 1).await;

    for _ in 0..4 {
        assert_eq!(app.client.verify(&ada, &wrong(&code)).await.status, 400);
    }

    assert_eq!(app.client.verify(&ada, &code).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3 and 6.1.1: a stranger burns every try; the owner still verifies with the challenge.
#[tokio::test]
async fn guesses_without_a_challenge_do_not_burn_the_holders_tries() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;

    for _ in 0..20 {
        assert_eq!(app.client.verify(&ada, &wrong(&code)).await.status, 400);
    }

    assert_eq!(
        app.client.verify(&ada, &code).await.status,
        400,
        "five tries are spent"
    );
    assert_eq!(
        app.client.verify_with(&ada, &code, &challenge).await.status,
        200
    );
    app.finish().await;
}

#[tokio::test]
async fn the_holders_guesses_do_not_burn_tries_without_a_challenge() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;

    for _ in 0..5 {
        let answer = app
            .client
            .verify_with(&ada, &wrong(&code), &challenge)
            .await;
        assert_eq!(answer.status, 400);
    }

    assert_eq!(
        app.client.verify_with(&ada, &code, &challenge).await.status,
        400
    );
    assert_eq!(app.client.verify(&ada, &code).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: tries are kept in the database, so another process or client changes nothing.
/// OWASP ASVS 5.0 6.6.3: whoever registers the same address again gets no new guesses at a code that lives.
#[tokio::test]
async fn registering_again_buys_no_guesses_at_the_first_code() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;
    for _ in 0..5 {
        app.client.verify(&ada, &wrong(&code)).await;
    }

    app.registered(&ada, 2).await;
    let bare = app.client.verify(&ada, &code).await;
    let with_challenge = app.client.verify_with(&ada, &code, &challenge).await;

    assert_eq!(bare.status, 400);
    assert_eq!(with_challenge.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn tries_are_counted_across_clients() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let ada = Person::new("ada");
    let (_, code) = app.registered(&ada, 1).await;

    for n in 0..5 {
        let client = app.client.from(&format!("203.0.113.{n}"));
        client.verify(&ada, &wrong(&code)).await;
    }

    assert_eq!(
        app.client
            .from("198.51.100.1")
            .verify(&ada, &code)
            .await
            .status,
        400
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.5.
#[tokio::test]
async fn a_code_dies_one_second_past_its_life() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let (challenge, of_ada) = app.registered(&ada, 1).await;
    app.advance(2).await;
    let (_, of_bob) = app.registered(&bob, 1).await;

    app.advance(599).await;

    assert_eq!(app.client.verify(&ada, &of_ada).await.status, 400);
    assert_eq!(
        app.client
            .verify_with(&ada, &of_ada, &challenge)
            .await
            .status,
        400
    );
    assert_eq!(app.client.verify(&bob, &of_bob).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn a_setting_shortens_a_codes_life() {
    let app = TestApp::with()
        .set("SMART_NOTES__OTP__TTL_SECONDS", "30")
        .start()
        .await;
    let ada = Person::new("ada");
    let (_, code) = app.registered(&ada, 1).await;

    app.advance(31).await;

    assert_eq!(app.client.verify(&ada, &code).await.status, 400);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.2: every cross use is refused, and none burns the other.
#[tokio::test]
async fn a_code_with_another_attempts_challenge_is_refused_and_burns_nothing() {
    let app = TestApp::start().await;
    let (ada, eve) = (Person::new("ada"), Person::new("eve").at("ada@example.com"));
    let (of_ada, code_of_ada) = app.registered(&ada, 1).await;
    let (of_eve, code_of_eve) = app.registered(&eve, 2).await;

    for _ in 0..10 {
        assert_eq!(
            app.client
                .verify_with(&ada, &code_of_ada, &of_eve)
                .await
                .status,
            400
        );
        assert_eq!(
            app.client
                .verify_with(&ada, &code_of_eve, &of_ada)
                .await
                .status,
            400
        );
    }

    assert_eq!(
        app.client
            .verify_with(&ada, &code_of_ada, &of_ada)
            .await
            .status,
        200
    );
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn a_challenge_of_another_address_is_refused_and_burns_nothing() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let (of_ada, code_of_ada) = app.registered(&ada, 1).await;
    let (of_bob, code_of_bob) = app.registered(&bob, 1).await;

    for _ in 0..6 {
        assert_eq!(
            app.client
                .verify_with(&ada, &code_of_ada, &of_bob)
                .await
                .status,
            400
        );
        assert_eq!(
            app.client
                .verify_with(&bob, &code_of_bob, &of_ada)
                .await
                .status,
            400
        );
    }

    assert_eq!(
        app.client
            .verify_with(&ada, &code_of_ada, &of_ada)
            .await
            .status,
        200
    );
    assert_eq!(
        app.client
            .verify_with(&bob, &code_of_bob, &of_bob)
            .await
            .status,
        200
    );
    app.finish().await;
}

#[tokio::test]
async fn an_invented_challenge_is_refused_and_burns_nothing() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;
    app.settled().await;
    let mut rows = app.rows().await;
    let before = rows.but_the_record().await;

    for invented in [
        json!("0123456789abcdef"),
        json!(challenge.to_uppercase()),
        json!(7),
        json!(["x"]),
        json!({"a": 1}),
        json!(true),
    ] {
        let body = json!({"email": ada.email, "otp": code, "challenge": invented});
        let answer = app.client.post("/api/auth/verify-otp/", &body).await;
        assert_eq!(answer.status, 400, "{invented}");
    }

    assert_eq!(rows.but_the_record().await, before);
    rows.close().await;
    assert_eq!(app.client.verify(&ada, &code).await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn an_empty_challenge_is_none() {
    let app = TestApp::start().await;

    for (n, none) in [json!(null), json!(""), json!("  ")]
        .into_iter()
        .enumerate()
    {
        let person = Person::new(&format!("ada{n}"));
        let (_, code) = app.registered(&person, 1).await;
        let body = json!({"email": person.email, "otp": code, "challenge": none});

        let answer = app.client.post("/api/auth/verify-otp/", &body).await;

        assert_eq!(answer.status, 200, "{none}");
    }
    app.finish().await;
}
