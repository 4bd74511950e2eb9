//! Behind one network address an owner and a hostile neighbour are one client to the limits. What the neighbour is
//! refused keeps the owner from nothing that proves who asks: a token and the password, a live challenge, a password that
//! was right from there before (OWASP ASVS 5.0 6.1.1).

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Answer, Builder, Client, PASSWORD, Person, Processes, TestApp, assert_throttled, wrong,
};

const WRONG: &str = "a wrong password";
const NEW: &str = "an entirely different staple";
const INVENTED: &str = "0123456789abcdef0123456789abcdef";

/// Codes are mailed without a limit, and one can log in with one.
fn system() -> Builder {
    TestApp::with()
        .many_mails()
        .limit("code_requests_per_minute", 1000)
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .behind_a_proxy()
}

/// The address that owner and neighbour share.
fn shared(app: &TestApp) -> Client {
    app.client.from("198.51.100.1")
}

fn count(answers: &[Answer], status: u16) -> usize {
    let with = answers.iter().filter(|answer| answer.status == status);
    with.count()
}

/// Guesses codes of other addresses until the client is refused.
async fn guess_codes(client: &Client) {
    let nobody = Person::new("nobody");
    while client.verify(&nobody, "123456").await.status == 400 {}
}

async fn login_by_code_with(client: &Client, email: &str, code: &str, challenge: &str) -> Answer {
    let body = json!({"email": email, "otp": code, "challenge": challenge});
    client.post("/api/auth/otp-login-confirm/", &body).await
}

/// Each of the limits of logins is reached there, for name and address.
#[tokio::test]
async fn a_user_gives_the_password_again_whatever_logins_were_refused_there() {
    let app = system()
        .limit("refused_logins_per_client_and_hour", 8)
        .limit("refused_logins_per_account_and_hour", 8)
        .limit("refused_logins_without_pause", 2)
        .start()
        .await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let session = shared(&app).logged_in(&ada).await;
    for login in [&ada.email, &ada.name] {
        for _ in 0..2 {
            assert_eq!(shared(&app).login(login, WRONG).await.status, 400);
        }
        assert_eq!(shared(&app).login(login, WRONG).await.status, 429);
    }
    for n in 0..5 {
        shared(&app).login(&format!("nobody{n}"), WRONG).await;
    }
    assert_eq!(shared(&app).login("nobody9", WRONG).await.status, 429);

    let moved = session.request_email("next@example.com", &ada.password);
    assert_eq!(moved.await.status, 200);
    let changed = session.change_password(&ada.password, NEW).await;

    assert_eq!(changed.status, 200, "{}", changed.shown());
    app.finish().await;
}

/// A challenge bounds its own tries: those that a neighbour made at other codes don't count for it.
#[tokio::test]
async fn a_challenge_with_tries_left_passes_whatever_codes_were_wrong_there() {
    let app = system().limit("wrong_codes_per_hour", 3).start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.verified(&bob).await;
    let owner = shared(&app);
    let registered = owner.registered(&ada).await;
    let code = app.newest_code(&ada.email).await;
    let asked = owner.request_code_login(&bob.email).await;
    let login_code = app.newest_code(&bob.email).await;
    let reset = owner.reset_challenge(&bob.email).await;
    let reset_code = app.newest_code(&bob.email).await;
    guess_codes(&owner).await;

    for refused in [
        owner.verify(&ada, &code).await,
        owner.verify_with(&ada, &code, INVENTED).await,
        owner.login_by_code(&bob.email, &login_code).await,
        login_by_code_with(&owner, &bob.email, &login_code, INVENTED).await,
        owner.reset(&bob.email, &reset_code, NEW).await,
        owner
            .reset_with(&bob.email, &reset_code, NEW, INVENTED)
            .await,
        // Of another address, and for another purpose.
        owner.verify_with(&bob, &code, &registered).await,
        login_by_code_with(&owner, &bob.email, &login_code, &reset).await,
    ] {
        assert_throttled(&refused, 3600);
    }

    let verified = owner.verify_with(&ada, &code, &registered).await;
    assert_eq!(verified.status, 200, "{}", verified.shown());
    let challenge = asked.field("challenge");
    let login = login_by_code_with(&owner, &bob.email, &login_code, &challenge).await;
    assert_eq!(login.status, 200, "{}", login.shown());
    let reset = owner.reset_with(&bob.email, &reset_code, NEW, &reset).await;
    assert_eq!(reset.status, 200, "{}", reset.shown());
    app.finish().await;
}

