//! `POST /api/auth/email-change-request/` and `…-confirm/`: another address, once a code from there is presented.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Client, Person, TestApp, wrong};

const NEW: &str = "king@example.com";

/// Somebody who has asked for [`NEW`], and the code that was mailed there.
async fn about_to_move(app: &TestApp, person: &Person) -> (Client, String) {
    let session = app.member(person).await;
    let answer = session.request_email(NEW, &person.password).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
    let code = app.newest_code(NEW).await;
    (session, code)
}

/// OWASP ASVS 5.0 7.5.3: the code goes to the new address, the notice to the old one.
#[tokio::test]
async fn a_code_from_the_new_address_changes_it_and_the_old_one_hears_of_it() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;

    let requested = session
        .request_email("King@Example.com", &ada.password)
        .await;
    assert_eq!(
        app.mails_to(&ada.email).await,
        1,
        "the code is not for the old address"
    );
    let code = app.newest_code(NEW).await;
    let confirmed = session.confirm_email(&code).await;

    assert_snapshot!(requested.shown(), @r#"200 {"message":"OTP sent to the new email address."}"#);
    assert_snapshot!(confirmed.shown(), @r#"200 {"message":"Email changed.","email":"King@Example.com"}"#);
    assert_eq!(
        session.get("/api/auth/me/").await.field("email"),
        "King@Example.com"
    );
    assert_eq!(app.client.login(NEW, &ada.password).await.status, 200);
    assert_eq!(
        app.client.login(&ada.email, &ada.password).await.status,
        400
    );
    let notice = app.mail(&ada.email, 2).await;
    assert_snapshot!(notice.subject().unwrap(), @"The address of your Smart Notes account was changed");
    assert_eq!(notice.code(), None);
    assert!(!notice.text().unwrap().contains("OTP"));
    app.finish().await;
}

/// OWASP ASVS 5.0 7.5.1.
#[tokio::test]
async fn the_password_is_needed_and_its_field_is_named() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;

    let wrong = session.request_email(NEW, "a wrong password").await;
    wrong.assert_refused("password", "Invalid password.");
    let path = "/api/auth/email-change-request/";
    let none = session.post(path, &json!({})).await;
    assert_snapshot!(none.shown(), @r#"400 {"new_email":["This field is required."],"password":["This field is required."]}"#);
    let odd = session.request_email("no address", &ada.password).await;
    odd.assert_refused("new_email", "Enter a valid email address.");

    assert_eq!(app.mails_to(NEW).await, 0);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8: a taken address is answered like a free one, and nothing is mailed to it.
#[tokio::test]
async fn a_taken_address_is_answered_like_a_free_one() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let session = app.member(&ada).await;
    app.verified(&bob).await;

    let free = session.request_email(NEW, &ada.password).await;
    let taken = session
        .request_email("BOB@example.com", &ada.password)
        .await;
    let own = session.request_email(&ada.email, &ada.password).await;

    assert_eq!((free.outside(), &free.body), (taken.outside(), &taken.body));
    assert_eq!((free.outside(), &free.body), (own.outside(), &own.body));
    assert_eq!(app.mails_to(&bob.email).await, 1);
    app.finish().await;
}

/// What is mailed can't take over an address that somebody verifies meanwhile.
#[tokio::test]
async fn an_address_that_somebody_verifies_meanwhile_is_theirs() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_move(&app, &ada).await;
    let owner = Person::new("owner").at(NEW);
    let (challenge, code_of_owner) = app.registered(&owner, 2).await;
    app.client
        .verify_with(&owner, &code_of_owner, &challenge)
        .await;

    let late = session.confirm_email(&code).await;

    assert_snapshot!(late.shown(), @r#"400 {"error":"Invalid OTP","code":"invalid_otp"}"#);
    let login = app.client.login(NEW, &owner.password).await;
    assert_eq!((login.status, &login.json()["user_id"]), (200, &json!(2)));
    assert_eq!(session.get("/api/auth/me/").await.field("email"), ada.email);
    app.finish().await;
}

/// RFC 5321, appendix F.2: nor by way of another host.
#[tokio::test]
async fn an_address_that_names_a_route_is_refused() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;

    for routed in ["ada%example.com@example.org", "example.com!ada@example.org"] {
        let answer = session.request_email(routed, &ada.password).await;

        answer.assert_refused("new_email", "Enter a valid email address.");
    }
    app.finish().await;
}

/// Whoever registers with the address has lost it, as after a verification.
#[tokio::test]
async fn attempts_to_register_the_new_address_end() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_move(&app, &ada).await;
    let eve = Person::new("eve").at(NEW).password("the password of eve");
    let (challenge, code_of_eve) = app.registered(&eve, 2).await;

    assert_eq!(session.confirm_email(&code).await.status, 200);

    assert_eq!(app.client.verify(&eve, &code_of_eve).await.status, 400);
    let with = app.client.verify_with(&eve, &code_of_eve, &challenge).await;
    assert_eq!(with.status, 400);
    assert_eq!(app.client.login("eve", &eve.password).await.status, 403);
    app.client.registered(&Person::new("eve")).await;
    app.finish().await;
}

