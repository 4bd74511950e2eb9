//! `POST /api/auth/delete-account-request/` and `DELETE` or `POST …-confirm/`: nothing is left but the farewell.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Client, Person, TestApp, wrong};

/// Somebody who is logged in, and the code that deletes the account.
async fn about_to_leave(app: &TestApp, person: &Person) -> (Client, String) {
    let session = app.member(person).await;
    let answer = session.request_deletion().await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
    let code = app.newest_code(&person.email).await;
    (session, code)
}

#[tokio::test]
async fn a_code_deletes_the_account_and_the_farewell_is_delivered() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let session = app.member(&ada).await;

    let requested = session.request_deletion().await;
    let code = app.newest_code(&ada.email).await;
    let deleted = session.delete_account(&code).await;

    assert_snapshot!(requested.shown(), @r#"200 {"message":"OTP sent to your email. Please verify to confirm deletion."}"#);
    assert_eq!((deleted.status, deleted.text()), (204, ""));
    let subjects = app.subjects_to(&ada.email).await;
    assert_snapshot!(subjects.last().unwrap(), @"Your Smart Notes account was deleted");
    let farewell = app.mail(&ada.email, 3).await;
    assert_eq!(farewell.code(), None);
    assert!(!farewell.text().unwrap().contains("OTP"));
    app.finish().await;
}

/// OWASP ASVS 5.0 7.4.2: every token ends with its user, at once.
#[tokio::test]
async fn every_session_ends_with_the_account() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_leave(&app, &ada).await;
    let other = app.client.logged_in(&ada).await;

    session.delete_account(&code).await;

    let after = session.get("/api/auth/me/").await;
    assert_snapshot!(after.shown(), @r#"401 {"detail":"Invalid token.","code":"invalid_token"}"#);
    assert_eq!(other.me_status().await, 401);
    let login = app.client.login("ada", &ada.password).await;
    assert_snapshot!(login.shown(), @r#"400 {"error":"Invalid Credentials","code":"invalid_credentials"}"#);
    app.finish().await;
}

#[tokio::test]
async fn address_and_name_are_free_at_once_for_a_user_with_another_number() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_leave(&app, &ada).await;
    session.delete_account(&code).await;

    let again = app.registered(&ada, 4).await.1;
    assert_eq!(app.client.verify(&ada, &again).await.status, 200);

    let login = app.client.login("ada", &ada.password).await;
    assert_eq!(login.json()["user_id"], json!(2));
    app.finish().await;
}

/// Every table is searched, and every column of it: once the farewell is delivered, what is kept of the
/// account names neither the address nor the name, nor who used it.
#[tokio::test]
async fn no_row_names_the_account_once_the_farewell_is_delivered() {
    let app = TestApp::with().limited().start().await;
    let ada = Person::new("ada-lovelace").at("Augusta.King@example.com");
    let agent = app.client.with("User-Agent", "the browser of augusta");
    agent.registered(&ada).await;
    let code = app.newest_code(&ada.email).await;
    agent.verify(&ada, &wrong(&code)).await;
    agent.verify(&ada, &code).await;
    let session = agent.logged_in(&ada).await;
    agent.login(&ada.email, "a wrong password").await;
    app.advance(61).await;
    agent.request_reset(&ada.email).await;
    app.settled().await;
    session.request_deletion().await;
    let code = app.newest_code(&ada.email).await;

    assert_eq!(session.delete_account(&code).await.status, 204);
    app.settled().await;

    let mut rows = app.rows().await;
    for (table, rows) in rows.all().await {
        for row in rows {
            let row = row.to_lowercase();
            for trace in ["augusta", "lovelace"] {
                assert!(!row.contains(trace), "{table}: {row}");
            }
        }
    }
    let kept = rows.number("select count(*) from audit where client is not null");
    assert_eq!(kept.await, 0);
    rows.close().await;
    app.finish().await;
}

/// An address that was the account's before it was changed is forgotten as well.
#[tokio::test]
async fn no_row_names_an_earlier_address_either() {
    let app = TestApp::start().await;
    let ada = Person::new("ada").at("byron@example.com");
    let session = app.member(&ada).await;
    session
        .request_email("king@example.com", &ada.password)
        .await;
    let code = app.newest_code("king@example.com").await;
    assert_eq!(session.confirm_email(&code).await.status, 200);
    session
        .request_email("third@example.com", &ada.password)
        .await;
    app.settled().await;
    session.request_deletion().await;
    let code = app.newest_code("king@example.com").await;

    assert_eq!(session.delete_account(&code).await.status, 204);
    app.settled().await;

    let mut rows = app.rows().await;
    for (table, rows) in rows.all().await {
        for row in rows {
            for address in ["byron@", "king@", "third@"] {
                assert!(!row.to_lowercase().contains(address), "{table}: {row}");
            }
        }
    }
    rows.close().await;
    app.finish().await;
}

