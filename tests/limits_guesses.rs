//! How many wrong guesses at the codes of one address are made before its codes become long ones: 50 in a day, or 100
//! in a row (OWASP ASVS 5.0 6.6.3, NIST SP 800-63B-4 §3.2.2). Counted whether limits are in force or not.

use crate::support::{Client, PASSWORD, Person, TestApp, wrong};

const DAY: u64 = 24 * 3600;

/// Ten tries a code, so that fewer codes do; and logging in by code, which costs no hash.
async fn system() -> TestApp {
    TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .set("SMART_NOTES__OTP__MAX_TRIES", "10")
        .start()
        .await
}

/// The code that a request to log in with one mails now.
async fn login_code(app: &TestApp, person: &Person) -> String {
    let asked = app.client.request_code_login(&person.email).await;
    assert_eq!(asked.status, 200, "{}", asked.shown());
    app.newest_code(&person.email).await
}

/// The long code in that mail, if the six digits are not enough.
async fn long_login_code(app: &TestApp, person: &Person) -> Option<String> {
    login_code(app, person).await;
    app.newest_long_code(&person.email).await
}

/// Guesses so many codes to log in wrong, ten at each, some minutes apart; returns the last code that was mailed.
async fn guess_wrong(app: &TestApp, person: &Person, guesses: usize) -> String {
    let mut code = String::new();
    for n in 0..guesses {
        if n % 10 == 0 {
            app.advance(600).await;
            code = login_code(app, person).await;
        }
        let guess = app.client.login_by_code(&person.email, "guess!").await;
        assert_eq!(guess.status, 400);
    }
    code
}

async fn log_in(app: &TestApp, person: &Person, code: &str) -> u16 {
    app.client.login_by_code(&person.email, code).await.status
}

#[tokio::test]
async fn after_fifty_wrong_guesses_in_a_day_codes_are_long_until_the_day_is_over() {
    let app = system().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let forty_nine = guess_wrong(&app, &ada, 49).await;
    assert_eq!(long_login_code(&app, &ada).await, None);

    // The fiftieth: the code that lives is of no more use, right as it is.
    assert_eq!(log_in(&app, &ada, "guess!").await, 400);
    assert_eq!(log_in(&app, &ada, &forty_nine).await, 400);
    let long = long_login_code(&app, &ada).await.unwrap();
    let digits = app.newest_code(&ada.email).await;
    assert_eq!(digits.len(), 6);
    for code in [&digits, &long[..6]] {
        assert_eq!(log_in(&app, &ada, code).await, 400);
    }
    assert_eq!(log_in(&app, &ada, &long.to_lowercase()).await, 200);

    // A right code does not shorten the day.
    app.advance(DAY - 5000).await;
    assert!(long_login_code(&app, &ada).await.is_some());
    app.advance(5000).await;
    assert_eq!(long_login_code(&app, &ada).await, None);
    app.finish().await;
}

#[tokio::test]
async fn after_a_hundred_wrong_guesses_in_a_row_codes_are_long_until_one_is_right() {
    let app = system().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    for _ in 0..3 {
        guess_wrong(&app, &ada, 30).await;
        app.advance(DAY).await;
    }
    guess_wrong(&app, &ada, 9).await;
    let last_short = login_code(&app, &ada).await;
    assert_eq!(app.newest_long_code(&ada.email).await, None);

    assert_eq!(log_in(&app, &ada, "guess!").await, 400);
    assert_eq!(log_in(&app, &ada, &last_short).await, 400);
    app.advance(30 * DAY).await;
    let long = long_login_code(&app, &ada).await.unwrap();
    assert_eq!(log_in(&app, &ada, &long).await, 200);

    assert_eq!(long_login_code(&app, &ada).await, None);
    app.finish().await;
}

#[tokio::test]
async fn a_right_code_between_them_begins_the_row_anew() {
    let app = system().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    for _ in 0..3 {
        guess_wrong(&app, &ada, 30).await;
        app.advance(DAY).await;
    }
    let code = login_code(&app, &ada).await;
    assert_eq!(log_in(&app, &ada, &code).await, 200);

    guess_wrong(&app, &ada, 30).await;

    assert_eq!(long_login_code(&app, &ada).await, None);
    app.finish().await;
}