/// OWASP ASVS 5.0 7.4.3.
#[tokio::test]
async fn the_other_sessions_end_and_this_one_does_not() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_move(&app, &ada).await;
    let other = app.client.logged_in(&ada).await;

    session.confirm_email(&code).await;

    assert_eq!(
        (session.me_status().await, other.me_status().await),
        (200, 401)
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.1, 6.5.5, 6.6.3.
#[tokio::test]
async fn a_wrong_a_spent_and_an_expired_code_are_refused() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_move(&app, &ada).await;

    let refused = session.confirm_email(&wrong(&code)).await;
    assert_snapshot!(refused.shown(), @r#"400 {"error":"Invalid OTP","code":"invalid_otp"}"#);
    assert_eq!(session.confirm_email(&code).await.status, 200);
    assert_eq!(session.confirm_email(&code).await.body, refused.body);

    session.request_email(&ada.email, &ada.password).await;
    let back = app.newest_code(&ada.email).await;
    app.advance(601).await;
    assert_eq!(session.confirm_email(&back).await.body, refused.body);

    session.request_email(&ada.email, &ada.password).await;
    let burnt = app.newest_code(&ada.email).await;
    for _ in 0..5 {
        session.confirm_email(&wrong(&burnt)).await;
    }
    assert_eq!(session.confirm_email(&burnt).await.body, refused.body);
    assert_eq!(session.get("/api/auth/me/").await.field("email"), NEW);
    app.finish().await;
}

/// The code for one address is not good for another: only the newest request counts.
#[tokio::test]
async fn the_code_of_an_earlier_request_is_void() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, first) = about_to_move(&app, &ada).await;
    session
        .request_email("third@example.com", &ada.password)
        .await;
    let second = app.newest_code("third@example.com").await;

    assert_eq!(session.confirm_email(&first).await.status, 400);
    assert_eq!(
        session.confirm_email(&second).await.field("email"),
        "third@example.com"
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.2: who reads the old mailbox only has no code that is good for the account any more.
#[tokio::test]
async fn codes_that_went_to_the_old_address_are_void() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_move(&app, &ada).await;
    app.client.request_reset(&ada.email).await;
    let to_reset = app.newest_code(&ada.email).await;
    session.confirm_email(&code).await;

    let reset = app
        .client
        .reset(NEW, &to_reset, "an entirely different staple")
        .await;

    assert_eq!(reset.status, 400, "{}", reset.shown());
    assert_eq!(app.client.login(NEW, &ada.password).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8: whether an address has an account is told by no later answer either. A request for a taken one
/// leaves the rows of one for a free address: it voids older codes, counts their tries, and is mailed to nobody.
#[tokio::test]
async fn a_taken_address_voids_older_codes_as_a_free_one_does() {
    let app = TestApp::start().await;
    app.verified(&Person::new("bob")).await;
    let mut seen = Vec::new();
    for (name, target) in [("ada", "bob@example.com"), ("eve", "free@example.com")] {
        let person = Person::new(name);
        let session = app.member(&person).await;
        let own = format!("{name}-next@example.com");
        session.request_email(&own, &person.password).await;
        let code = app.newest_code(&own).await;

        let asked = session.request_email(target, &person.password).await;
        let confirmed = session.confirm_email(&code).await;

        let mut rows = app.rows().await;
        let of_user = format!(
            "select concat_ws(' ', purpose, generation, superseded_at is null, tries, target = '{target}', long_code)
             from challenges join users on users.id = challenges.user_id
             where username = '{name}' order by generation"
        );
        let tries = format!(
            "select tries from open_tries where email_key = '{}'",
            person.email
        );
        seen.push((
            asked.shown(),
            confirmed.shown(),
            rows.texts(&of_user).await,
            rows.number(&tries).await,
        ));
        rows.close().await;
    }

    assert_eq!(seen[0], seen[1]);
    assert_eq!(
        seen[0].1,
        r#"400 {"error":"Invalid OTP","code":"invalid_otp"}"#
    );
    assert_eq!(app.mails_to("bob@example.com").await, 1);
    assert_eq!(app.mails_to("free@example.com").await, 1);
    app.finish().await;
}

/// Not even after the address has become free: what nobody was mailed confirms nothing.
#[tokio::test]
async fn the_code_of_a_taken_address_is_never_right() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let (session, of_bob) = (app.member(&ada).await, app.member(&bob).await);
    session.request_email(&bob.email, &ada.password).await;
    of_bob.request_deletion().await;
    let code = app.newest_code(&bob.email).await;
    assert_eq!(of_bob.delete_account(&code).await.status, 204);
    let mut rows = app.rows().await;
    let decoys = "select count(*) from challenges where purpose = 'change_email' and decoy = 1";
    assert_eq!(rows.number(decoys).await, 1);
    rows.close().await;

    // Asked for anew it is an address like any other.
    session.request_email(&bob.email, &ada.password).await;
    let code = app.newest_code(&bob.email).await;

    assert_eq!(session.confirm_email(&code).await.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: one address is not guessed at by many accounts in turn.
#[tokio::test]
async fn wrong_guesses_count_for_the_target_whichever_account_makes_them() {
    let app = TestApp::with()
        .set("SMART_NOTES__OTP__MAX_TRIES", "25")
        .start()
        .await;
    for name in ["ada", "bob"] {
        let person = Person::new(name);
        let session = app.member(&person).await;
        session.request_email(NEW, &person.password).await;
        let code = app.newest_code(NEW).await;
        assert_eq!(app.newest_long_code(NEW).await, None);
        for _ in 0..25 {
            session.confirm_email(&wrong(&code)).await;
        }
    }
    let eve = Person::new("eve");
    let session = app.member(&eve).await;

    session.request_email(NEW, &eve.password).await;
    let (digits, long) = (app.newest_code(NEW).await, app.newest_long_code(NEW).await);

    assert_eq!(session.confirm_email(&digits).await.status, 400);
    assert_eq!(session.confirm_email(&long.unwrap()).await.status, 200);
    app.finish().await;
}