/// What still waits for the relay when the account goes is withdrawn; only the farewell is sent.
#[tokio::test]
async fn mails_that_wait_are_withdrawn_and_the_farewell_is_not() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_leave(&app, &ada).await;
    app.faults().refuse_connections().await.unwrap();
    app.faults().cut_connections().await.unwrap();
    app.client.request_reset(&ada.email).await;

    assert_eq!(session.delete_account(&code).await.status, 204);
    app.faults().accept_connections().await.unwrap();
    app.clock.advance(std::time::Duration::from_mins(1));

    let subjects = app.subjects_to(&ada.email).await;
    let farewell = "Your Smart Notes account was deleted";
    assert_eq!(subjects.len(), 3, "{subjects:?}");
    assert_eq!(subjects[2], farewell);
    let mut rows = app.rows().await;
    let withdrawn = rows.texts("select kind from mails where state = 'cancelled'");
    assert_eq!(withdrawn.await, ["reset_password"]);
    rows.close().await;
    app.finish().await;
}

/// RFC 9110, section 9.3.5: proxies and clients may drop the body of a `DELETE`.
#[tokio::test]
async fn a_post_deletes_as_well_and_is_answered_alike() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_leave(&app, &ada).await;
    let path = "/api/auth/delete-account-confirm/";

    let without = session.post(path, &json!({})).await;
    let wrong = session.post(path, &json!({"otp": wrong(&code)})).await;
    let stranger = app.client.post(path, &json!({"otp": code})).await;
    let right = session.post(path, &json!({"otp": code})).await;

    assert_snapshot!(without.shown(), @r#"400 {"error":"OTP is required","code":"otp_required"}"#);
    assert_snapshot!(wrong.shown(), @r#"400 {"error":"Invalid OTP.","code":"invalid_otp"}"#);
    assert_eq!(
        (stranger.status, stranger.field("code").as_str()),
        (401, "not_authenticated")
    );
    assert_eq!(
        (right.status, right.header("allow")),
        (204, "POST, DELETE, OPTIONS")
    );
    assert_eq!(session.me_status().await, 401);
    app.finish().await;
}

#[tokio::test]
async fn a_code_is_required_and_only_in_the_body() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_leave(&app, &ada).await;
    let path = "/api/auth/delete-account-confirm/";

    for body in [json!({}), json!({"otp": ""}), json!({"otp": null})] {
        let answer = session.send("DELETE", path, &body).await;
        assert_eq!(
            answer.shown(),
            r#"400 {"error":"OTP is required","code":"otp_required"}"#
        );
    }
    let in_query = format!("{path}?otp={code}");
    let answer = session.request("DELETE", &in_query).send().await;
    assert_eq!(
        (answer.status, answer.field("code").as_str()),
        (400, "otp_required")
    );
    assert_eq!(session.me_status().await, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.6.3: five wrong codes, and the right one is refused too.
#[tokio::test]
async fn wrong_codes_are_counted_and_delete_nothing() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_leave(&app, &ada).await;
    let path = "/api/auth/delete-account-confirm/";

    for odd in [
        json!(wrong(&code)),
        json!(5),
        json!([code]),
        json!({"otp": code}),
        json!(true),
    ] {
        let answer = session.send("DELETE", path, &json!({"otp": odd})).await;
        assert_eq!(
            answer.shown(),
            r#"400 {"error":"Invalid OTP.","code":"invalid_otp"}"#,
            "{odd}"
        );
    }

    assert_eq!(session.delete_account(&code).await.status, 400);
    assert_eq!(session.me_status().await, 200);
    app.finish().await;
}

/// OWASP ASVS 5.0 6.5.5.
#[tokio::test]
async fn a_code_one_second_past_its_life_deletes_nothing() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_leave(&app, &ada).await;

    app.advance(601).await;

    assert_eq!(session.delete_account(&code).await.status, 400);
    assert_eq!(session.me_status().await, 200);
    app.finish().await;
}

#[tokio::test]
async fn a_json_number_stands_for_its_six_digits() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_leave(&app, &ada).await;
    let number: u32 = code.parse().unwrap();
    let path = "/api/auth/delete-account-confirm/";

    let answer = session.send("DELETE", path, &json!({"otp": number})).await;

    assert_eq!(answer.status, 204);
    app.finish().await;
}

#[tokio::test]
async fn only_delete_and_post_confirm() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_leave(&app, &ada).await;
    let path = "/api/auth/delete-account-confirm/";

    for method in ["GET", "PUT", "PATCH"] {
        let answer = session.send(method, path, &json!({"otp": code})).await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, "POST, DELETE, OPTIONS")
        );
    }
    let options = session.request("OPTIONS", path).send().await;
    assert_eq!(
        (options.status, options.header("allow")),
        (200, "POST, DELETE, OPTIONS")
    );
    assert_eq!(session.me_status().await, 200);
    app.finish().await;
}

/// Clients send what they like there; it was never read.
#[tokio::test]
async fn the_body_of_a_request_is_not_read() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;
    let path = "/api/auth/delete-account-request/";

    let broken = session.post_raw(path, "application/json", "{").await;
    let other = session.post_raw(path, "text/plain", "x").await;

    assert_eq!((broken.status, other.status), (200, 200));
    app.finish().await;
}

/// Attempts of strangers to register the address hold nothing of it either, nor the names they took.
#[tokio::test]
async fn decoys_of_the_address_go_with_the_account() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    let (session, code) = about_to_leave(&app, &ada).await;
    app.client
        .registered(&Person::new("eve").at(&ada.email))
        .await;

    session.delete_account(&code).await;

    let mut rows = app.rows().await;
    assert_eq!(rows.number("select count(*) from registrations").await, 0);
    rows.close().await;
    app.client.registered(&Person::new("eve")).await;
    app.finish().await;
}
