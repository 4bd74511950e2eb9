//! Routes that need a token: who gets 401, in which words, and that it comes before everything else.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Person, TestApp};

/// Every protected route with its methods.
const ROUTES: [(&str, &str); 11] = [
    ("POST", "/api/auth/delete-account-request/"),
    ("DELETE", "/api/auth/delete-account-confirm/"),
    ("POST", "/api/auth/logout/"),
    ("POST", "/api/auth/logout-all/"),
    ("GET", "/api/auth/sessions/"),
    ("DELETE", "/api/auth/sessions/01ARZ3NDEKTSV4RRFFQ69G5FAV/"),
    ("GET", "/api/auth/me/"),
    ("POST", "/api/auth/password-change/"),
    ("POST", "/api/auth/email-change-request/"),
    ("POST", "/api/auth/email-change-confirm/"),
    ("POST", "/api/auth/delete-account-confirm/"),
];

/// Every public route.
const PUBLIC: [&str; 6] = crate::http::ROUTES;

#[tokio::test]
async fn nobody_is_told_so_on_every_route() {
    let app = TestApp::start().await;

    for (method, route) in ROUTES
        .into_iter()
        .chain([("GET", "/api/auth/export/"), ("PATCH", "/api/auth/me/")])
    {
        for route in [route, route.trim_end_matches('/')] {
            let answer = app.client.request(method, route).send().await;

            let refusal = r#"401 {"detail":"Authentication credentials were not provided.","code":"not_authenticated"}"#;
            assert_eq!(answer.shown(), refusal, "{method} {route}");
            assert_eq!(answer.header("www-authenticate"), "Token");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert!(!answer.header("x-request-id").is_empty());
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn each_bad_header_is_named_in_the_words_clients_know() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;
    let id = session.sessions().await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let with = async |value: &[u8]| {
        let request = app.client.request("GET", "/api/auth/me/");
        let answer = request.header("Authorization", value).send().await;
        assert_eq!(answer.header("www-authenticate"), "Token");
        answer.shown()
    };

    assert_snapshot!(with(b"Token").await, @r#"401 {"detail":"Invalid token header. No credentials provided.","code":"invalid_token_header"}"#);
    assert_snapshot!(with(b"Token ").await, @r#"401 {"detail":"Invalid token header. No credentials provided.","code":"invalid_token_header"}"#);
    assert_snapshot!(with(b"Token a b").await, @r#"401 {"detail":"Invalid token header. Token string should not contain spaces.","code":"invalid_token_header"}"#);
    assert_snapshot!(with(b"Token \xff\xfe").await, @r#"401 {"detail":"Invalid token header. Token string should not contain invalid characters.","code":"invalid_token_header"}"#);
    assert_snapshot!(with(b"Token 0123456789012345678901234567890123456789").await, @r#"401 {"detail":"Invalid token.","code":"invalid_token"}"#);
    for nobody in [&b""[..], b"Basic eDp5", b"Digest x", b"Tokenx y", b"\xff"] {
        let refusal = r#"401 {"detail":"Authentication credentials were not provided.","code":"not_authenticated"}"#;
        assert_eq!(with(nobody).await, refusal);
    }
    let id_of_the_session = with(format!("Token {id}").as_bytes()).await;
    assert_snapshot!(id_of_the_session, @r#"401 {"detail":"Invalid token.","code":"invalid_token"}"#);
    app.finish().await;
}

#[tokio::test]
async fn token_and_bearer_are_accepted_in_any_case() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let token = app.client.token(&ada).await;

    for scheme in [
        "Token ", "token ", "tOkEn   ", "Bearer ", "BEARER ", "bearer\t",
    ] {
        let client = app
            .client
            .with("Authorization", &format!("{scheme}{token}"));
        assert_eq!(client.me_status().await, 200, "{scheme:?}");
    }
    let upper = app.client.bearing(&token.to_uppercase());
    let digits = token.bytes().all(|b| b.is_ascii_digit());
    assert_eq!(
        upper.me_status().await == 401,
        !digits,
        "the token itself has its case"
    );
    app.finish().await;
}

/// OWASP ASVS 5.0 14.2.1: a token counts in its header alone.
#[tokio::test]
async fn a_token_anywhere_else_is_none() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let token = app.client.token(&ada).await;

    for query in ["token", "access_token", "Authorization"] {
        let path = format!("/api/auth/me/?{query}={token}");
        assert_eq!(app.client.get(&path).await.status, 401);
    }
    for name in ["Cookie", "X-Auth-Token", "Proxy-Authorization"] {
        let client = app.client.with(name, &format!("Token {token}"));
        assert_eq!(client.me_status().await, 401, "{name}");
    }
    let body = json!({"token": token});
    assert_eq!(
        app.client
            .send("PATCH", "/api/auth/me/", &body)
            .await
            .status,
        401
    );
    app.finish().await;
}

/// 401 comes before 400, 404, 405 and 415: nobody learns anything of a route without a token.
#[tokio::test]
async fn nobody_hears_401_whatever_else_is_wrong() {
    let app = TestApp::start().await;

    for (method, route) in ROUTES {
        let mut answers = Vec::new();
        for other in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            answers.push(app.client.request(other, route).send().await);
        }
        for (media, body) in [
            ("application/json", "{"),
            ("application/json", "[]"),
            ("text/plain", "x"),
            ("multipart/form-data", "--x--"),
            ("", "x"),
        ] {
            let request = app
                .client
                .request(method, route)
                .header("Content-Type", media);
            answers.push(request.body(body).send().await);
        }
        let request = app.client.request(method, route);
        let large = request.header("Content-Type", "application/json");
        answers.push(large.body("x".repeat(70_000)).send().await);
        for answer in answers {
            assert_eq!(answer.status, 401, "{method} {route}: {}", answer.shown());
            assert_eq!(answer.field("code"), "not_authenticated");
            assert_eq!(answer.header("www-authenticate"), "Token");
        }
    }
    app.finish().await;
}

/// With a token, what is wrong is said.
#[tokio::test]
async fn with_a_token_what_is_wrong_is_said() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;

    for (_, route) in ROUTES {
        let other = session.request("BREW", route).send().await;
        assert_eq!(
            (other.status, other.field("code").as_str()),
            (405, "method_not_allowed")
        );
        let options = session.request("OPTIONS", route).send().await;
        assert_eq!(options.status, 200);
        assert!(options.header("allow").ends_with("OPTIONS"));
        assert_eq!(options.header("www-authenticate"), "");
    }
    for (method, route) in [ROUTES[1], ROUTES[7], ROUTES[8], ROUTES[9], ROUTES[10]] {
        let send = async |media: &str, body: &'static str| {
            let request = session.request(method, route).header("Content-Type", media);
            request.body(body).send().await
        };
        assert_eq!(
            send("application/json", "{").await.field("code"),
            "parse_error"
        );
        assert_eq!(send("text/plain", "x").await.status, 415);
        assert!(send("application/json", "[]").await.json()["non_field_errors"].is_array());
    }
    app.finish().await;
}

/// A token that a client still stores must not keep it from anything that needs none.
#[tokio::test]
async fn a_stale_token_changes_nothing_on_a_public_route() {
    let app = TestApp::start().await;

    for route in PUBLIC {
        let without = app.client.post(route, &json!({})).await;
        for stale in [
            "Token 0123456789012345678901234567890123456789",
            "Token",
            "Token a b",
            "Bearer x",
        ] {
            let client = app.client.with("Authorization", stale);
            let answer = client.post(route, &json!({})).await;

            assert_eq!(answer.outside(), without.outside(), "{route} {stale}");
        }
    }
    app.finish().await;
}

/// Paths that are no route are 404 for everybody.
#[tokio::test]
async fn a_path_that_is_no_route_is_not_found() {
    let app = TestApp::start().await;
    let session = app.member(&Person::new("ada")).await;

    for path in [
        "/api/auth/",
        "/api/auth/nope/",
        "/api/auth/me/x/",
        "/api/auth/ME/",
        "/api/auth/sessions/a/b/",
    ] {
        for client in [&app.client, &session] {
            let answer = client.get(path).await;
            assert_eq!(
                answer.shown(),
                r#"404 {"detail":"Not found.","code":"not_found"}"#,
                "{path}"
            );
        }
    }
    app.finish().await;
}