/// NIST SP 800-63B-4 §3.2.2 for guesses with a challenge, whose tries are counted apart: fewer a day than a day's limit.
#[tokio::test]
async fn after_a_hundred_wrong_guesses_with_a_challenge_in_a_row_only_the_long_code_counts() {
    let app = TestApp::with()
        .set(
            "SMART_NOTES__ACCOUNTS__REGISTRATION_LAPSE_SECONDS",
            "2592000",
        )
        .set("SMART_NOTES__OTP__MAX_TRIES", "10")
        .start()
        .await;
    let ada = Person::new("ada");
    let challenge = app.client.registered(&ada).await;
    let held = async |code: &str| app.client.verify_with(&ada, code, &challenge).await.status;
    let renewed = async || {
        app.advance(DAY / 2).await;
        app.client.resend_with(&ada.email, &challenge).await;
        app.newest_code(&ada.email).await
    };
    for _ in 0..10 {
        let code = renewed().await;
        for _ in 0..10 {
            assert_eq!(held(&wrong(&code)).await, 400);
        }
    }

    let digits = renewed().await;
    assert_eq!(held(&digits).await, 400);
    let long = app.newest_long_code(&ada.email).await.unwrap();
    assert_eq!(held(&long).await, 200);
    assert_eq!(rows_of_guesses(&app).await, 0);
    app.finish().await;
}

/// Each address and each purpose has a row of its own.
#[tokio::test]
async fn guesses_at_one_address_and_purpose_lengthen_no_other_code() {
    let app = system().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.verified(&ada).await;
    app.verified(&bob).await;
    guess_wrong(&app, &ada, 50).await;

    assert!(long_login_code(&app, &ada).await.is_some());
    assert_eq!(long_login_code(&app, &bob).await, None);
    app.client.request_reset(&ada.email).await;
    assert_eq!(app.newest_long_code(&ada.email).await, None);
    app.finish().await;
}

/// The long code can't be guessed, so that no try is spent on it: nobody is kept from theirs by guesses of others, nor by
/// newer codes that others ask for.
#[tokio::test]
async fn strangers_keep_nobody_from_a_long_code() {
    let app = system().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    guess_wrong(&app, &ada, 50).await;
    let long = long_login_code(&app, &ada).await.unwrap();

    for _ in 0..11 {
        assert_eq!(log_in(&app, &ada, "guess!").await, 400);
    }
    assert_ne!(long_login_code(&app, &ada).await.unwrap(), long);

    assert_eq!(log_in(&app, &ada, &long).await, 200);
    app.finish().await;
}

/// How many rows of guesses are remembered.
async fn rows_of_guesses(app: &TestApp) -> i64 {
    let mut rows = app.rows().await;
    let number = rows.number("select count(*) from guess_runs").await;
    rows.close().await;
    number
}

/// A right code of any purpose ends its row, that of a registration with or without its challenge; a deletion those of
/// all purposes.
#[tokio::test]
async fn a_right_code_of_each_purpose_ends_its_row() {
    let app = system().await;
    for (name, hold) in [("ada", false), ("bob", true)] {
        let person = Person::new(name);
        let (challenge, code) = app.registered(&person, 1).await;
        app.client.verify(&person, &wrong(&code)).await;
        let presented = |code: String| {
            let (client, person, challenge) = (&app.client, &person, &challenge);
            async move {
                if hold {
                    client.verify_with(person, &code, challenge).await.status
                } else {
                    client.verify(person, &code).await.status
                }
            }
        };
        assert_eq!(presented(wrong(&code)).await, 400);
        assert_eq!(rows_of_guesses(&app).await, 1 + i64::from(hold));
        assert_eq!(presented(code).await, 200);
        assert_eq!(rows_of_guesses(&app).await, 0);
    }
    let ada = Person::new("ada").at("next@example.com");
    let session = app.client.logged_in(&Person::new("ada")).await;
    ends_its_row(&app, &session, &ada).await;

    let code = login_code(&app, &ada).await;
    log_in(&app, &ada, &wrong(&code)).await;
    session.request_deletion().await;
    let code = app.newest_code(&ada.email).await;
    session.delete_account(&wrong(&code)).await;
    assert_eq!(rows_of_guesses(&app).await, 2);
    assert_eq!(session.delete_account(&code).await.status, 204);
    assert_eq!(rows_of_guesses(&app).await, 0);
    app.finish().await;
}

/// The same for a change of the address, and for a new password.
async fn ends_its_row(app: &TestApp, session: &Client, next: &Person) {
    session.request_email(&next.email, PASSWORD).await;
    let code = app.newest_code(&next.email).await;
    session.confirm_email(&wrong(&code)).await;
    assert_eq!(rows_of_guesses(app).await, 2, "and at the new address");
    assert_eq!(session.confirm_email(&code).await.status, 200);
    assert_eq!(rows_of_guesses(app).await, 0);
    session.request_reset(&next.email).await;
    let code = app.newest_code(&next.email).await;
    session.reset(&next.email, &wrong(&code), PASSWORD).await;
    assert_eq!(rows_of_guesses(app).await, 1);
    // Right, although the password is too close to the address: the code is what counts.
    let similar = session.reset(&next.email, &code, "next@example").await;
    assert!(similar.json()["new_password"].is_array());
    assert_eq!(rows_of_guesses(app).await, 0);
}