/// It passes as often as it has tries, for every address and whatever becomes of it meanwhile (OWASP ASVS 5.0 6.3.8).
#[tokio::test]
async fn a_challenge_passes_as_often_as_it_has_tries_for_every_address_alike() {
    let app = system().limit("wrong_codes_per_hour", 3).start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    for owner in [&ada, &bob] {
        app.verified(owner).await;
    }
    let stranger = shared(&app);
    let emails = [&ada.email, &bob.email, "nobody@example.com"];
    let mut held = Vec::new();
    for email in emails {
        let by_code = stranger.request_code_login(email).await.field("challenge");
        app.settled().await;
        held.push([stranger.reset_challenge(email).await, by_code]);
    }
    // Bob sets a new password, which ends what was asked for by others as well.
    let code = app.newest_code(&bob.email).await;
    let reset = app.client.reset(&bob.email, &code, NEW).await;
    assert_eq!(reset.status, 200);
    guess_codes(&stranger).await;

    let mut seen = Vec::new();
    for (email, [reset, by_code]) in emails.into_iter().zip(&held) {
        let mut answers = Vec::new();
        for _ in 0..6 {
            let one = stranger.reset_with(email, "guess!", PASSWORD, reset).await;
            let other = login_by_code_with(&stranger, email, "guess!", by_code).await;
            answers.push((one.shown(), other.shown()));
        }
        seen.push(answers);
    }

    assert_eq!(seen[0], seen[2], "with an account and without");
    assert_eq!(seen[1], seen[2], "with a code that was ended, too");
    assert!(seen[0][4].0.starts_with("400") && seen[0][4].1.starts_with("400"));
    assert!(seen[0][5].0.starts_with("429") && seen[0][5].1.starts_with("429"));
    app.finish().await;
}

/// The same for registrations, of a free address and of a taken one.
#[tokio::test]
async fn the_challenge_of_a_registration_passes_as_often_as_it_has_tries() {
    let app = system().limit("wrong_codes_per_hour", 3).start().await;
    app.verified(&Person::new("ada")).await;
    let stranger = shared(&app);
    let twins = ["ada", "bob"].map(|name| {
        let twin = format!("{name}-twin");
        Person::new(&twin).at(&format!("{name}@example.com"))
    });
    let mut challenges = Vec::new();
    for twin in &twins {
        challenges.push(stranger.registered(twin).await);
    }
    guess_codes(&stranger).await;

    let mut seen = Vec::new();
    for (twin, challenge) in twins.iter().zip(&challenges) {
        let mut statuses = Vec::new();
        for _ in 0..6 {
            let answer = stranger.verify_with(twin, "guess!", challenge).await;
            statuses.push(answer.status);
        }
        seen.push(statuses);
    }

    assert_eq!(seen, [[400, 400, 400, 400, 400, 429]; 2]);
    app.finish().await;
}

/// What a user who is logged in may guess is the user's own, too, for both codes that only such a user presents.
#[tokio::test]
async fn a_user_presents_codes_whatever_codes_were_wrong_there() {
    let app = system().limit("wrong_codes_per_hour", 3).start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let session = shared(&app).logged_in(&ada).await;
    guess_codes(&shared(&app)).await;

    session
        .request_email("next@example.com", &ada.password)
        .await;
    let code = app.newest_code("next@example.com").await;
    assert_eq!(session.confirm_email(&wrong(&code)).await.status, 400);
    assert_eq!(session.confirm_email(&code).await.status, 200);
    session.request_deletion().await;
    let code = app.newest_code("next@example.com").await;
    assert_eq!(session.delete_account(&code).await.status, 204);
    app.finish().await;
}

/// Wrong passwords at other accounts say nothing of this one.
#[tokio::test]
async fn an_owner_logs_in_whatever_logins_at_other_accounts_were_refused_there() {
    let app = TestApp::with()
        .limit("refused_logins_per_client_and_hour", 4)
        .behind_a_proxy()
        .start()
        .await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.verified(&ada).await;
    app.verified(&bob).await;
    shared(&app).token(&ada).await;
    for n in 0..4 {
        let neighbours = shared(&app).login(&format!("nobody{n}"), WRONG).await;
        assert_eq!(neighbours.status, 400);
    }

    assert_throttled(&shared(&app).login("nobody5", WRONG).await, 3600);
    assert_throttled(&shared(&app).login("bob", &bob.password).await, 3600);
    for login in [&ada.name, &ada.email] {
        let answer = shared(&app).login(login, &ada.password).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
    }
    app.finish().await;
}

