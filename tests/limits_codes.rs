//! What one mailbox is mailed, and how often one client may ask: OWASP ASVS 5.0 6.3.1 and 2.4.1, and the cheat
//! sheets on forgotten passwords and on the validation of addresses. The figures are the defaults.

use crate::support::{Answer, Client, Person, TestApp, assert_lifted_after, assert_throttled};

/// A client of its own for each number.
fn client(app: &TestApp, n: u8) -> Client {
    app.client.from(&format!("198.51.100.{n}"))
}

async fn limited() -> TestApp {
    TestApp::with().limited().behind_a_proxy().start().await
}

#[tokio::test]
async fn a_mailbox_gets_three_codes_a_minute_whoever_asks() {
    let app = limited().await;
    let ada = Person::new("ada");
    client(&app, 1).registered(&ada).await;
    client(&app, 2).resend(&ada.email).await;
    client(&app, 3).request_reset(&ada.email).await;

    for n in 4..7 {
        assert_throttled(&client(&app, n).resend(&ada.email).await, 60);
        assert_throttled(&client(&app, n).request_reset(&ada.email).await, 60);
        let twin = Person::new("eve").at(&ada.email);
        assert_throttled(&client(&app, n).register(&twin).await, 60);
    }
    let again = async || client(&app, 7).resend(&ada.email).await;
    assert_eq!(assert_lifted_after(&app, 60, again).await.status, 200);
    assert_eq!(app.mails_to(&ada.email).await, 3);
    app.finish().await;
}

#[tokio::test]
async fn the_window_slides_with_what_was_granted() {
    let app = limited().await;
    let nobody = "nobody@example.com";
    for n in 1..4 {
        assert_eq!(client(&app, n).resend(nobody).await.status, 200);
        app.advance(10).await;
    }

    assert_throttled(&client(&app, 4).resend(nobody).await, 30);
    app.advance(30).await;
    assert_eq!(client(&app, 5).resend(nobody).await.status, 200);
    assert_throttled(&client(&app, 6).resend(nobody).await, 10);
    app.finish().await;
}

/// The last two are for clients that have caused none.
#[tokio::test]
async fn a_mailbox_gets_ten_codes_an_hour_whoever_asks() {
    let app = TestApp::with()
        .limit("code_mails_per_minute", 100)
        .limit("code_requests_per_minute", 100)
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .behind_a_proxy()
        .start()
        .await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;
    for (n, spelling) in (1..).zip([
        "ADA@example.com",
        "ada+x@example.com",
        "\"ada\"@example.com",
    ]) {
        let twin = Person::new(&format!("eve{n}")).at(spelling);
        client(&app, n).registered(&twin).await;
        assert_eq!(client(&app, n).request_reset(spelling).await.status, 200);
    }
    assert_eq!(client(&app, 1).resend(&ada.email).await.status, 200);

    for n in 1..4 {
        assert_throttled(&client(&app, n).resend(&ada.email).await, 3600);
    }
    let newcomers = [
        client(&app, 4).request_code_login(&ada.email).await,
        client(&app, 5).resend("\"ada+y\"@example.com").await,
    ];
    assert_eq!(newcomers.map(|answer| answer.status), [200, 200]);
    let late = async || client(&app, 6).resend(&ada.email).await;
    assert_throttled(&late().await, 3600);
    let twin = Person::new("eve9").at("ada+z@example.com");
    assert_throttled(&client(&app, 7).register(&twin).await, 3600);
    assert_throttled(&client(&app, 8).request_reset(&ada.email).await, 3600);
    assert_eq!(assert_lifted_after(&app, 3600, late).await.status, 200);
    app.finish().await;
}

/// One client can't use up what an address is mailed: whoever reads the mailbox still asks from elsewhere.
#[tokio::test]
async fn one_client_causes_at_most_half_of_a_mailboxs_hourly_mails() {
    let app = TestApp::with()
        .limit("code_mails_per_minute", 100)
        .limit("code_requests_per_minute", 100)
        .behind_a_proxy()
        .start()
        .await;
    let ada = "ada@example.com";
    for _ in 0..5 {
        assert_eq!(client(&app, 1).request_reset(ada).await.status, 200);
    }

    assert_throttled(&client(&app, 1).request_reset(ada).await, 3600);
    assert_throttled(&client(&app, 1).resend(ada).await, 3600);
    assert_eq!(client(&app, 1).resend("bob@example.com").await.status, 200);
    for _ in 0..3 {
        assert_eq!(client(&app, 2).request_reset(ada).await.status, 200);
    }
    assert_throttled(&client(&app, 2).request_reset(ada).await, 3600);
    for newcomer in [3, 4] {
        assert_eq!(client(&app, newcomer).request_reset(ada).await.status, 200);
        assert_throttled(&client(&app, newcomer).request_reset(ada).await, 3600);
    }
    let late = async || client(&app, 5).request_reset(ada).await;
    assert_eq!(assert_lifted_after(&app, 3600, late).await.status, 200);
    app.finish().await;
}

