//! Halves of surrogate pairs: JSON's escapes can write a text that is none (RFC 8259, section 8.2). A client gets
//! there by cutting a text inside an emoji. The field is refused, and named.

use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, Person, TestApp};

/// A route, whether it needs a token, a body that it understands, and the fields of it that are text.
type Route = (&'static str, &'static str, bool, Value);

fn routes() -> Vec<Route> {
    let email = "ada@example.com";
    vec![
        (
            "POST",
            "/api/auth/register/",
            false,
            Person::new("eve").form(),
        ),
        (
            "POST",
            "/api/auth/verify-otp/",
            false,
            json!({"email": email, "otp": "000000", "challenge": "0123456789abcdef"}),
        ),
        (
            "POST",
            "/api/auth/resend-otp/",
            false,
            json!({"email": email, "challenge": "0123456789abcdef"}),
        ),
        (
            "POST",
            "/api/auth/login/",
            false,
            json!({"login": email, "password": PASSWORD}),
        ),
        (
            "POST",
            "/api/auth/password-reset-request/",
            false,
            json!({"email": email}),
        ),
        (
            "POST",
            "/api/auth/password-reset-confirm/",
            false,
            json!({"email": email, "otp": "000000", "new_password": "staple of the day"}),
        ),
        (
            "POST",
            "/api/auth/otp-login-request/",
            false,
            json!({"email": email}),
        ),
        (
            "POST",
            "/api/auth/otp-login-confirm/",
            false,
            json!({"email": email, "otp": "000000"}),
        ),
        (
            "POST",
            "/api/auth/password-change/",
            true,
            json!({"current_password": PASSWORD, "new_password": "staple of the day"}),
        ),
        (
            "POST",
            "/api/auth/email-change-request/",
            true,
            json!({"new_email": "ada@example.org", "password": PASSWORD}),
        ),
        (
            "POST",
            "/api/auth/email-change-confirm/",
            true,
            json!({"otp": "000000"}),
        ),
        (
            "PATCH",
            "/api/auth/me/",
            true,
            json!({"username": "countess"}),
        ),
        (
            "DELETE",
            "/api/auth/delete-account-confirm/",
            true,
            json!({"otp": "000000"}),
        ),
    ]
}

/// A system with an account, and two clients of it: anybody, and its user.
async fn inhabited() -> (TestApp, Client) {
    let app = TestApp::with()
        .set("SMART_NOTES__ACCOUNTS__OTP_LOGIN", "true")
        .start()
        .await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let user = app.client.logged_in(&ada).await;
    app.settled().await;
    (app, user)
}

/// Sends a body in which `written` stands between the quotes of one field.
async fn send(
    client: &Client,
    (method, path, _, body): &Route,
    field: &str,
    written: &str,
) -> Answer {
    let mut body = body.clone();
    body[field] = json!("HERE");
    let body = body.to_string().replace("HERE", written);
    let request = client.request(method, path);
    let request = request.header("Content-Type", "application/json");
    request.body(body).send().await
}

#[tokio::test]
async fn a_text_with_half_a_surrogate_pair_is_refused_by_name_in_every_field() {
    let (app, user) = inhabited().await;
    let mut rows = app.rows().await;
    let before = rows.but_the_record().await;

    for route in routes() {
        let client = if route.2 { &user } else { &app.client };
        for field in route.3.as_object().unwrap().keys() {
            for (written, code_point) in [
                (r"\ud800", "U+D800"),
                (r"ada\uD83D", "U+D83D"),
                (r"\udc00\ud800", "U+DC00"),
                (r"\ud83e\udd80\udfff@example.com", "U+DFFF"),
                (r"\\\udbff\u0000\n", "U+DBFF"),
            ] {
                let answer = send(client, &route, field, written).await;

                let message = format!("Surrogate characters are not allowed: {code_point}.");
                assert_eq!(
                    (answer.status, answer.json()),
                    (400, json!({ field: [message] })),
                    "{} {field} {written}",
                    route.1
                );
            }
        }
    }
    assert_eq!(rows.but_the_record().await, before);
    rows.close().await;
    app.finish().await;
}