/// Pauses grow with a burst, and get shorter when it is over.
#[tokio::test]
async fn one_wrong_login_a_minute_keeps_no_owner_in_a_long_pause() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    for pause in [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32] {
        app.advance(pause).await;
        assert_eq!(app.client.login("ada", WRONG).await.status, 400);
    }
    assert_throttled(&app.client.login("ada", &ada.password).await, 60);

    for _ in 0..6 {
        app.advance(60).await;
        assert_eq!(app.client.login("ada", WRONG).await.status, 400);
    }

    assert_throttled(&app.client.login("ada", &ada.password).await, 1);
    app.advance(1).await;
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    app.finish().await;
}

/// Who has the mailbox gets in, wherever from, although all limits of logins are reached.
#[tokio::test]
async fn after_a_reset_its_client_logs_in_whatever_was_refused_there() {
    let app = system()
        .limit("refused_logins_per_client_and_hour", 12)
        .limit("refused_logins_per_account_and_hour", 8)
        .limit("refused_logins_without_pause", 2)
        .limit("wrong_codes_per_hour", 3)
        .start()
        .await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let owner = shared(&app);
    let challenge = owner.reset_challenge(&ada.email).await;
    for login in [&ada.email, &ada.name] {
        for n in 0..4 {
            let from = app.client.from(&format!("203.0.113.{n}"));
            let neighbour = if n < 2 { &owner } else { &from };
            assert_eq!(neighbour.login(login, WRONG).await.status, 400);
        }
    }
    for n in 0..8 {
        owner.login(&format!("nobody{n}"), WRONG).await;
    }
    guess_codes(&owner).await;

    let code = app.newest_code(&ada.email).await;
    let reset = owner.reset_with(&ada.email, &code, NEW, &challenge).await;
    assert_eq!(reset.status, 200, "{}", reset.shown());

    for login in [&ada.email, &ada.name] {
        let answer = owner.login(login, NEW).await;
        assert_eq!(answer.status, 200, "{}", answer.shown());
    }
    app.finish().await;
}

/// A login is counted before its password is checked, and right ones are not refused for what is taken back.
#[tokio::test]
async fn right_passwords_given_at_once_all_log_in() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    let logins = join_all((0..12).map(|_| app.client.login("ada", &ada.password))).await;
    assert_eq!(count(&logins, 200), 12, "{}", logins[0].shown());

    // Nor for some that were wrong before.
    for _ in 0..4 {
        app.client.login("ada", WRONG).await;
    }
    let logins = join_all((0..8).map(|_| app.client.login("ada", &ada.password))).await;
    assert_eq!(count(&logins, 200), 8, "{}", logins[0].shown());
    app.finish().await;
}

#[tokio::test]
async fn right_passwords_given_at_two_processes_at_once_all_log_in() {
    let app = Processes::with().limited().apis(2).start().await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    app.client().verify(&ada, &code).await;

    let logins = (0..12).map(|n| app.apis[n % 2].client.login("ada", &ada.password));
    let logins = join_all(logins).await;

    assert_eq!(count(&logins, 200), 12, "{}", logins[0].shown());
    app.finish().await;
}

/// The same for a password that is given again.
#[tokio::test]
async fn right_passwords_given_again_at_once_are_all_taken() {
    let app = system().start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;

    let requests = (0..8).map(|n| {
        let (session, next) = (&session, format!("next{n}@example.com"));
        async move { session.request_email(&next, PASSWORD).await }
    });
    let answers = join_all(requests).await;

    assert_eq!(count(&answers, 200), 8, "{}", answers[0].shown());
    app.finish().await;
}

/// Waiting gains nothing for wrong ones: as many are checked as without.
#[tokio::test]
async fn of_twelve_wrong_passwords_at_once_five_are_checked() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    let logins = join_all((0..12).map(|_| app.client.login("ada", WRONG))).await;

    assert_eq!((count(&logins, 400), count(&logins, 429)), (5, 7));
    assert_throttled(&app.client.login("ada", &ada.password).await, 1);
    app.finish().await;
}

/// Strangers with many addresses are stopped for an account, however it is typed, and for none after as many; what is
/// refused by name does not tell the address (OWASP ASVS 5.0 6.3.1, 6.3.8).
#[tokio::test]
async fn name_and_address_of_an_account_are_refused_no_more_than_it_may_be() {
    let app = TestApp::with()
        .limit("refused_logins_per_account_and_hour", 10)
        .behind_a_proxy()
        .start()
        .await;
    app.verified(&Person::new("ada")).await;
    let mut clients = (0..200).map(|n| app.client.from(&format!("203.0.113.{n}")));

    let mut refused = Vec::new();
    for login in ["ada", "ada@example.com", "eve", "eve@example.com"] {
        let mut checked = 0;
        while clients.next().unwrap().login(login, WRONG).await.status == 400 {
            checked += 1;
        }
        refused.push(checked);
    }

    assert_eq!(refused, [5, 5, 5, 5]);
    app.finish().await;
}
