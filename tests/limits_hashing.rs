//! How much of the pool that hashes passwords one client may hold: a quarter (OWASP ASVS 5.0 2.4.1).

use futures_util::future::join_all;

use crate::support::{Answer, Builder, PASSWORD, Person, TestApp};

/// One thread and seven places to wait: eight slots, two of them for one client.
fn small_pool() -> Builder {
    TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__HASH_THREADS", "1")
        .set("SMART_NOTES__ACCOUNTS__HASH_QUEUE", "7")
}

#[tokio::test]
async fn a_client_that_floods_logins_keeps_nobody_else_out() {
    let app = small_pool().limited().behind_a_proxy().start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let (flooder, home) = (
        app.client.from("198.51.100.1"),
        app.client.from("198.51.100.2"),
    );
    let names: Vec<_> = (0..60).map(|n| format!("nobody{n}")).collect();

    let flood = join_all(names.iter().map(|name| flooder.login(name, PASSWORD)));
    let logins = async {
        for _ in 0..5 {
            home.token(&ada).await;
        }
    };
    let (flood, ()) = tokio::join!(flood, logins);

    let (busy, checked): (Vec<_>, Vec<_>) = flood.iter().partition(|answer| answer.status == 503);
    assert!(checked.iter().all(|answer| answer.status == 400));
    assert!(!busy.is_empty() && !checked.is_empty());
    for answer in &busy {
        assert_eq!(answer.field("code"), "busy");
        assert_eq!(answer.header("retry-after"), "1");
    }
    // It says that nothing was changed, so it is no refused login either.
    let mut rows = app.rows().await;
    let counted = "select count(*) from limit_hits where key like 'login-client:%'";
    let counted = rows.number(counted).await;
    rows.close().await;
    assert_eq!(counted, i64::try_from(checked.len()).unwrap());
    app.finish().await;
}

/// The same for registrations, while somebody else gives a password again and sets another.
#[tokio::test]
async fn a_client_that_floods_registrations_keeps_nobody_else_out() {
    let app = small_pool()
        .limit("registrations_per_hour", 1000)
        .behind_a_proxy()
        .start()
        .await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let session = app.client.logged_in(&ada).await;
    let client = app.client.from("198.51.100.1");

    let people: Vec<_> = (0..20).map(|n| Person::new(&format!("bob{n}"))).collect();
    let registrations = join_all(people.iter().map(|person| client.register(person)));
    let others = async {
        let next = "next@example.com";
        let change = session.change_password(PASSWORD, "an entirely different staple");
        (
            change.await.status,
            session.request_email(next, PASSWORD).await.status,
        )
    };
    let (registrations, others) = tokio::join!(registrations, others);

    let refused = registrations
        .iter()
        .filter(|answer| answer.status == 503)
        .count();
    assert!((1..20).contains(&refused), "{refused}");
    assert_eq!(others, (200, 400));
    app.finish().await;
}

#[tokio::test]
async fn without_limits_one_client_may_hold_every_slot() {
    let app = small_pool().start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    let logins = join_all((0..8).map(|_| app.client.login("ada", &ada.password))).await;

    assert!(logins.iter().all(|answer| answer.status == 200));
    app.finish().await;
}

/// A request that a limit refuses costs no hash: of many at once none waits for the pool, where some would be answered
/// 503.
async fn assert_all<F: Future<Output = Answer>>(requests: impl Iterator<Item = F>, status: u16) {
    let answers = join_all(requests).await;

    let others: Vec<_> = answers.iter().filter(|one| one.status != status).collect();
    assert!(others.is_empty(), "{}", others[0].shown());
}

#[tokio::test]
async fn a_client_over_its_registrations_costs_no_hash_and_is_recorded() {
    let app = small_pool()
        .limit("registrations_per_hour", 1)
        .start()
        .await;
    app.client.registered(&Person::new("ada")).await;
    let people: Vec<_> = (0..30).map(|n| Person::new(&format!("bob{n}"))).collect();

    assert_all(people.iter().map(|person| app.client.register(person)), 429).await;

    let mut rows = app.rows().await;
    let recorded = "select detail from audit where event = 'limited'";
    assert_eq!(rows.texts(recorded).await, ["registrations"]);
    rows.close().await;
    app.finish().await;
}

#[tokio::test]
async fn an_address_with_all_its_attempts_costs_no_hash() {
    let app = small_pool()
        .limit("pending_registrations_per_address", 1)
        .start()
        .await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;

    assert_all((0..30).map(|_| app.client.register(&ada)), 429).await;

    app.finish().await;
}

#[tokio::test]
async fn a_name_that_is_taken_costs_no_hash() {
    let app = small_pool().limited().start().await;
    app.client.registered(&Person::new("ada")).await;
    let rival = Person::new("ada").at("rival@example.com");

    assert_all((0..30).map(|_| app.client.register(&rival)), 400).await;

    app.finish().await;
}

#[tokio::test]
async fn a_client_over_its_wrong_codes_costs_no_hash_when_it_resets() {
    let app = small_pool().limit("wrong_codes_per_hour", 1).start().await;
    let reset = || app.client.reset("ada@example.com", "123456", PASSWORD);
    assert_eq!(reset().await.status, 400);

    assert_all((0..30).map(|_| reset()), 429).await;

    app.finish().await;
}

/// It is not counted as a wrong code, so that no limit would ever stop it.
#[tokio::test]
async fn what_is_no_address_costs_no_hash_when_it_resets() {
    let app = small_pool().limited().start().await;
    let reset = || app.client.reset("no address", "123456", PASSWORD);

    assert_all((0..30).map(|_| reset()), 400).await;

    app.finish().await;
}

#[tokio::test]
async fn a_user_over_the_codes_costs_no_hash_when_the_address_is_to_change() {
    let app = small_pool()
        .limit("code_requests_per_minute", 1)
        .start()
        .await;
    let session = app.member(&Person::new("ada")).await;
    let request = || session.request_email("next@example.com", PASSWORD);
    assert_eq!(request().await.status, 200);

    assert_all((0..30).map(|_| request()), 429).await;

    app.finish().await;
}
