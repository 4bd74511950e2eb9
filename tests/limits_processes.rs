//! Limits are rows: they survive a restart, and every process counts in the same ones (OWASP ASVS 5.0 6.3.1, 6.6.3).

use futures_util::future::join_all;

use crate::support::{Answer, Api, PASSWORD, Person, Processes, wrong};

fn count(answers: &[Answer], status: u16) -> usize {
    answers
        .iter()
        .filter(|answer| answer.status == status)
        .count()
}

/// Two processes behind a proxy, with the hour's budgets alone: no minute passes under a slow test.
async fn two_apis() -> Processes {
    Processes::with()
        .limited()
        .set("SMART_NOTES__LIMITS__CODE_MAILS_PER_MINUTE", "1000")
        .set("SMART_NOTES__LIMITS__CODE_REQUESTS_PER_MINUTE", "1000")
        .set("SMART_NOTES__HTTP__TRUSTED_PROXIES", "127.0.0.1/32")
        .apis(2)
        .start()
        .await
}

/// Two processes without limits, and a user.
async fn two_apis_with_a_user() -> (Processes, Person) {
    let app = Processes::with()
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .apis(2)
        .start()
        .await;
    let ada = Person::new("ada");
    app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    assert_eq!(app.client().verify(&ada, &code).await.status, 200);
    (app, ada)
}

#[tokio::test]
async fn two_processes_share_every_budget() {
    let app = two_apis().await;
    let requests = (0..30).map(|n| {
        let from = format!("198.51.100.{n}");
        let client = app.apis[n % 2].client.from(&from);
        async move { client.request_reset("ada@example.com").await }
    });

    let answers = join_all(requests).await;

    assert_eq!((count(&answers, 200), count(&answers, 429)), (10, 20));
    for throttled in answers.iter().filter(|answer| answer.status == 429) {
        let seconds: u64 = throttled.header("retry-after").parse().unwrap();
        assert!((1..=3600).contains(&seconds), "{seconds}");
    }
    app.finish().await;
}

#[tokio::test]
async fn what_was_counted_survives_a_kill_of_the_api() {
    let mut app = two_apis().await;
    for n in 0..10 {
        let client = app.client().from(&format!("198.51.100.{n}"));
        assert_eq!(client.request_reset("ada@example.com").await.status, 200);
    }
    for _ in 0..5 {
        app.client().login("ada", "a wrong password").await;
    }

    for api in &mut app.apis {
        api.process.kill().await;
    }
    app.apis = vec![Api::start(app.place(), "again").await];

    let client = app.client().from("198.51.100.9");
    assert_eq!(client.request_reset("ADA@example.com").await.status, 429);
    let mut rows = app.rows().await;
    let failures = "select count(*) from limit_hits where key like 'login-pair:%'";
    assert_eq!(rows.number(failures).await, 5);
    rows.close().await;
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: at most the allowed number is compared, over both processes.
#[tokio::test]
async fn of_two_hundred_wrong_codes_at_two_processes_five_are_compared() {
    let app = Processes::with().apis(2).start().await;
    let ada = Person::new("ada");
    let challenge = app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    let wrong = wrong(&code);

    let answers = join_all((0..200).map(|n| app.apis[n % 2].client.verify(&ada, &wrong))).await;

    assert_eq!(count(&answers, 400), 200);
    let mut rows = app.rows().await;
    assert_eq!(rows.number("select tries from open_tries").await, 5);
    rows.close().await;
    assert_eq!(app.client().verify(&ada, &code).await.status, 400);
    let holder = app.client().verify_with(&ada, &code, &challenge).await;
    assert_eq!(holder.status, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.1, over both processes.
#[tokio::test]
async fn of_twenty_resets_at_two_processes_one_succeeds() {
    let (app, ada) = two_apis_with_a_user().await;
    app.client().request_reset(&ada.email).await;
    let code = app.code(&ada, 2).await;

    let passwords: Vec<_> = (0..20).map(|n| format!("{PASSWORD} number {n}")).collect();
    let resets = passwords.iter().enumerate().map(|(n, password)| {
        let client = &app.apis[n % 2].client;
        client.reset(&ada.email, &code, password)
    });
    let answers = join_all(resets).await;

    assert_eq!((count(&answers, 200), count(&answers, 400)), (1, 19));
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.1, over both processes, for every other purpose.
#[tokio::test]
async fn of_twenty_right_codes_of_each_purpose_at_two_processes_one_succeeds() {
    let (app, ada) = two_apis_with_a_user().await;
    let token = app.client().token(&ada).await;
    let clients = || (0..20).map(|n| app.apis[n % 2].client.bearing(&token));

    app.client().request_code_login(&ada.email).await;
    let code = &app.code(&ada, 2).await;
    let logins = (0..20).map(|n| app.apis[n % 2].client.login_by_code(&ada.email, code));
    let logins = join_all(logins).await;
    assert_eq!((count(&logins, 200), count(&logins, 400)), (1, 19));

    let next = ada.clone().at("next@example.com");
    let session = app.client().bearing(&token);
    session.request_email(&next.email, &ada.password).await;
    let code = &app.code(&next, 1).await;
    let moves = clients().map(|client| async move { client.confirm_email(code).await });
    let moves = join_all(moves).await;
    assert_eq!((count(&moves, 200), count(&moves, 400)), (1, 19));

    session.request_deletion().await;
    let code = &app.code(&next, 2).await;
    let deletions = clients().map(|client| async move { client.delete_account(code).await });
    let deletions = join_all(deletions).await;
    assert_eq!(count(&deletions, 204), 1);
    // Whoever comes when the account is gone has no session either.
    assert_eq!(count(&deletions, 400) + count(&deletions, 401), 19);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: the codes of a user are counted like those of a registration.
#[tokio::test]
async fn of_two_hundred_wrong_codes_of_a_user_at_two_processes_five_are_compared() {
    let (app, ada) = two_apis_with_a_user().await;
    app.client().request_code_login(&ada.email).await;
    let code = app.code(&ada, 2).await;
    let guess = wrong(&code);

    let tries = (0..200).map(|n| app.apis[n % 2].client.login_by_code(&ada.email, &guess));
    let answers = join_all(tries).await;

    assert_eq!(count(&answers, 400), 200);
    let mut rows = app.rows().await;
    let tries = "select tries from open_tries where purpose = 'log_in'";
    assert_eq!(rows.number(tries).await, 5);
    let compared = "select length from guess_runs";
    assert_eq!(rows.number(compared).await, 5);
    rows.close().await;
    let right = app.client().login_by_code(&ada.email, &code).await;
    assert_eq!(right.status, 400);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3, NIST SP 800-63B-4 §3.2.2: a restart gives no try back, with a challenge or without.
#[tokio::test]
async fn the_tries_of_a_code_survive_a_kill_of_the_api() {
    let mut app = Processes::start().await;
    let ada = Person::new("ada");
    let challenge = app.client().registered(&ada).await;
    let code = app.code(&ada, 1).await;
    let guess = wrong(&code);
    for _ in 0..4 {
        app.client().verify(&ada, &guess).await;
        app.client().verify_with(&ada, &guess, &challenge).await;
    }

    app.apis[0].process.kill().await;
    app.apis = vec![Api::start(app.place(), "again").await];
    app.client().verify(&ada, &guess).await;
    app.client().verify_with(&ada, &guess, &challenge).await;

    let bare = app.client().verify(&ada, &code).await;
    let held = app.client().verify_with(&ada, &code, &challenge).await;
    assert_eq!((bare.status, held.status), (400, 400));
    app.finish().await;
}
