//! `POST /api/auth/login/`: by name or address, and nothing told to whoever does not know the password.

use futures_util::future::join_all;
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp};

#[tokio::test]
async fn a_login_is_answered_with_a_token_of_forty_hex_digits() {
    let app = TestApp::start().await;
    let ada = Person::new("ada").at("Ada@example.com");
    app.verified(&ada).await;

    let answer = app.client.login("ada", &ada.password).await;

    assert_snapshot!(answer.shown(), @r#"200 {"token":"…","user_id":1,"email":"Ada@example.com"}"#);
    let token = answer.field("token");
    assert!(
        token.len() == 40
            && token
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    app.finish().await;
}

#[tokio::test]
async fn name_and_address_log_in_whatever_their_case() {
    let app = TestApp::start().await;
    let ada = Person::new("Ada");
    app.verified(&ada).await;

    for login in [
        "Ada",
        "ada",
        "ADA",
        "ａｄａ",
        " ada ",
        "Ada@example.com",
        "ada@EXAMPLE.com",
        " ADA@example.com ",
    ] {
        let answer = app.client.login(login, &ada.password).await;
        assert_eq!(answer.status, 200, "{login}");
    }
    app.finish().await;
}

/// Such names could be registered before, but never log in.
#[tokio::test]
async fn a_name_with_an_at_sign_logs_in() {
    let app = TestApp::start().await;
    let ada = Person::new("ada@home").at("ada@example.com");
    app.verified(&ada).await;

    assert_eq!(
        app.client.login("ada@home", &ada.password).await.status,
        200
    );
    app.finish().await;
}

/// Such names were given before, and stay. Who has one gains nothing: the address comes first.
#[tokio::test]
async fn a_name_that_is_anothers_address_does_not_stand_in_their_way() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let eve = Person::new("eve").password("the password of eve");
    app.verified(&eve).await;
    renamed(&app, "eve", "ada@example.com").await;
    let alone = app.client.login("ada@example.com", &eve.password).await;
    assert_eq!(alone.status, 200);
    app.verified(&ada).await;

    let by_address = app.client.login("ada@example.com", &ada.password).await;
    let by_name = app.client.login("ada@example.com", &eve.password).await;

    assert_eq!((by_address.status, by_name.status), (200, 400));
    assert_eq!(by_address.field("email"), "ada@example.com");
    app.finish().await;
}

/// Letters that fold to others in a name stay apart in a domain: `straße.example` is not `strasse.example`.
#[tokio::test]
async fn a_name_that_is_an_address_is_found_by_that_address_alone() {
    let app = TestApp::start().await;
    let eve = Person::new("eve@strasse.example").at("eve@strasse.example");
    app.verified(&eve).await;

    let own = app.client.login("EVE@strasse.example", &eve.password).await;
    let other = app.client.login("eve@straße.example", &eve.password).await;

    assert_eq!((own.status, other.status), (200, 400));
    app.finish().await;
}

/// Gives a user a name as it could be had before.
async fn renamed(app: &TestApp, from: &str, to: &str) {
    let mut rows = app.rows().await;
    rows.run(&format!(
        "update users set username = '{to}', username_key = '{to}' where username = '{from}'"
    ))
    .await;
    rows.close().await;
}

/// OWASP ASVS 5.0 7.2.4.
#[tokio::test]
async fn each_login_gets_a_token_of_its_own() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    let first = app.client.login("ada", &ada.password).await;
    let second = app.client.login("ada", &ada.password).await;

    assert_ne!(first.field("token"), second.field("token"));
    let mut rows = app.rows().await;
    assert_eq!(
        rows.number("select count(*) from sessions where user_id = 1")
            .await,
        2
    );
    rows.close().await;
    app.finish().await;
}

