//! Several at once: registrants of one address, clients, processes, and guesses.

use futures_util::future::join_all;

use crate::support::{Answer, Person, Processes, TestApp, wrong};

fn count(answers: &[Answer], status: u16) -> usize {
    answers
        .iter()
        .filter(|answer| answer.status == status)
        .count()
}

/// The code decides which registration wins: its name and its password. A stranger who registered the address
/// first, or right after, gains nothing and blocks nothing.
#[tokio::test]
async fn of_two_registrants_the_one_whose_code_is_presented_wins() {
    let app = TestApp::start().await;
    let eve = Person::new("eve")
        .at("ada@example.com")
        .password("the password of eve");
    let ada = Person::new("ada");
    let (of_eve, code_of_eve) = app.registered(&eve, 1).await;
    let (of_ada, code_of_ada) = app.registered(&ada, 2).await;

    let verified = app.client.verify_with(&ada, &code_of_ada, &of_ada).await;
    assert_eq!(verified.status, 200);

    assert_eq!(
        app.client
            .login("ada@example.com", &ada.password)
            .await
            .status,
        200
    );
    // Eve is not told.
    for login in ["ada@example.com", "eve"] {
        let answer = app.client.login(login, &eve.password).await;
        assert_eq!(answer.status, 403, "{login}");
    }
    assert_eq!(
        app.client
            .verify_with(&eve, &code_of_eve, &of_eve)
            .await
            .status,
        400
    );
    app.client.registered(&Person::new("eve")).await;
    app.finish().await;
}

#[tokio::test]
async fn the_older_of_two_registrations_wins_by_its_code() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let eve = Person::new("eve")
        .at("ada@example.com")
        .password("the password of eve");
    let (of_ada, code_of_ada) = app.registered(&ada, 1).await;
    app.registered(&eve, 2).await;

    let verified = app.client.verify_with(&ada, &code_of_ada, &of_ada).await;
    assert_eq!(verified.status, 200);

    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    assert_eq!(app.client.login("eve", &eve.password).await.status, 403);
    app.finish().await;
}

/// With live attempts of several clients, a code without challenge counts only from the client that
/// started its attempt: what the owner of the address types in elsewhere can't confirm a stranger.
#[tokio::test]
async fn with_two_clients_a_bare_code_counts_only_from_its_own() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let (home, away) = (
        app.client.from("198.51.100.1"),
        app.client.from("203.0.113.9"),
    );
    let ada = Person::new("ada");
    let eve = Person::new("eve")
        .at("ada@example.com")
        .password("the password of eve");
    away.registered(&eve).await;
    let code_of_eve = app.code(&eve, 1).await;
    home.registered(&ada).await;
    let code_of_ada = app.code(&ada, 2).await;

    assert_eq!(home.verify(&ada, &code_of_eve).await.status, 400);
    assert_eq!(away.verify(&ada, &code_of_ada).await.status, 400);
    assert_eq!(home.verify(&ada, &code_of_ada).await.status, 200);

    assert_eq!(
        app.client
            .login("ada@example.com", &ada.password)
            .await
            .status,
        200
    );
    assert_eq!(app.client.login("eve", &eve.password).await.status, 403);
    app.finish().await;
}

#[tokio::test]
async fn with_two_clients_the_challenge_counts_from_anywhere() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let (home, away) = (
        app.client.from("198.51.100.1"),
        app.client.from("203.0.113.9"),
    );
    let (ada, eve) = (Person::new("ada"), Person::new("eve").at("ada@example.com"));
    away.registered(&eve).await;
    app.code(&eve, 1).await;
    let challenge = home.registered(&ada).await;
    let code = app.code(&ada, 2).await;

    assert_eq!(away.verify_with(&ada, &code, &challenge).await.status, 200);

    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    app.finish().await;
}

/// An attempt counts among several until it lapses, not until its code does: else a stranger who registers after that
/// is confirmed by what the owner types.
#[tokio::test]
async fn after_the_owners_code_lapsed_a_bare_code_of_another_client_is_refused() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let (home, away) = (
        app.client.from("198.51.100.1"),
        app.client.from("203.0.113.9"),
    );
    let ada = Person::new("ada");
    let eve = Person::new("eve")
        .at("ada@example.com")
        .password("the password of eve");
    home.registered(&ada).await;
    app.code(&ada, 1).await;
    app.advance(601).await;
    away.registered(&eve).await;
    let code_of_eve = app.code(&eve, 2).await;

    assert_eq!(home.verify(&ada, &code_of_eve).await.status, 400);

    assert_eq!(home.resend(&ada.email).await.status, 200);
    let code = app.code(&ada, 3).await;
    assert_eq!(home.verify(&ada, &code).await.status, 200);
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    app.finish().await;
}

/// Behind one address of a network a stranger is the same client: only the challenge tells whose code it is.
#[tokio::test]
async fn behind_one_client_attempts_that_differ_in_name_and_password_need_their_challenge() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let eve = Person::new("eve")
        .at("ada@example.com")
        .password("the password of eve");
    let (of_ada, code_of_ada) = app.registered(&ada, 1).await;
    let (_, code_of_eve) = app.registered(&eve, 2).await;

    assert_eq!(app.client.verify(&ada, &code_of_eve).await.status, 400);
    assert_eq!(app.client.verify(&ada, &code_of_ada).await.status, 400);
    let verified = app.client.verify_with(&ada, &code_of_ada, &of_ada).await;
    assert_eq!(verified.status, 200);

    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    assert_eq!(app.client.login("eve", &eve.password).await.status, 403);
    app.finish().await;
}