/// Where the hour is a single mail, any client may cause it.
#[tokio::test]
async fn an_hour_of_one_mail_is_anybodys() {
    let app = TestApp::with()
        .limit("code_mails_per_hour", 1)
        .behind_a_proxy()
        .start()
        .await;

    let first = client(&app, 1).request_reset("ada@example.com").await;
    let second = client(&app, 2).request_reset("ada@example.com").await;

    assert_eq!(first.status, 200);
    assert_throttled(&second, 3600);
    app.finish().await;
}

/// Three a minute for one client, shared by the routes that ask for a code, whomever it is for.
#[tokio::test]
async fn one_client_asks_for_three_codes_a_minute_over_all_routes() {
    let app = TestApp::with()
        .limited()
        .behind_a_proxy()
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .start()
        .await;
    let one = client(&app, 1);
    assert_eq!(one.resend("a@example.com").await.status, 200);
    assert_eq!(one.request_reset("b@example.com").await.status, 200);
    assert_eq!(one.request_code_login("c@example.com").await.status, 200);

    assert_throttled(&one.resend("d@example.com").await, 60);
    assert_throttled(&one.request_reset("e@example.com").await, 60);
    assert_throttled(&one.request_code_login("f@example.com").await, 60);
    assert_eq!(client(&app, 2).resend("d@example.com").await.status, 200);
    one.registered(&Person::new("ada")).await;
    let fourth = async || one.resend("g@example.com").await;
    assert_eq!(assert_lifted_after(&app, 60, fourth).await.status, 200);
    app.finish().await;
}

/// Who is logged in is counted as a user, wherever from: a neighbour's requests cost them nothing.
#[tokio::test]
async fn one_user_asks_for_three_codes_a_minute_and_is_not_counted_as_a_client() {
    let app = TestApp::with().many_mails().start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;
    for n in 0..3 {
        let email = format!("neighbour{n}@example.com");
        assert_eq!(app.client.resend(&email).await.status, 200);
    }
    assert_throttled(&app.client.resend("neighbour3@example.com").await, 60);

    assert_eq!(session.request_deletion().await.status, 200);
    assert_eq!(session.request_deletion().await.status, 200);
    let moved = session
        .request_email("next@example.com", &ada.password)
        .await;
    assert_eq!(moved.status, 200);
    let fourth = session
        .request_email("third@example.com", &ada.password)
        .await;
    assert_throttled(&fourth, 60);
    let again = async || session.request_deletion().await;
    assert_eq!(assert_lifted_after(&app, 60, again).await.status, 200);
    app.finish().await;
}

/// Case, white space, `+tag`, and at Gmail dots: one mailbox, one budget.
#[tokio::test]
async fn spellings_of_one_mailbox_share_its_budget() {
    let app = limited().await;
    for (n, spelling) in [
        " Ada.Lovelace@GMAIL.com ",
        "adalovelace+x@gmail.com",
        "a.dalovelace@googlemail.com",
    ]
    .iter()
    .enumerate()
    {
        let one = client(&app, u8::try_from(n).unwrap());
        assert_eq!(one.request_reset(spelling).await.status, 200, "{spelling}");
    }

    for spelling in [
        "adalovelace@gmail.com",
        "ADALOVELACE+1+2@googlemail.com",
        "ada.love.lace@gmail.com",
    ] {
        assert_throttled(&client(&app, 9).request_reset(spelling).await, 60);
    }
    for other in ["adalovelace@example.com", "adalovelac@gmail.com"] {
        assert_eq!(
            client(&app, 9).request_reset(other).await.status,
            200,
            "{other}"
        );
    }
    app.finish().await;
}