#[tokio::test]
async fn every_field_with_half_a_surrogate_pair_is_named_at_once() {
    let (app, user) = inhabited().await;

    for (method, path, closed, body) in routes() {
        let client = if closed { &user } else { &app.client };
        let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
        let broken: Vec<String> = fields
            .iter()
            .map(|field| format!(r#""{field}":"\ud800""#))
            .collect();
        let request = client.request(method, path);
        let request = request.header("Content-Type", "application/json");

        let answer = request
            .body(format!("{{{}}}", broken.join(",")))
            .send()
            .await;

        let named: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(named.iter().collect::<Vec<_>>(), fields, "{path}");
    }
    app.finish().await;
}

/// What a route ignores, it ignores whatever it holds.
#[tokio::test]
async fn a_field_that_a_route_does_not_know_may_hold_anything() {
    let (app, _) = inhabited().await;

    for unknown in [
        r#""nickname":"\ud800""#,
        r#""tags":["a",["\ud800"],{"\ud800":"\udfff"}]"#,
        r#""\ud800":"x""#,
        r#""logi\ud800n":"nobody""#,
    ] {
        let body = format!(r#"{{"login":"ada",{unknown},"password":"{PASSWORD}"}}"#);
        let answer = app
            .client
            .post_raw("/api/auth/login/", "application/json", body)
            .await;

        assert_eq!(answer.status, 200, "{unknown}: {}", answer.shown());
    }
    app.finish().await;
}

#[tokio::test]
async fn beside_half_a_surrogate_pair_all_else_is_read_as_ever() {
    let (app, _) = inhabited().await;
    let login = async |body: &str| {
        let body = format!(r#"{{"nickname":"\ud800",{body}}}"#);
        let post = app
            .client
            .post_raw("/api/auth/login/", "application/json", body);
        post.await.shown()
    };

    let whole_pair = login(r#""login":"\ud83e\udd80","password":"x""#).await;
    let escaped_escape = login(r#""login":"\\ud800","password":"x""#).await;
    let not_text = login(r#""login":["\ud800"],"password":"x""#).await;
    let no_password = login(r#""login":"x","password":0"#).await;
    let last_counts = login(r#""login":"\ud800","password":"x","login":"nobody""#).await;
    let other_mistake = login(r#""login":1e999,"password":"x""#).await;
    let cut_off = login(r#""login":"nobody","password":"#).await;

    let refused = r#"400 {"error":"Invalid Credentials","code":"invalid_credentials"}"#;
    assert_eq!(
        [whole_pair, escaped_escape, not_text, last_counts],
        [refused; 4]
    );
    assert!(
        no_password.contains("login_fields_required"),
        "{no_password}"
    );
    assert!(
        other_mistake.contains("JSON parse error"),
        "{other_mistake}"
    );
    assert!(cut_off.contains("JSON parse error"), "{cut_off}");
    app.finish().await;
}

/// The same text in the encoding of a form (WTF-8), which is no UTF-8: percent-encoded, or as it is.
#[tokio::test]
async fn half_a_surrogate_pair_in_a_form_is_no_utf_8() {
    let (app, user) = inhabited().await;
    let mut rows = app.rows().await;
    let before = rows.but_the_record().await;

    for (method, path, closed, body) in routes() {
        let client = if closed { &user } else { &app.client };
        let form: Vec<String> = body
            .as_object()
            .unwrap()
            .keys()
            .map(|field| format!("{field}=%ED%A0%80"))
            .collect();
        let request = client.request(method, path);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");

        let answer = request.body(form.join("&")).send().await;

        assert_eq!(
            answer.shown(),
            r#"400 {"detail":"The form is not UTF-8.","code":"parse_error"}"#,
            "{path}"
        );
    }
    assert_eq!(rows.but_the_record().await, before);
    rows.close().await;
    app.finish().await;
}
