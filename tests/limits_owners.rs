//! Limits against each other: what strangers use up keeps no owner from their account (OWASP ASVS 5.0 6.1.1), and the
//! mails to a mailbox stay bounded all the same.

use crate::support::{Client, Person, TestApp, assert_throttled, wrong};

const NEW: &str = "an entirely different staple";

/// The addresses of one machine with IPv4 and IPv6: two clients.
const STRANGERS: [&str; 2] = ["203.0.113.9", "2001:db8:bad::7"];

/// Limits as they are by default, but for those of a minute.
async fn system() -> TestApp {
    TestApp::with()
        .limit("code_mails_per_minute", 1000)
        .limit("code_requests_per_minute", 1000)
        .behind_a_proxy()
        .start()
        .await
}

fn home(app: &TestApp) -> Client {
    app.client.from("198.51.100.1")
}

/// Somebody with a session at home.
async fn at_home(app: &TestApp, person: &Person) -> Client {
    app.verified(person).await;
    home(app).logged_in(person).await
}

/// Uses up everything that strangers may have mailed to an address in an hour.
async fn use_up(app: &TestApp, email: &str) {
    for stranger in STRANGERS {
        let client = app.client.from(stranger);
        while client.request_reset(email).await.status == 200 {}
    }
    // Mails overtake each other: the newest is the one that is asked for last only once these are delivered.
    app.settled().await;
}

#[tokio::test]
async fn a_known_client_gets_its_reset_after_strangers_used_the_mailboxs_hour_up() {
    let app = system().await;
    let ada = Person::new("ada");
    at_home(&app, &ada).await;
    use_up(&app, &ada.email).await;

    let owner = home(&app);
    let challenge = owner.reset_challenge(&ada.email).await;
    let code = app.newest_code(&ada.email).await;
    let reset = owner.reset_with(&ada.email, &code, NEW, &challenge);

    assert_eq!(reset.await.status, 200);
    app.finish().await;
}

