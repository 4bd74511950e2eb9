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
    let (_, code_of_ada) = app.registered(&ada, 2).await;

    assert_eq!(app.client.verify(&ada, &code_of_ada).await.status, 200);

    assert_eq!(
        app.client
            .login("ada@example.com", &ada.password)
            .await
            .status,
        200
    );
    assert_eq!(
        app.client
            .login("ada@example.com", &eve.password)
            .await
            .status,
        400
    );
    assert_eq!(app.client.login("eve", &eve.password).await.status, 400);
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
    let (_, code_of_ada) = app.registered(&ada, 1).await;
    app.registered(&eve, 2).await;

    assert_eq!(app.client.verify(&ada, &code_of_ada).await.status, 200);

    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    assert_eq!(app.client.login("eve", &eve.password).await.status, 400);
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
    assert_eq!(app.client.login("eve", &eve.password).await.status, 400);
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