/// A form that was sent twice, or again with another name: one person, whose codes count without a challenge.
#[tokio::test]
async fn attempts_of_one_client_that_share_name_or_password_need_no_challenge() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    let again = Person::new("ada").password("another password");
    let renamed = Person::new("robert").at(&bob.email);
    let (_, first_of_ada) = app.registered(&ada, 1).await;
    app.registered(&again, 2).await;
    app.registered(&bob, 1).await;
    let (_, second_of_bob) = app.registered(&renamed, 2).await;

    let twice = app.client.verify(&ada, &first_of_ada).await;
    let once_more = app.client.verify(&bob, &second_of_bob).await;

    assert_eq!((twice.status, once_more.status), (200, 200));
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    assert_eq!(app.client.login("robert", &bob.password).await.status, 200);
    app.finish().await;
}

/// Decoys need it where attempts do, so that the need tells nothing of the address.
#[tokio::test]
async fn attempts_at_a_verified_address_are_refused_like_others() {
    let app = TestApp::start().await;
    app.verified(&Person::new("ada")).await;
    let decoys = ["eve", "mallory"].map(|name| {
        Person::new(name)
            .at("ada@example.com")
            .password(&format!("the password of {name}"))
    });
    let mut challenges = Vec::new();
    for decoy in &decoys {
        challenges.push(app.client.registered(decoy).await);
    }

    for (decoy, challenge) in decoys.iter().zip(&challenges) {
        assert_eq!(app.client.verify(decoy, "123456").await.status, 400);
        let held = app.client.verify_with(decoy, "123456", challenge).await;
        assert_eq!(held.status, 400);
    }
    app.finish().await;
}

/// 403 says that the password is right. Attempts of strangers, before or after, change nothing about that.
#[tokio::test]
async fn an_unverified_owner_hears_so_whatever_strangers_register() {
    let app = TestApp::with().behind_a_proxy().start().await;
    let (home, away) = (
        app.client.from("198.51.100.1"),
        app.client.from("203.0.113.9"),
    );
    let ada = Person::new("ada");
    home.registered(&ada).await;
    for n in 0..3 {
        let eve = Person::new(&format!("eve{n}"))
            .at("ada@example.com")
            .password("the password of eve");
        away.registered(&eve).await;
    }

    assert_eq!(home.login(&ada.email, &ada.password).await.status, 403);
    assert_eq!(home.login("ada", &ada.password).await.status, 403);
    assert_eq!(home.login(&ada.email, "a wrong one").await.status, 400);
    app.finish().await;
}

/// The same behind one client, where one attempt more does not hide the owner's.
#[tokio::test]
async fn one_attempt_more_of_the_same_client_hides_no_right_password() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    let eve = Person::new("eve")
        .at("ada@example.com")
        .password("the password of eve");
    app.client.registered(&eve).await;

    for person in [&ada, &eve] {
        let answer = app.client.login(&ada.email, &person.password).await;
        assert_eq!(answer.status, 403, "{}", person.name);
    }
    app.finish().await;
}

/// Who registered twice with one name, to correct a password, is one person: the password that lost is a wrong one.
#[tokio::test]
async fn an_attempt_of_the_same_client_and_name_ends_with_the_one_that_won() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let mistyped = Person::new("ada").password("a mistyped password");
    app.registered(&mistyped, 1).await;
    let (challenge, code) = app.registered(&ada, 2).await;

    let verified = app.client.verify_with(&ada, &code, &challenge).await;

    assert_eq!(verified.status, 200);
    for (password, status) in [(&ada.password, 200), (&mistyped.password, 400)] {
        assert_eq!(app.client.login("ada", password).await.status, status);
        let by_address = app.client.login(&ada.email, password).await;
        assert_eq!(by_address.status, status);
    }
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.1.
#[tokio::test]
async fn of_fifty_right_codes_at_once_one_is_accepted() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;

    let tries = (0..50).map(|n| {
        let (client, ada, code, challenge) = (&app.client, &ada, &code, &challenge);
        async move {
            match n % 2 {
                0 => client.verify(ada, code).await,
                _ => client.verify_with(ada, code, challenge).await,
            }
        }
    });
    let answers = join_all(tries).await;

    assert_eq!((count(&answers, 200), count(&answers, 400)), (1, 49));
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.1, with two processes on one database.
#[tokio::test]
async fn of_fifty_right_codes_at_two_processes_one_is_accepted() {
    let app = Processes::with().apis(2).start().await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;

    let answers = join_all((0..50).map(|n| app.apis[n % 2].client.verify(&ada, &code))).await;

    assert_eq!((count(&answers, 200), count(&answers, 400)), (1, 49));
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: a try is counted before it is compared, so many at once gain nothing.
#[tokio::test]
async fn of_two_hundred_wrong_codes_at_once_five_are_compared() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (challenge, code) = app.registered(&ada, 1).await;
    let wrong = wrong(&code);

    let answers = join_all((0..200).map(|_| app.client.verify(&ada, &wrong))).await;

    assert_eq!(count(&answers, 400), 200);
    let mut rows = app.rows().await;
    assert_eq!(rows.number("select tries from open_tries").await, 5);
    rows.close().await;
    assert_eq!(app.client.verify(&ada, &code).await.status, 400);
    assert_eq!(
        app.client.verify_with(&ada, &code, &challenge).await.status,
        200
    );
    app.finish().await;
}