#[tokio::test]
async fn only_the_right_password_hears_that_the_address_is_not_verified() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.client.registered(&ada).await;

    let by_name = app.client.login("ada", &ada.password).await;
    let by_address = app.client.login(&ada.email, &ada.password).await;
    let wrong = app.client.login("ada", "wrong password").await;

    assert_snapshot!(by_name.shown(), @r#"403 {"error":"Email is not verified. Please verify OTP first.","code":"email_not_verified"}"#);
    assert_eq!(by_address.shown(), by_name.shown());
    assert_snapshot!(wrong.shown(), @r#"400 {"error":"Invalid Credentials","code":"invalid_credentials"}"#);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.3.8: unknown, unverified and wrong are the same bytes.
#[tokio::test]
async fn every_wrong_login_is_answered_alike() {
    let app = TestApp::start().await;
    let (ada, bob) = (Person::new("ada"), Person::new("bob"));
    app.verified(&ada).await;
    app.client.registered(&bob).await;

    let wrong = app.client.login("ada", "wrong password").await;
    assert_snapshot!(wrong.shown(), @r#"400 {"error":"Invalid Credentials","code":"invalid_credentials"}"#);
    for (login, password) in [
        ("ada@example.com", "wrong password"),
        ("ada", "Correct Horse Battery"),
        ("ada", "correct horse battery "),
        ("ada", "\u{fffd}"),
        ("bob", "wrong password"),
        ("nobody", "correct horse battery"),
        ("nobody@example.com", "correct horse battery"),
        ("not a name!", "x"),
        ("ada\0", "correct horse battery"),
        ("ada\nINFO user logged in", "x"),
    ] {
        let answer = app.client.login(login, password).await;

        assert_eq!(answer.outside(), wrong.outside(), "{login:?}");
        assert_eq!(answer.body, wrong.body);
    }
    app.finish().await;
}

#[tokio::test]
async fn both_fields_are_required() {
    let app = TestApp::start().await;

    for body in [
        json!({}),
        json!({"login": "ada"}),
        json!({"password": "x"}),
        json!({"login": "", "password": ""}),
        json!({"login": "ada", "password": null}),
        json!({"login": 0, "password": "x"}),
        json!({"login": "ada", "password": []}),
        json!({"email": "ada@example.com", "password": "x"}),
    ] {
        let answer = app.client.post("/api/auth/login/", &body).await;

        let refusal = r#"400 {"error":"Please provide both login and password","code":"login_fields_required"}"#;
        assert_eq!(answer.shown(), refusal, "{body}");
    }
    app.finish().await;
}

#[tokio::test]
async fn values_of_other_types_are_wrong_credentials() {
    let app = TestApp::start().await;
    app.verified(&Person::new("ada")).await;

    for odd in [
        json!(5),
        json!(1.5),
        json!(true),
        json!(["@"]),
        json!({"@": 1}),
    ] {
        for body in [
            json!({"login": odd, "password": "x"}),
            json!({"login": "ada", "password": odd}),
        ] {
            let answer = app.client.post("/api/auth/login/", &body).await;

            assert_eq!(
                answer.shown(),
                r#"400 {"error":"Invalid Credentials","code":"invalid_credentials"}"#,
                "{body}"
            );
        }
    }
    app.finish().await;
}

/// A token that a client still stores must not keep it from logging in again.
#[tokio::test]
async fn a_stale_token_is_ignored() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    for stale in [
        "Token 0123456789012345678901234567890123456789",
        "Token",
        "Token a b",
        "Bearer x",
        "Basic x",
        "",
    ] {
        let client = app.client.with("Authorization", stale);

        assert_eq!(
            client.login("ada", &ada.password).await.status,
            200,
            "{stale}"
        );
        assert_eq!(client.resend(&ada.email).await.status, 200, "{stale}");
    }
    app.finish().await;
}

#[tokio::test]
async fn forms_log_in_as_well() {
    let app = TestApp::start().await;
    app.verified(&Person::new("ada")).await;
    let form = "login=ada&password=correct+horse%20battery";
    let parts = "--x\r\nContent-Disposition: form-data; name=\"login\"\r\n\r\nada\r\n\
                 --x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ncorrect horse battery\r\n--x--\r\n";

    let urlencoded = app
        .client
        .post_raw(
            "/api/auth/login/",
            "application/x-www-form-urlencoded",
            form,
        )
        .await;
    let multipart = app
        .client
        .post_raw("/api/auth/login/", "multipart/form-data; boundary=x", parts)
        .await;

    assert_eq!((urlencoded.status, multipart.status), (200, 200));
    app.finish().await;
}

/// Whoever comes when the line of passwords is full is told so at once, and may come again.
#[tokio::test]
async fn a_flood_of_logins_is_answered_and_leaves_nothing_behind() {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__HASH_THREADS", "1")
        .set("SMART_NOTES__ACCOUNTS__HASH_QUEUE", "4")
        .start()
        .await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    let answers = join_all((0..40).map(|_| app.client.login("ada", &ada.password))).await;

    let busy: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 503)
        .collect();
    assert!(
        answers
            .iter()
            .all(|answer| [200, 503].contains(&answer.status))
    );
    assert!(
        !busy.is_empty()
            && busy
                .iter()
                .all(|answer| answer.header("retry-after") == "1")
    );
    assert_eq!(app.client.login("ada", &ada.password).await.status, 200);
    app.finish().await;
}
