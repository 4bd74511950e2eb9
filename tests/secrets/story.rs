//! What is done with the running programs: every route, in every way that has a secret in it.

use serde_json::json;

use super::payments;
use super::search::Secrets;
use crate::support::{Person, Processes, long_code, wrong};

/// Uses every route in every way that has a secret in it.
pub async fn full_run(app: &Processes) -> Secrets {
    let client = app.client();
    let mut secrets = Secrets::default();
    let people = ["ada", "bob", "eve"]
        .map(|name| Person::new(name).password(&format!("the password of {name}")));
    let [ada, bob, eve] = &people;

    for person in &people {
        secrets.person(person);
        let challenge = secrets.answer(&client.register(person).await, "challenge");
        let code = app.code(person, 1).await;
        client.verify(person, &wrong(&code)).await;
        client.verify_with(person, &wrong(&code), &challenge).await;
        client.resend_with(&person.email, &challenge).await;
        assert_eq!(app.code(person, 2).await, code);
        secrets.codes.extend([wrong(&code), code]);
    }
    for (person, n) in [(ada, 1), (bob, 3)] {
        let code = &secrets.codes[n];
        assert_eq!(client.verify(person, code).await.status, 200);
        assert_eq!(client.verify(person, code).await.status, 400);
    }
    // `eve` never verifies; her code stays alive.
    assert_eq!(client.login("eve", &eve.password).await.status, 403);
    for login in ["ada", "ADA@example.com", "bob"] {
        let password = if login == "bob" {
            &bob.password
        } else {
            &ada.password
        };
        secrets.answer(&client.login(login, password).await, "token");
    }
    let decoy = Person::new("mal")
        .at("Ada@Example.com")
        .password("the password of mal");
    secrets.person(&decoy);
    let challenge = secrets.answer(&client.register(&decoy).await, "challenge");
    client.verify_with(&decoy, "314159", &challenge).await;
    app.mail(ada, 3).await;
    by_code(app, &mut secrets, bob).await;
    account(app, &mut secrets, ada).await;
    refused(app, &mut secrets).await;
    payments::proofs(app, &mut secrets).await;
    app.settled().await;
    secrets
}

/// Logging in with codes, short and long.
async fn by_code(app: &Processes, secrets: &mut Secrets, bob: &Person) {
    let client = app.client();
    client.request_code_login(&bob.email).await;
    let code = app.code(bob, 3).await;
    let opened = client.login_by_code(&bob.email, &code).await;
    secrets.answer(&opened, "token");
    secrets.codes.push(code);
    client.request_code_login(&bob.email).await;
    let code = app.code(bob, 4).await;
    for _ in 0..50 {
        client.login_by_code(&bob.email, &wrong(&code)).await;
    }
    secrets.codes.extend([wrong(&code), code]);
    client.request_code_login(&bob.email).await;
    let mail = app.mail(bob, 5).await;
    let code = long_code(&mail).expect("a long code");
    let typed = code.to_lowercase();
    let opened = client.login_by_code(&bob.email, &typed).await;
    secrets.answer(&opened, "token");
    secrets.codes.extend(mail.code());
    secrets.others.extend([typed, code]);
}

/// Everything that somebody who is logged in does, and who forgot the password: each code, token and password of it.
async fn account(app: &Processes, secrets: &mut Secrets, ada: &Person) {
    let client = app.client();
    let new = ada.clone().at("ada.next@example.com");
    let passwords = ["the second of ada", "the third of ada"];
    secrets.others.extend(passwords.map(str::to_owned));
    secrets.person(&new);
    let challenge = secrets.answer(&client.request_reset(&ada.email).await, "challenge");
    let code = app.code(ada, 4).await;
    client.reset(&ada.email, &wrong(&code), passwords[0]).await;
    let (email, password) = (&ada.email, passwords[0]);
    let reset = client.reset_with(email, &code, password, &challenge).await;
    assert_eq!(reset.status, 200, "{}", reset.shown());
    secrets.codes.extend([wrong(&code), code]);
    let login = client.login(&ada.email, passwords[0]).await;
    let session = client.bearing(&secrets.answer(&login, "token"));
    session
        .change_password("a wrong password of ada", passwords[0])
        .await;
    session.change_password(passwords[0], passwords[1]).await;
    session.request_email(&new.email, passwords[1]).await;
    let code = app.code(&new, 1).await;
    assert_eq!(session.confirm_email(&code).await.status, 200);
    secrets.codes.push(code);
    assert_eq!(session.get("/api/auth/export/").await.status, 200);
    session.request_deletion().await;
    let code = app.code(&new, 2).await;
    assert_eq!(session.delete_account(&code).await.status, 204);
    secrets.codes.push(code);
}

/// Requests that are refused, each with something in it that must not be written down either.
async fn refused(app: &Processes, secrets: &mut Secrets) {
    let client = app.client();
    let wrong = "a wrong password of ada";
    secrets.others.push(wrong.to_owned());
    client.login("ada@example.com", wrong).await;
    client
        .login("nobody@example.com\nINFO forged=\"true\"", wrong)
        .await;
    secrets.addresses.push("nobody@example.com".to_owned());
    let short = Person::new("zoe").password("sesame!");
    secrets.person(&short);
    client.register(&short).await;
    let mut form = short.password("a long but different one").form();
    form["confirm_password"] = json!("another one");
    client.post("/api/auth/register/", &form).await;
    secrets.others.push("a long but different one".to_owned());
    let token = "0123456789abcdef0123456789abcdef01234567";
    secrets.others.push(token.to_owned());
    client
        .with("Authorization", &format!("Token {token}"))
        .get("/nope?token=secretintheurl")
        .await;
    secrets.others.push("secretintheurl".to_owned());
    client
        .post_raw(
            "/api/auth/login/",
            "application/json",
            format!("{{\"password\":\"{wrong}\""),
        )
        .await;
}
