//! Which bodies are read, how large they may be, and how long they may take.

use insta::assert_snapshot;
use serde_json::json;

use crate::http::ROUTES;
use crate::support::{Answer, Person, Raw, TestApp};

#[tokio::test]
async fn other_media_types_are_not_supported() {
    let app = TestApp::start().await;

    for route in ROUTES {
        for media in [
            "text/plain",
            "application/xml",
            "text/json",
            "application/vnd.api+json",
            "garbage",
        ] {
            let answer = app.client.post_raw(route, media, "{}").await;

            let detail = format!("Unsupported media type \"{media}\" in request.");
            assert_eq!((answer.status, answer.field("detail")), (415, detail));
        }
        let none = app.client.request("POST", route).body("{}").send().await;
        assert_eq!(
            none.shown(),
            r#"415 {"detail":"Unsupported media type \"\" in request.","code":"unsupported_media_type"}"#
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn the_media_type_may_be_spelt_freely() {
    let app = TestApp::start().await;

    for media in [
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/json;",
        " application/json ;charset=latin1",
    ] {
        let answer = app
            .client
            .post_raw("/api/auth/login/", media, r#"{"login":"a","password":"b"}"#)
            .await;

        assert_eq!(answer.field("error"), "Invalid Credentials", "{media}");
    }
    app.finish().await;
}

#[tokio::test]
async fn an_empty_body_is_an_empty_form_whatever_its_type() {
    let app = TestApp::start().await;

    for media in ["application/json", "text/plain", "multipart/form-data"] {
        let answer = app.client.post_raw("/api/auth/login/", media, "").await;

        assert_eq!(answer.field("code"), "login_fields_required", "{media}");
    }
    let none = app.client.request("POST", "/api/auth/login/").send().await;
    assert_eq!(none.field("code"), "login_fields_required");
    app.finish().await;
}

/// The service this one replaces took such a body as empty.
#[tokio::test]
async fn a_chunked_body_is_read() {
    let app = TestApp::start().await;
    let request = app
        .client
        .request("POST", "/api/auth/login/")
        .header("Content-Type", "application/json");

    let answer = request
        .chunks(&[r#"{"login":"#, r#""ada","pass"#, r#"word":"x"}"#])
        .send()
        .await;

    assert_snapshot!(answer.shown(), @r#"400 {"error":"Invalid Credentials","code":"invalid_credentials"}"#);
    app.finish().await;
}

/// A body of exactly so many bytes, as JSON.
fn json_of(length: usize) -> String {
    let frame = json!({"login": "ada", "password": "x", "padding": ""}).to_string();
    frame.replace(
        r#""padding":"""#,
        &format!(r#""padding":"{}""#, "x".repeat(length - frame.len())),
    )
}

#[tokio::test]
async fn a_body_of_64_kib_is_read_and_one_byte_more_is_not() {
    let app = TestApp::start().await;

    let largest = app
        .client
        .post_raw("/api/auth/login/", "application/json", json_of(65_536))
        .await;
    let larger = app
        .client
        .post_raw("/api/auth/login/", "application/json", json_of(65_537))
        .await;

    assert_snapshot!(largest.shown(), @r#"400 {"error":"Invalid Credentials","code":"invalid_credentials"}"#);
    assert_snapshot!(larger.shown(), @r#"413 {"detail":"The request's body is too large: at most 65536 bytes are read.","code":"body_too_large"}"#);
    app.finish().await;
}

#[tokio::test]
async fn a_chunked_body_is_cut_off_at_the_same_size() {
    let app = TestApp::start().await;
    let half = "x".repeat(32_769);
    let request = app
        .client
        .request("POST", "/api/auth/login/")
        .header("Content-Type", "application/json");

    let answer = request.chunks(&[&half, &half]).send().await;

    assert_eq!(answer.field("code"), "body_too_large");
    app.finish().await;
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused() {
    let app = TestApp::start().await;
    let mut connection = Raw::connect(app.client.address()).await;

    connection.write("POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"login\":").await;
    connection.end().await;

    let answer = connection.rest().await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
    assert_eq!(app.client.get("/health/live").await.status, 200);
    app.finish().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let app = TestApp::with()
        .set("SMART_NOTES__HTTP__BODY_TIMEOUT_SECONDS", "1")
        .start()
        .await;
    let mut connection = Raw::connect(app.client.address()).await;

    connection.write("POST /api/auth/login/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"login\":").await;

    let answer = connection.until("}").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(
        answer.ends_with(
            r#"{"detail":"The request's body did not arrive in time.","code":"body_timeout"}"#
        ),
        "{answer}"
    );
    app.finish().await;
}

#[tokio::test]
async fn the_last_of_several_values_counts() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;

    let twice =
        r#"{"login":"nobody","password":"x","login":"ada","password":"correct horse battery"}"#;
    let as_json = app
        .client
        .post_raw("/api/auth/login/", "application/json", twice)
        .await;
    let form = "login=nobody&password=x&login=ada&password=correct+horse+battery";
    let as_form = app
        .client
        .post_raw(
            "/api/auth/login/",
            "application/x-www-form-urlencoded",
            form,
        )
        .await;

    assert_eq!((as_json.status, as_form.status), (200, 200));
    app.finish().await;
}

#[tokio::test]
async fn a_document_that_is_no_object_is_refused() {
    let app = TestApp::start().await;

    for route in ROUTES {
        for (body, kind) in [
            ("[]", "list"),
            ("\"x\"", "str"),
            ("1", "int"),
            ("1.5", "float"),
            ("true", "bool"),
        ] {
            let answer = app.client.post_raw(route, "application/json", body).await;

            let message = format!("Invalid data. Expected a dictionary, but got {kind}.");
            assert_eq!(
                (answer.status, answer.json()),
                (400, json!({"non_field_errors": [message]}))
            );
        }
        let null = app.client.post_raw(route, "application/json", "null").await;
        assert_eq!(
            null.shown(),
            r#"400 {"non_field_errors":["No data provided"]}"#
        );
    }
    app.finish().await;
}

/// Two passwords that differ only in what is no text would otherwise become one.
#[tokio::test]
async fn a_form_that_is_no_utf_8_is_refused_and_changes_nothing() {
    let app = TestApp::start().await;
    let form = "username=ada&email=ada@example.com&password=%FF%FE%FD%FC%FB%FA%F9%F8\
                &confirm_password=%FF%FE%FD%FC%FB%FA%F9%F8";
    let mut multipart = Vec::new();
    for (name, value) in [
        ("username", b"ada".as_slice()),
        ("email", b"ada@example.com"),
        ("password", b"\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("confirm_password", b"\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe"),
    ] {
        let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        multipart.extend(head.as_bytes());
        multipart.extend(value);
        multipart.extend(b"\r\n");
    }
    multipart.extend(b"--b--\r\n");

    for (media, body) in [
        (
            "application/x-www-form-urlencoded",
            form.as_bytes().to_vec(),
        ),
        ("multipart/form-data; boundary=b", multipart),
    ] {
        let answer = app
            .client
            .post_raw("/api/auth/register/", media, body)
            .await;

        assert_eq!(
            answer.shown(),
            r#"400 {"detail":"The form is not UTF-8.","code":"parse_error"}"#,
            "{media}"
        );
    }
    assert!(app.inbox().all().is_empty());
    app.finish().await;
}

#[tokio::test]
async fn multipart_that_can_not_be_read_is_refused() {
    let app = TestApp::start().await;
    let ada = Person::new("ada");
    app.verified(&ada).await;
    let user = app.client.logged_in(&ada).await;
    let name = "Content-Disposition: form-data; name=\"username\"\r\n\r\neve";
    let odd = "Content-Disposition: form-data; name=\"a\x08b\"\r\n\r\n";
    let send = async |media: &str, body: &str| -> Answer {
        let request = user.request("PATCH", "/api/auth/me/");
        let request = request.header("Content-Type", media);
        request.body(body.to_owned()).send().await
    };

    let no_boundary = send("multipart/form-data", "--x--").await;
    assert_snapshot!(no_boundary.shown(), @r#"400 {"detail":"Multipart form parse error - Invalid boundary in multipart: None","code":"parse_error"}"#);
    for broken in [
        "nothing of the kind".to_owned(),
        "--x".to_owned(),
        "--x\r\nnone--x--\r\n".to_owned(),
        "--x\r\n\r\n\r\n--x--\r\n".to_owned(),
        format!("--x\r\n{name}"),
        format!("--x\r\n{name}\r\n--x"),
        format!("--x\r\n{name}\r\n--x\r\n{odd}\r\n--x--\r\n"),
    ] {
        let answer = send("multipart/form-data; boundary=x", &broken).await;

        assert_eq!(answer.status, 400, "{broken}");
        assert!(
            answer
                .field("detail")
                .starts_with("Multipart form parse error - ")
        );
        assert_eq!(answer.field("code"), "parse_error");
    }
    app.finish().await;
}

#[tokio::test]
async fn parts_without_a_name_and_files_are_passed_over() {
    let app = TestApp::start().await;

    for body in [
        "--x--\r\n",
        "--x\r\nContent-Disposition: form-data\r\n\r\nada\r\n--x--\r\n",
        "--x\r\nContent-Disposition: form-data; name=\"login\"; filename=\"f\"\r\n\r\nada\r\n--x--\r\n",
    ] {
        let answer = app
            .client
            .post_raw("/api/auth/login/", "multipart/form-data; boundary=x", body)
            .await;

        assert_eq!(answer.field("code"), "login_fields_required", "{body}");
    }
    app.finish().await;
}

/// A client that still sends hears why it is refused, instead of a connection that breaks off.
#[tokio::test]
async fn a_body_of_a_megabyte_is_refused_with_an_answer() {
    let app = TestApp::start().await;

    for _ in 0..10 {
        let body = "x".repeat(1_000_000);
        let answer = app
            .client
            .post_raw("/api/auth/login/", "application/json", body)
            .await;

        assert_eq!(answer.field("code"), "body_too_large");
    }
    app.finish().await;
}

/// An answer to a body that is still on its way would make the server close the connection, and the next
/// request on it would fail.
#[tokio::test]
async fn a_connection_can_be_used_again_whatever_the_answer_to_a_body() {
    let app = TestApp::start().await;

    for (request, status) in [
        ("POST /nope", 404),
        ("PUT /api/auth/login/", 405),
        ("POST /health/live", 405),
        ("OPTIONS /api/auth/login/", 200),
        ("POST /api/auth/login/", 415),
    ] {
        let mut connection = Raw::connect(app.client.address()).await;
        let head = format!(
            "{request} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        );
        connection.write(head).await;
        let asked = connection.until("\r\n\r\n").await;
        connection.write("bytes").await;
        let answer = connection.until("\r\n\r\n").await;
        connection
            .write("GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await;
        let next = connection.rest().await;

        assert!(asked.starts_with("HTTP/1.1 100 "), "{request}: {asked}");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {answer}"
        );
        assert!(next.ends_with(r#"{"status":"ok"}"#), "{request}: {next}");
    }
    app.finish().await;
}
