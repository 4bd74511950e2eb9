//! How many registrations of one address may wait for their code at once: OWASP ASVS 5.0 6.3.1 and 2.4.1.

use insta::assert_snapshot;

use crate::support::{Person, TestApp};

/// One client retrying may not end up with two accounts, nor with an error.
#[tokio::test]
async fn ten_equal_registrations_at_once_never_fail_otherwise_than_by_the_limit() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada");

    let answers = futures_util::future::join_all((0..10).map(|_| app.client.register(&ada))).await;

    let with = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!((with(201), with(429)), (3, 7));
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.1, 2.4.1: limits per address, and a `Retry-After` that is true to a second.
#[tokio::test]
async fn a_sixth_live_attempt_waits_as_long_as_it_is_told() {
    let app = TestApp::with().many_mails().behind_a_proxy().start().await;
    let [home, away, third] = [1, 2, 3].map(|n| app.client.from(&format!("198.51.100.{n}")));
    let ada = Person::new("ada");
    for client in [&home, &away, &home, &away, &third] {
        client.registered(&ada).await;
        app.advance(1).await;
    }

    let refused = app.client.register(&ada).await;
    assert_snapshot!(refused.shown(), @r#"429 {"detail":"Request was throttled. Expected available in 595 seconds.","code":"throttled"}"#);
    assert_eq!(refused.header("retry-after"), "595");
    let spelt = app
        .client
        .register(&Person::new("eve").at("ADA@Example.com"))
        .await;
    assert_eq!(spelt.status, 429);

    app.advance(594).await;
    let last = app.client.register(&ada).await;
    assert_snapshot!(last.shown(), @r#"429 {"detail":"Request was throttled. Expected available in 1 second.","code":"throttled"}"#);
    app.advance(1).await;
    let fourth = app.client.from("198.51.100.4");
    fourth.registered(&ada).await;
    assert_eq!(fourth.register(&ada).await.status, 429);
    app.finish().await;
}

/// One client can't use up all of an address's attempts: its owner still registers from elsewhere.
#[tokio::test]
async fn one_client_has_at_most_half_of_an_addresses_live_attempts() {
    let app = TestApp::with().many_mails().behind_a_proxy().start().await;
    let stranger = app.client.from("203.0.113.9");
    for n in 0..3 {
        let eve = Person::new(&format!("eve{n}")).at("ada@example.com");
        stranger.registered(&eve).await;
    }

    let fourth = stranger
        .register(&Person::new("eve3").at("ada@example.com"))
        .await;

    assert_eq!(fourth.status, 429);
    assert_eq!(fourth.header("retry-after"), "600");
    let owner = app.client.from("198.51.100.1");
    owner.registered(&Person::new("ada")).await;
    app.finish().await;
}

/// Nor can two, such as the IPv4 and IPv6 addresses of one machine: the last place is for a client that has none.
#[tokio::test]
async fn two_clients_leave_a_place_for_a_third() {
    let app = TestApp::with().many_mails().behind_a_proxy().start().await;
    let strangers = ["203.0.113.9", "2001:db8:bad::7"].map(|one| app.client.from(one));
    let mut made = 0;
    for n in 0..8 {
        let eve = Person::new(&format!("eve{n}")).at("ada@example.com");
        made += usize::from(strangers[n % 2].register(&eve).await.status == 201);
    }
    assert_eq!(made, 4);

    let owner = app.client.from("198.51.100.1");
    owner.registered(&Person::new("ada")).await;
    app.finish().await;
}

#[tokio::test]
async fn the_limit_holds_for_a_verified_address_as_well() {
    let app = TestApp::with().many_mails().start().await;
    app.verified(&Person::new("ada")).await;
    for n in 0..3 {
        app.client
            .registered(&Person::new(&format!("eve{n}")).at("ada@example.com"))
            .await;
    }

    let fourth = app
        .client
        .register(&Person::new("eve3").at("ada@example.com"))
        .await;

    assert_snapshot!(fourth.shown(), @r#"429 {"detail":"Request was throttled. Expected available in 600 seconds.","code":"throttled"}"#);
    app.finish().await;
}

#[tokio::test]
async fn without_limits_there_is_no_429() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");

    for _ in 0..8 {
        app.client.registered(&ada).await;
    }

    app.mail(&ada.email, 8).await;
    app.finish().await;
}