/// RFC 5321, section 4.1.2: quotes change nothing. IDNA: nor does the width of a domain's letters.
#[tokio::test]
async fn a_quoted_spelling_shares_the_budget_of_its_mailbox() {
    let app = limited().await;
    for (n, spelling) in [
        "ada@example.com",
        "\"ada\"@example.com",
        "\"ADA+x\"@Example.com",
    ]
    .iter()
    .enumerate()
    {
        let one = client(&app, u8::try_from(n).unwrap());
        assert_eq!(one.request_reset(spelling).await.status, 200, "{spelling}");
    }

    for spelling in [
        "ada@example.com",
        "\"ada+y\"@example.com",
        "ada@ｅxample。com",
    ] {
        assert_throttled(&client(&app, 9).request_reset(spelling).await, 60);
        let twin = Person::new("eve").at(spelling);
        assert_throttled(&client(&app, 9).register(&twin).await, 60);
    }
    app.finish().await;
}

/// Elsewhere a dot is a letter like any other.
#[tokio::test]
async fn dots_fold_at_gmail_alone() {
    let app = limited().await;
    for n in 1..4 {
        client(&app, n).resend("ada.b@example.com").await;
    }

    assert_throttled(&client(&app, 4).resend("ada.b+tag@example.com").await, 60);
    assert_eq!(client(&app, 4).resend("adab@example.com").await.status, 200);
    app.finish().await;
}

/// Budgets count what was accepted, alike for unknown, unverified and verified addresses.
#[tokio::test]
async fn unknown_unverified_and_verified_addresses_are_counted_alike() {
    let app = limited().await;
    app.verified(&Person::new("known1")).await;
    app.registered(&Person::new("waits2"), 1).await;
    app.advance(3600).await;

    let mut seen: Vec<Vec<(u16, String, String)>> = Vec::new();
    for (n, name) in (1..).zip(["known1", "waits2", "fresh3"]) {
        let (email, one) = (format!("{name}@example.com"), client(&app, n));
        let mut answers: Vec<Answer> = Vec::new();
        for _ in 0..3 {
            answers.push(one.request_reset(&email).await);
            answers.push(one.resend(&email).await);
        }
        let other = client(&app, n + 100);
        answers.push(other.resend(&email).await);
        answers.push(
            other
                .register(&Person::new(&format!("{name}x")).at(&email))
                .await,
        );
        seen.push(
            answers
                .iter()
                .map(|answer| {
                    let wait = answer.header("retry-after").to_owned();
                    (answer.status, answer.shown(), wait)
                })
                .collect(),
        );
    }

    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    let statuses: Vec<_> = seen[0].iter().map(|answer| answer.0).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429, 429, 429, 429]);
    app.finish().await;
}

/// OWASP ASVS 5.0 4.1.3: nobody becomes another client by a header.
#[tokio::test]
async fn forwarded_addresses_count_only_behind_a_trusted_proxy() {
    let app = TestApp::with().limited().start().await;
    for n in 1..4 {
        let email = format!("nobody{n}@example.com");
        assert_eq!(client(&app, n).resend(&email).await.status, 200);
    }

    assert_throttled(&client(&app, 4).resend("nobody4@example.com").await, 60);
    app.finish().await;
}

/// OWASP ASVS 5.0 4.1.3: of what stands in the header, only what the trusted proxy has added counts.
#[tokio::test]
async fn behind_a_proxy_a_client_can_not_make_its_address_up() {
    let app = limited().await;
    for n in 1..4 {
        let made_up = app.client.from(&format!("192.0.2.{n}, 203.0.113.9"));
        let email = format!("nobody{n}@example.com");
        assert_eq!(made_up.resend(&email).await.status, 200);
    }

    let made_up = app.client.from("192.0.2.4, 203.0.113.9");
    assert_throttled(&made_up.resend("nobody4@example.com").await, 60);
    let other = app.client.from("203.0.113.9, 192.0.2.4");
    assert_eq!(other.resend("nobody4@example.com").await.status, 200);
    app.finish().await;
}

/// One subscriber commonly owns a /64 of IPv6 (RFC 6177), and is one client with all of it.
#[tokio::test]
async fn a_network_of_ipv6_is_one_client() {
    let app = limited().await;
    for n in 1..4 {
        let one = app.client.from(&format!("2001:db8:1:2::{n}"));
        let email = format!("nobody{n}@example.com");
        assert_eq!(one.resend(&email).await.status, 200);
    }

    let neighbour = app.client.from("2001:db8:1:2:ffff::1");
    assert_throttled(&neighbour.resend("nobody4@example.com").await, 60);
    let other = app.client.from("2001:db8:1:3::1");
    assert_eq!(other.resend("nobody4@example.com").await.status, 200);
    app.finish().await;
}