/// So does one that it does not know, once, as for an address without an account; the two of an hour are all there are.
#[tokio::test]
async fn a_new_client_gets_one_code_after_strangers_used_the_mailboxs_hour_up() {
    let app = system().await;
    let ada = Person::new("ada");
    at_home(&app, &ada).await;
    let (phone, other, late) = (
        app.client.from("198.51.100.77"),
        app.client.from("198.51.100.78"),
        app.client.from("198.51.100.79"),
    );

    let mut statuses = Vec::new();
    for email in [&ada.email, "nobody@example.com"] {
        use_up(&app, email).await;
        let mut seen = Vec::new();
        for client in [&phone, &phone, &other, &late] {
            seen.push(client.request_reset(email).await.status);
        }
        statuses.push(seen);
    }

    assert_eq!(statuses, [[200, 429, 200, 429]; 2]);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8: behind the address of a network that the owner has logged in from, a neighbour is that known
/// client, and learns nothing by how many codes it gets.
#[tokio::test]
async fn one_client_gets_as_many_codes_for_an_account_that_knows_it_as_for_none() {
    for per_minute in [1000, 3] {
        let app = TestApp::with()
            .limit("code_mails_per_minute", per_minute)
            .limit("code_requests_per_minute", 1000)
            .behind_a_proxy()
            .start()
            .await;
        let ada = Person::new("ada");
        at_home(&app, &ada).await;
        app.advance(3600).await;

        let mut answers = Vec::new();
        for email in [&ada.email, "nobody@example.com"] {
            let mut seen = Vec::new();
            for _ in 0..8 {
                let answer = home(&app).request_reset(email).await;
                let told = match answer.status {
                    429 => ["ratelimit-policy", "ratelimit", "retry-after"]
                        .map(|header| answer.header(header).to_owned()),
                    _ => Default::default(),
                };
                seen.push((answer.status, told));
            }
            answers.push(seen);
        }

        assert_eq!(answers[0], answers[1], "{per_minute} a minute");
        assert_eq!(answers[0].last().unwrap().0, 429);
        app.finish().await;
    }
}

/// The share of known clients is bounded as well, and theirs is no other account's.
#[tokio::test]
async fn a_known_client_has_half_as_much_as_the_mailbox_and_at_its_own_account() {
    let app = system().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    at_home(&app, &ada).await;
    app.verified(&bob).await;
    for person in [&ada, &bob] {
        use_up(&app, &person.email).await;
    }

    assert_eq!(home(&app).request_reset(&bob.email).await.status, 200);
    assert_throttled(&home(&app).request_reset(&bob.email).await, 3600);
    for _ in 0..5 {
        let answer = home(&app).request_reset(&ada.email).await;
        assert_eq!(answer.status, 200);
    }
    assert_throttled(&home(&app).request_reset(&ada.email).await, 3600);
    // A code to register and seven more of the eight of strangers, and five of the known client.
    assert_eq!(app.mails_to(&ada.email).await, 1 + 7 + 5);
    app.finish().await;
}

/// Who is logged in is charged as a user: nothing of strangers refuses a deletion, neither mails nor wrong codes.
#[tokio::test]
async fn a_user_deletes_the_account_whatever_strangers_and_neighbours_do() {
    let app = TestApp::with()
        .limit("code_mails_per_minute", 1000)
        .limit("code_requests_per_minute", 1000)
        .limit("wrong_codes_per_hour", 5)
        .behind_a_proxy()
        .start()
        .await;
    let ada = Person::new("ada");
    let session = at_home(&app, &ada).await;
    use_up(&app, &ada.email).await;
    for _ in 0..5 {
        home(&app).verify(&Person::new("nobody"), "123456").await;
    }
    let neighbour = home(&app).verify(&Person::new("nobody"), "123456").await;
    assert_eq!(neighbour.status, 429);

    assert_eq!(session.request_deletion().await.status, 200);
    let code = app.newest_code(&ada.email).await;
    assert_eq!(session.delete_account(&wrong(&code)).await.status, 400);
    assert_eq!(session.delete_account(&code).await.status, 204);
    app.finish().await;
}

/// Nor do refused logins, of strangers elsewhere or of neighbours behind the user's own address, refuse a new password.
#[tokio::test]
async fn a_user_changes_the_password_whatever_logins_of_others_were_refused() {
    let app = TestApp::with()
        .limit("refused_logins_per_account_and_hour", 8)
        .limit("refused_logins_per_client_and_hour", 4)
        .behind_a_proxy()
        .start()
        .await;
    let ada = Person::new("ada");
    let session = at_home(&app, &ada).await;
    let moved = session.from("198.51.100.77");
    for n in 0..4 {
        let stranger = app.client.from(&format!("203.0.113.{n}"));
        let refused = stranger.login(&ada.email, "a wrong password").await;
        assert_eq!(refused.status, 400);
        let neighbour = moved.login(&format!("nobody{n}"), "a wrong password").await;
        assert_eq!(neighbour.status, 400);
    }
    assert_eq!(moved.login(&ada.email, &ada.password).await.status, 429);

    let changed = moved.change_password(&ada.password, NEW).await;

    assert_eq!(changed.status, 200);
    app.finish().await;
}

/// What a user asks for is bounded, too: by the user's own budget.
#[tokio::test]
async fn a_user_has_ten_codes_an_hour_wherever_from() {
    let app = system().await;
    let session = at_home(&app, &Person::new("ada")).await;
    for n in 0..10 {
        let elsewhere = session.from(&format!("198.51.100.{n}"));
        assert_eq!(elsewhere.request_deletion().await.status, 200);
    }

    assert_throttled(&session.request_deletion().await, 3600);
    app.finish().await;
}

/// A code for another address is a mail to that mailbox, and counts among those.
#[tokio::test]
async fn mails_of_a_change_of_address_count_for_the_target_as_well() {
    let app = system().await;
    let (ada, target) = (Person::new("ada"), "target@example.com");
    let session = at_home(&app, &ada).await;
    for _ in 0..5 {
        let asked = session.request_email(target, &ada.password).await;
        assert_eq!(asked.status, 200);
    }

    assert_throttled(&session.request_email(target, &ada.password).await, 3600);
    let stranger = app.client.from(STRANGERS[0]);
    for _ in 0..3 {
        assert_eq!(stranger.request_reset(target).await.status, 200);
    }
    assert_throttled(&stranger.request_reset(target).await, 3600);
    app.finish().await;
}

/// Accounts cost nothing: with many of them and many addresses a stranger causes no more mails than without.
#[tokio::test]
async fn many_accounts_cause_no_more_mails_to_one_mailbox() {
    let app = system().await;
    let target = "target@example.com";
    let mut caused = 0;
    for n in 0..14 {
        let person = Person::new(&format!("eve{n}"));
        app.verified(&person).await;
        let session = app
            .client
            .from(&format!("203.0.113.{n}"))
            .logged_in(&person)
            .await;
        for _ in 0..2 {
            let asked = session.request_email(target, &person.password).await;
            caused += usize::from(asked.status == 200);
        }
    }

    assert_eq!(caused, 10);
    assert_eq!(app.mails_to(target).await, 10);
    app.finish().await;
}

/// A resend with its challenge is one of the last mails as well, and for a client that has caused no other.
#[tokio::test]
async fn strangers_with_attempts_of_their_own_leave_the_last_mails_to_others() {
    let app = system().await;
    let ada = Person::new("ada");
    let mut challenges = Vec::new();
    for (stranger, attempts) in STRANGERS.into_iter().zip([2, 2]) {
        let client = app.client.from(stranger);
        for n in 0..attempts {
            let twin = Person::new(&format!("eve{}-{n}", challenges.len())).at(&ada.email);
            challenges.push((client.clone(), client.registered(&twin).await));
        }
    }
    use_up(&app, &ada.email).await;
    for (client, challenge) in &challenges {
        assert_throttled(&client.resend_with(&ada.email, challenge).await, 3600);
    }

    let challenge = home(&app).registered(&ada).await;
    let again = home(&app).resend_with(&ada.email, &challenge).await;

    assert_eq!(again.status, 200, "{}", again.shown());
    // That was the tenth.
    let late = app.client.from("198.51.100.9");
    assert_throttled(&late.request_reset(&ada.email).await, 3600);
    app.finish().await;
}

/// What is left of the hour is what strangers had: nothing is gained by asking as a newcomer first.
#[tokio::test]
async fn two_strangers_have_eight_mails_an_hour_in_whichever_order_they_ask() {
    let app = system().await;
    let strangers = STRANGERS.map(|stranger| app.client.from(stranger));
    let mut granted = 0;
    for n in 0..20 {
        let answer = strangers[n % 2].request_reset("ada@example.com").await;
        granted += usize::from(answer.status == 200);
    }

    assert_eq!(granted, 8);
    app.finish().await;
}

/// Nobody's client is known before there is an account: one that has caused no mail registers all the same.
#[tokio::test]
async fn a_first_registration_gets_its_code_after_strangers_used_the_mailboxs_hour_up() {
    let app = system().await;
    let ada = Person::new("ada");
    use_up(&app, &ada.email).await;

    let challenge = home(&app).registered(&ada).await;
    let code = app.newest_code(&ada.email).await;
    assert_throttled(&home(&app).register(&ada).await, 3600);
    let stranger = app.client.from(STRANGERS[0]);
    let twin = Person::new("eve").at(&ada.email);
    assert_throttled(&stranger.register(&twin).await, 3600);

    let verified = home(&app).verify_with(&ada, &code, &challenge).await;
    assert_eq!(verified.status, 200);
    app.finish().await;
}

/// Whoever got in so may ask for the code again, once for each attempt, with its challenge.
#[tokio::test]
async fn a_first_registration_is_mailed_again_after_strangers_used_the_mailboxs_hour_up() {
    let app = system().await;
    let ada = Person::new("ada");
    use_up(&app, &ada.email).await;
    let challenge = home(&app).registered(&ada).await;
    let invented = "0123456789abcdef0123456789abcdef";
    let refused = home(&app).resend_with(&ada.email, invented).await;
    assert_throttled(&refused, 3600);

    let again = home(&app).resend_with(&ada.email, &challenge).await;
    let once_more = home(&app).resend_with(&ada.email, &challenge).await;

    assert_eq!(again.status, 200);
    assert_throttled(&once_more, 3600);
    assert_eq!(app.mails_to(&ada.email).await, 2);
    app.finish().await;
}
